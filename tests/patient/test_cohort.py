"""Cohorts: complete, disjoint splits, independent of their length; bad lists get one line."""

from __future__ import annotations

import json

import pytest

from carm_env.errors import CarmError
from carm_env.patient.cohort import SPLITS, absolute, as_record, load_cohort


def test_the_splits_part_a_cohort() -> None:
    cohort = load_cohort("phantom-500")
    parts = [set(map(str, cohort.select(s))) for s in SPLITS]
    assert set.union(*parts) == {f"phantom:{i}" for i in range(500)}
    assert sum(map(len, parts)) == 500
    assert cohort.select("all") == cohort.patients


def test_a_longer_cohort_keeps_everyone_where_they_were() -> None:
    short, long = load_cohort("phantom-100"), load_cohort("phantom-1000")
    assert long.splits[:100] == short.splits
    assert set(short.select("test")) <= set(long.select("test"))


def test_coarse_phantoms_are_split_as_the_others() -> None:
    coarse, fine = load_cohort("phantom-60@8"), load_cohort("phantom-60")
    assert coarse.splits == fine.splits
    assert [str(p) for p in coarse.patients] == [f"{p}@8" for p in fine.patients]


def test_warps_of_one_ct_share_a_split() -> None:
    assert len(set(load_cohort("warp-20:some/ct.nii.gz").splits)) == 1


def test_a_list_reads_names_and_given_splits(tmp_path) -> None:
    file = tmp_path / "mine.json"
    entries = ["phantom:3", {"name": "ct.nii.gz", "split": "test"}, "warp:2:/abs/ct.nii.gz"]
    file.write_text(json.dumps({"schema": 1, "patients": entries}))
    cohort = load_cohort(str(file))
    assert [str(p) for p in cohort.patients] == ["phantom:3", str(tmp_path / "ct.nii.gz"), "warp:2:/abs/ct.nii.gz"]
    assert cohort.splits[1] == "test"


def test_a_cohorts_record_reads_back(tmp_path) -> None:
    cohort = load_cohort("phantom-30")
    file = tmp_path / "test.json"
    file.write_text(json.dumps(as_record(cohort, cohort.select("test"))))
    again = load_cohort(str(file))
    assert again.patients == cohort.select("test")
    assert set(again.splits) == {"test"}


@pytest.mark.parametrize(
    "name",
    ["phantom-0", "phantom-2000000", "phantom-9@", "phantoms", "", "warp-3:phantom:1", "warp-3:4:a.nii", "x.json"],
)
def test_bad_names_get_one_line(name) -> None:
    with pytest.raises(CarmError, match="want"):
        load_cohort(name)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"schema": 1, "patients": []}',
        '{"schema": 2, "patients": ["phantom:1"]}',
        '{"schema": 1, "patients": [3]}',
        '{"schema": 1, "patients": ["phantom"]}',
        '{"schema": 1, "patients": ["phantom:1", "phantom:1"]}',
        '{"schema": 1, "patients": [{"name": "phantom:1", "split": "x"}]}',
        '{"schema": 1, "patients": [{"name": "phantom:1", "colour": "x"}]}',
        '{"schema": 1, "patients": "phantom:1"}',
        "[" * 100000,
    ],
)
def test_bad_lists_get_one_line(tmp_path, text) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(CarmError) as caught:
        load_cohort(str(file))
    assert "want" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_or_empty_split_is_refused() -> None:
    with pytest.raises(CarmError, match="want one of all, train, validation, test"):
        load_cohort("phantom-9").select("tests")
    with pytest.raises(CarmError, match="no patient in split"):
        load_cohort("warp-2:a.nii").select(next(s for s in SPLITS if s != load_cohort("warp-2:a.nii").splits[0]))


def test_paths_become_absolute() -> None:
    assert absolute("phantom-5") == "phantom-5"
    assert absolute("warp-5:a.nii").startswith("warp-5:/")
    assert absolute("list.json").startswith("/")
