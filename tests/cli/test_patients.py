"""`carm patients`: cohorts listed, patients written."""

from __future__ import annotations

import json

from carm_env.cli.main import main
from carm_env.patient.cohort import load_cohort
from carm_env.patient.load import load_patient
from tests.patient.test_export import write_patient
from tests.patient.test_warp import body


def test_list_prints_a_split_and_json_that_reads_back(capsys, tmp_path) -> None:
    assert main(["patients", "list", "phantom-40", "--split", "test"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("test") for line in lines[:-1])
    held = load_cohort("phantom-40").counts()["test"]
    assert len(lines) - 1 == held
    assert lines[-1].startswith(f"{held} patients; ")
    assert main(["patients", "list", "phantom-40", "--split", "test", "--json"]) == 0
    file = tmp_path / "held.json"
    file.write_text(capsys.readouterr().out)
    assert load_cohort(str(file)).patients == load_cohort("phantom-40").select("test")
    assert len(lines) - 1 == len(json.loads(file.read_text())["patients"])


def test_make_writes_warps_once(tmp_path, capsys) -> None:
    ct = write_patient(body(), tmp_path, "mine")
    out = tmp_path / "made"
    assert main(["patients", "make", f"warp-2:{ct}", "--out", str(out)]) == 0
    files = sorted(p.name for p in out.iterdir())
    assert files == [f"warp-{i}-mine.{end}" for i in (0, 1) for end in ("landmarks.json", "nii.gz")]
    stamp = (out / "warp-0-mine.nii.gz").stat().st_mtime_ns
    (out / "warp-1-mine.nii.gz").unlink()
    capsys.readouterr()
    assert main(["patients", "make", f"warp-2:{ct}", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("1 of 2 written")
    assert (out / "warp-0-mine.nii.gz").stat().st_mtime_ns == stamp
    again = load_patient(str(out / "warp-1-mine.nii.gz"))
    assert again.volume.hu.tobytes() == load_patient(f"warp:1:{ct}").volume.hu.tobytes()


def test_make_refuses_patients_of_one_file_name(tmp_path, capsys) -> None:
    names = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        names.append(str(write_patient(body(), tmp_path / folder, "same")))
    cohort = tmp_path / "both.json"
    cohort.write_text(json.dumps({"schema": 1, "patients": names}))
    assert main(["patients", "make", str(cohort), "--out", str(tmp_path / "out")]) == 2
    assert "2 patients would be written as" in capsys.readouterr().err
