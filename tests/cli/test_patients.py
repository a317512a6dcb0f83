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
    assert lines[-1].endswith("train, " + lines[-1].split("train, ")[1])
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
    assert main(["patients", "make", f"warp-2:{ct}", "--out", str(out)]) == 0
    assert (out / "warp-0-mine.nii.gz").stat().st_mtime_ns == stamp
    again = load_patient(str(out / "warp-1-mine.nii.gz"))
    assert again.volume.hu.tobytes() == load_patient(f"warp:1:{ct}").volume.hu.tobytes()
