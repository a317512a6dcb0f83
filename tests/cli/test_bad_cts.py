"""Every broken CT at the command line: one clear line, exit 2, nothing half-written, no names of people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from carm_env.cli.main import main
from tests.patient.readers.dicom_files import SECRETS
from tests.patient.readers.test_dicom_broken import BAD as BAD_DICOM
from tests.patient.readers.test_itk import BAD as BAD_ITK
from tests.patient.readers.test_nifti import BAD as BAD_NIFTI

WHOLE_WHEN_IMPORTED = {"two series"}
"""What one patient cannot be, but an import can hold."""
CORPUS: dict[str, tuple[Any, str]] = {
    **{f"NIfTI {name}": (make, "ct.nii") for name, (make, _) in BAD_NIFTI.items()},
    **{f"ITK {name}": (make, "ct.mha" if "MHA" in name else "ct.nrrd") for name, (make, _) in BAD_ITK.items()},
    **{f"DICOM {name}": (make, "Erika-MUSTERMANN") for name, (make, _) in BAD_DICOM.items()},
}


def broken(case: str, tmp_path: Path) -> Path:
    make, name = CORPUS[case]
    folder = tmp_path / "in"
    folder.mkdir()
    return Path(make(folder / name))


def only_line(capfd: Any) -> str:
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("carm: ")
    assert err.count("\n") == 1
    return str(err)


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 120


@pytest.mark.parametrize("case", CORPUS)
def test_check_refuses_in_one_line(case, tmp_path, capfd, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = broken(case, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    capfd.readouterr()
    assert main(["patients", "check", str(path)]) == 2
    assert "want" in only_line(capfd)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("case", [c for c in CORPUS if c.removeprefix("DICOM ") not in WHOLE_WHEN_IMPORTED])
def test_import_refuses_in_one_line_and_leaves_no_folder(case, tmp_path, capfd) -> None:
    path = broken(case, tmp_path)
    capfd.readouterr()
    assert main(["patients", "import", str(path), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    line = only_line(capfd)
    assert not (tmp_path / "out").exists()
    if "missing" not in case and "name" not in case:
        assert not any(secret.lower() in line.lower() for secret in SECRETS)
