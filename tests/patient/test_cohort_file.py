"""Cohort files: the same list as JSON, YAML and CSV; persons stay together; bad files get one line."""

from __future__ import annotations

import json
import os

import pytest

from carm_env.errors import CarmError
from carm_env.patient.cohort import is_cohort, load_cohort

ENTRIES = [
    {"name": "phantom:1", "split": "test"},
    {"name": "a.nii.gz", "patient": "case-7"},
    {"name": "b.nii.gz", "patient": "case-7"},
    {"name": "sub/c.mha"},
]
YAML = "schema: 1\npatients:\n" + "".join(
    "- {" + ", ".join(f"{k}: {v!r}" for k, v in entry.items()) + "}\n" for entry in ENTRIES
)
CSV = "name,split,patient\nphantom:1,test,\na.nii.gz,,case-7\nb.nii.gz,,case-7\n\nsub/c.mha,,\n"


def test_json_yaml_and_csv_say_the_same(tmp_path) -> None:
    texts = {"l.json": json.dumps({"schema": 1, "patients": ENTRIES}), "l.yaml": YAML, "l.yml": YAML, "l.csv": CSV}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "cohort.json").write_text(texts["l.json"])
    read = [load_cohort(str(tmp_path / name)) for name in texts] + [load_cohort(str(tmp_path))]
    assert all(is_cohort(str(tmp_path / name)) for name in texts)
    assert is_cohort(str(tmp_path))
    for cohort in read:
        assert cohort.patients == read[0].patients
        assert cohort.splits == read[0].splits
    assert [str(p) for p in read[0].patients][1] == str(tmp_path / "a.nii.gz")
    assert read[0].splits[0] == "test"


def test_null_says_nothing(tmp_path) -> None:
    names = [f"{i}.nii.gz" for i in range(30)]
    for file, extra in (("plain.json", {}), ("null.json", {"patient": None, "split": None})):
        entries = [{"name": name, **extra} for name in names]
        (tmp_path / file).write_text(json.dumps({"schema": 1, "patients": entries}))
    plain, null = (load_cohort(str(tmp_path / f"{kind}.json")) for kind in ("plain", "null"))
    assert null.splits == plain.splits
    assert len(set(plain.splits)) > 1


def test_a_person_never_stands_in_two_splits(tmp_path) -> None:
    for person in range(40):
        lines = "".join(f"{person}-{scan}.nii.gz,case-{person}\n" for scan in range(3))
        (tmp_path / "l.csv").write_text("name,patient\n" + lines)
        os.utime(tmp_path / "l.csv", ns=(person, person))
        assert len(set(load_cohort(str(tmp_path / "l.csv")).splits)) == 1
    (tmp_path / "l.csv").write_text("name,split,patient\na.nii,train,1\nb.nii,test,1\n")
    with pytest.raises(CarmError, match="all CTs of a person in one split"):
        load_cohort(str(tmp_path / "l.csv"))


def test_a_list_that_changed_is_read_again(tmp_path) -> None:
    (tmp_path / "l.csv").write_text("name\nphantom:1\n")
    assert len(load_cohort(str(tmp_path / "l.csv")).patients) == 1
    (tmp_path / "l.csv").write_text("name\nphantom:1\nphantom:2\n")
    assert len(load_cohort(str(tmp_path / "l.csv")).patients) == 2


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.yaml", "{"),
        ("l.yaml", "- phantom:1\n"),
        ("l.yaml", "schema: 1\n"),
        ("l.yaml", "schema: 1\npatients: [3]\n"),
        ("l.yaml", "!!python/object/apply:os.system ['true']\n"),
        ("l.yaml", BOMB),
        ("l.yaml", "schema: 1\npatients:\n- {name: 'phantom:1', colour: red}\n"),
        ("l.yaml", "schema: 1\npatients:\n- {name: 'phantom:1', patient: []}\n"),
        ("l.csv", ""),
        ("l.csv", "name\n"),
        ("l.csv", "file,age\na.nii,3\n"),
        ("l.csv", "name,name\na,b\n"),
        ("l.csv", "name,split\na.nii\n"),
        ("l.csv", "name,split\na.nii,often\n"),
        ("l.csv", "name\nphantom\n"),
        ("l.csv", "name\na.nii\na.nii\n"),
        ("l.csv", "name\n" + "x" * 200_000 + "\n"),
        ("l.csv", b"\xff\xfe\x00name"),
    ],
)
def test_bad_files_get_one_line(tmp_path, name, text) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CarmError) as caught:
        load_cohort(str(tmp_path / name))
    assert "want" in str(caught.value)
    assert "\n" not in str(caught.value)
