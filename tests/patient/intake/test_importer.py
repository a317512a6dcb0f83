"""Imports: everything once, resumable, with reasons, and without names of people."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.cohort import load_cohort
from carm_env.patient.intake import importer
from carm_env.patient.intake.cases import find_cases
from carm_env.patient.intake.convert import Settings
from carm_env.patient.intake.importer import run_import
from carm_env.patient.intake.journal import Journal
from carm_env.patient.load import load_patient
from carm_env.whole import whole
from tests.patient.intake.trees import save, small_ct, tree


def test_a_tree_becomes_a_cohort_of_canonical_cts(tmp_path) -> None:
    src = tree(tmp_path / "src", 5)
    (src / "notes.txt").write_text("no CT")
    report = run_import(src, tmp_path / "out", workers=1)
    assert report["counts"] == {"imported": 5, "refused": 0, "doubled": 0}
    cohort = load_cohort(str(tmp_path / "out"))
    assert len(cohort.patients) == 5
    for name in cohort.patients:
        patient = load_patient(str(name))
        assert patient.volume.hu.dtype == np.int16
        assert (np.diag(patient.volume.affine) > 0).all()
        assert Path(name.path).with_name(Path(name.path).name.replace(".nii.gz", ".landmarks.json")).exists()


def test_a_second_import_has_nothing_to_do_and_a_changed_source_is_imported_anew(tmp_path, monkeypatch) -> None:
    src, out = tree(tmp_path / "src", 3), tmp_path / "out"
    first = run_import(src, out, workers=1)
    calls = []
    real = importer.convert
    monkeypatch.setattr(importer, "convert", lambda *job: calls.append(job[0]) or real(*job))
    assert run_import(src, out, workers=1) == first
    assert calls == []
    save(src / "site-0" / "ct-0000.nii.gz", small_ct(77))
    again = run_import(src, out, workers=1)
    assert len(calls) == 1
    assert again["counts"]["imported"] == 3
    assert len(list(out.glob("*.nii.gz"))) == len(list(out.glob("*.landmarks.json"))) == 3
    gone = next(out.glob("scan-*.nii.gz"))
    gone.unlink()
    run_import(src, out, workers=1)
    assert gone.exists()


def test_the_same_ct_twice_is_said_and_listed_once(tmp_path) -> None:
    save(tmp_path / "src" / "a.nii.gz", small_ct(1))
    save(tmp_path / "src" / "b.nii.gz", small_ct(1))
    report = run_import(tmp_path / "src", tmp_path / "out", workers=1)
    assert report["counts"] == {"imported": 1, "refused": 0, "doubled": 1}


def test_what_is_refused_is_listed_with_its_reason_and_the_rest_is_imported(tmp_path) -> None:
    src = tree(tmp_path / "src", 2)
    (src / "bad.nii.gz").write_bytes(b"hello")
    save(src / "mask.nii.gz", (small_ct() > 0).astype(np.uint8))
    report = run_import(src, tmp_path / "out", workers=1)
    assert report["counts"] == {"imported": 2, "refused": 2, "doubled": 0}
    assert all("want" in entry["reason"] for entry in report["refused"])


def test_names_of_people_stay_out_of_everything_but_the_private_list(tmp_path, capfd) -> None:
    src = tmp_path / "src"
    save(src / "DOE_JANE_19560412" / "DOE_JANE_chest.nii.gz", small_ct(3))
    save(src / "ROE_RICHARD" / "bad.nii.gz", np.zeros((9, 9, 9), np.int16))
    (src / "ROE_RICHARD.nii.gz").write_bytes(b"broken")
    run_import(src, tmp_path / "out", workers=1)
    public = [f for f in (tmp_path / "out").rglob("*") if f.is_file() and "private" not in f.parts]
    printed = "".join(capfd.readouterr())
    for word in ("DOE", "JANE", "1956", "ROE", "RICHARD"):
        assert word not in printed
        assert all(word not in f.name for f in public)
        assert all(word.encode() not in f.read_bytes() for f in public if f.suffix in (".json", ".jsonl"))
    private = tmp_path / "out" / "private"
    assert "DOE_JANE_chest" in (private / "sources.jsonl").read_text()
    assert (private.stat().st_mode & 0o077) == 0
    assert all((f.stat().st_mode & 0o077) == 0 for f in (private / "sources.jsonl", private / "key"))


def test_names_are_kept_when_asked_for(tmp_path) -> None:
    save(tmp_path / "src" / "a" / "ct.nii.gz", small_ct(1))
    save(tmp_path / "src" / "b" / "liver 01.nii.gz", small_ct(2))
    report = run_import(tmp_path / "src", tmp_path / "out", Settings(keep_names=True), workers=1)
    assert {e["name"] for e in report["imported"]} == {"a", "liver_01"}


def test_a_kept_name_is_never_taken_for_an_unfinished_file(tmp_path) -> None:
    save(tmp_path / "src" / "scan.part2.nii.gz", small_ct(1))
    first = run_import(tmp_path / "src", tmp_path / "out", Settings(keep_names=True), workers=1)
    written = (tmp_path / "out" / "scan.part2.nii.gz").stat().st_mtime_ns
    assert run_import(tmp_path / "src", tmp_path / "out", Settings(keep_names=True), workers=1) == first
    assert (tmp_path / "out" / "scan.part2.nii.gz").stat().st_mtime_ns == written


def test_a_second_import_leaves_what_the_first_is_writing_alone(tmp_path) -> None:
    src, out = tree(tmp_path / "src", 1), tmp_path / "out"
    first = Journal(out, src, Settings())
    try:
        with whole(out / "ct.nii.gz") as part:
            part.write_bytes(b"half")
            with pytest.raises(CarmError, match="another import is writing there"):
                run_import(src, out, workers=1)
            assert part.read_bytes() == b"half"
    finally:
        first.close()


def test_a_flat_folder_of_thousands_is_no_patient(tmp_path) -> None:
    for i in range(2100):
        (tmp_path / f"case-{i:06d}.nii.gz").touch()
    (tmp_path / "case-000001.nii").touch()
    assert len(find_cases(tmp_path).cases) == 2101


def test_one_bad_segmentation_is_refused_and_the_rest_imported(tmp_path) -> None:
    src = tree(tmp_path / "src", 2)
    for name in ("labels", "segmentation"):
        save(src / "site-0" / f"{name}.nii.gz", small_ct(3))
    save(src / "site-0" / "inner" / "scan.nii.gz", small_ct(4))
    save(src / "alone" / "segmentations" / "hip_left.nii.gz", small_ct(5))
    report = run_import(src, tmp_path / "out", workers=1)
    assert sorted("label maps" in entry["reason"] for entry in report["refused"]) == [False, True]
    assert any("no ct.nii.gz" in entry["reason"] for entry in report["refused"])
    assert report["counts"] == {"imported": 2, "refused": 2, "doubled": 0}


def test_hidden_files_are_no_cts(tmp_path) -> None:
    src = tree(tmp_path / "src", 1)
    (src / "site-0" / "._ct-0000.nii.gz").write_bytes(b"Mac OS X")
    assert run_import(src, tmp_path / "out", workers=1)["counts"] == {"imported": 1, "refused": 0, "doubled": 0}


def test_other_settings_need_another_folder(tmp_path) -> None:
    src = tree(tmp_path / "src", 1)
    run_import(src, tmp_path / "out", workers=1)
    with pytest.raises(CarmError, match="other settings \\(spacing_mm\\)"):
        run_import(src, tmp_path / "out", Settings(spacing_mm=3.0), workers=1)


def test_another_source_needs_another_folder(tmp_path) -> None:
    run_import(tree(tmp_path / "src", 1), tmp_path / "out", workers=1)
    with pytest.raises(CarmError, match="another source"):
        run_import(tree(tmp_path / "other", 1), tmp_path / "out", workers=1)


def test_links_out_of_the_tree_and_unreadable_folders_are_set_aside(tmp_path) -> None:
    outside = save(tmp_path / "elsewhere" / "secret.nii.gz", small_ct(9))
    src = tree(tmp_path / "src", 1)
    (src / "link.nii.gz").symlink_to(outside)
    (src / "folder").symlink_to(outside.parent)
    (src / "loop").symlink_to(src)
    (src / "inside.nii.gz").symlink_to(src / "site-0" / "ct-0000.nii.gz")
    report = run_import(src, tmp_path / "out", workers=1)
    assert report["counts"]["imported"] == 1
    assert sorted("link" in entry["reason"] for entry in report["refused"]) == [True, True, True]


def test_a_torn_journal_loses_only_its_last_line(tmp_path) -> None:
    src, out = tree(tmp_path / "src", 3), tmp_path / "out"
    first = run_import(src, out, workers=1)
    journal = out / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-25])
    assert run_import(src, out, workers=1) == first
    assert len(journal.read_text().splitlines()) == 4


def test_a_crash_of_one_reader_ends_neither_the_import_nor_another_case(tmp_path, monkeypatch) -> None:
    src = tree(tmp_path / "src", 6)
    monkeypatch.setattr(importer, "convert", crash_on_one)
    report = run_import(src, tmp_path / "out", workers=2)
    assert report["counts"] == {"imported": 5, "refused": 1, "doubled": 0}
    assert "ended the process" in report["refused"][0]["reason"]


def crash_on_one(case, *rest):
    from carm_env.patient.intake.convert import convert

    if case.sources[0].name == "ct-0002.nii.gz":
        os.kill(os.getpid(), signal.SIGKILL)
    return convert(case, *rest)


def start(src: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "carm_env.cli.main", "patients", "import", str(src), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed_twice_and_resumed(tmp_path: Path, count: int, sig: signal.Signals) -> int:
    """Checks what is there in the end; returns how many of the two kills came before the import was done."""
    src, out = tree(tmp_path / "src", count), tmp_path / "out"
    journal = out / "journal.jsonl"
    kills = 0
    for part in (1, 2):
        process = start(src, out)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            if journal.exists() and len(journal.read_bytes().splitlines()) > part * count // 3:
                process.send_signal(sig)
                break
            time.sleep(0.002)
        process.wait(60)
        kills += not (out / "import.json").exists()
    assert start(src, out).wait(600) == 0
    report = json.loads((out / "import.json").read_text())
    assert report["counts"] == {"imported": count, "refused": 0, "doubled": 0}
    assert len({entry["case"] for entry in report["imported"]}) == count
    assert len(list(out.glob("*.nii.gz"))) == len(list(out.glob("*.landmarks.json"))) == count
    lines = [json.loads(line) for line in journal.read_text().splitlines()][1:]
    assert len(lines) == len({line["case"] for line in lines}) == count
    assert list(out.glob("*.part*")) == []
    return kills


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGINT])
def test_killed_twice_and_resumed_nothing_is_lost_and_nothing_twice(tmp_path, sig) -> None:
    assert killed_twice_and_resumed(tmp_path, 40, sig) >= 1


@pytest.mark.slow
def test_a_thousand_killed_twice_and_resumed(tmp_path) -> None:
    assert killed_twice_and_resumed(tmp_path, 1000, signal.SIGKILL) == 2


@pytest.mark.parametrize(
    ("settings", "workers", "words"),
    [
        (Settings(spacing_mm=100.0), 1, "spacing 100 mm"),
        (Settings(arms="folded"), 1, "crossed or raised"),
        (Settings(), 0, "workers 0"),
    ],
)
def test_bad_settings_get_one_line_and_leave_nothing(tmp_path, settings, workers, words) -> None:
    src = tree(tmp_path / "src", 1)
    with pytest.raises(CarmError, match=words):
        run_import(src, tmp_path / "out", settings, workers)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inside", ["", "out", "site-0/out"])
def test_a_folder_inside_the_source_is_refused_so_that_no_import_imports_itself(tmp_path, inside) -> None:
    src = tree(tmp_path / "src", 1)
    before = sorted(src.rglob("*"))
    with pytest.raises(CarmError, match="inside the source"):
        run_import(src, src / inside, workers=1)
    assert sorted(src.rglob("*")) == before


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    for src in ("empty", "missing"):
        with pytest.raises(CarmError, match="want"):
            run_import(tmp_path / src, tmp_path / "out")
    assert not (tmp_path / "out").exists()
