"""What the README tells people to type works, as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from carm_env.cli.main import main
from carm_env.patient.load import load_patient
from carm_env.patient.phantom import make_phantom
from carm_env.patient.sidecar import write_sidecar

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
CARM = [line for line in LINES if line.startswith("carm ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's folder with a CT of their own in it, as NIfTI with a landmark file."""
    place = tmp_path_factory.mktemp("user")
    patient = load_patient("phantom:2")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ patient.volume.affine
    nibabel.save(nibabel.Nifti1Image(patient.volume.hu, affine), place / "ct.nii.gz")
    write_sidecar(place / "ct.landmarks.json", patient, "ct.nii.gz")
    _nmdid_pair(place / "nmdid")
    (place / "nmdid.csv").write_text("case_number,age,sex,cadaver_weight,cadaver_length\n10065,61,Male,80,175\n")
    return place


def _nmdid_pair(folder):
    """The two scans of one case, cut from one phantom."""
    patient = make_phantom(4, 4.0)
    index = {name: int(patient.volume.to_index(patient.landmarks[name])[2]) for name in ("T1", "T12")}
    upper, torso = slice(index["T12"] - 8, None), slice(None, index["T1"])
    folder.mkdir()
    for name, part in (("H-N-UXT_3X3", upper), ("TORSO_3_X_3", torso)):
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ patient.volume.affine
        affine[2, 3] += 4.0 * (part.start or 0)
        image = nibabel.Nifti1Image(patient.volume.hu[:, :, part], affine)
        nibabel.save(image, folder / f"case-10065_BONE_{name}.nii.gz")


@pytest.mark.parametrize("line", CARM)
def test_command(line, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    if line.startswith("carm patients fetch"):
        monkeypatch.setitem(sys.modules, "pyvista", None)
        assert main(shlex.split(line)[1:]) == 2, "fetching needs PyVista and a network"
        return
    status = main(shlex.split(line)[1:])
    assert status == 0, capsys.readouterr().err


def test_commands_cover_every_subcommand():
    from carm_env.cli.main import COMMANDS

    assert {shlex.split(line)[1] for line in CARM} == set(COMMANDS)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_make_target_exists(line):
    subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("code", [text for kind, text in BLOCKS if kind == "python"])
def test_python(code, tmp_path):
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_every_bash_line_is_tested():
    assert all(line.startswith(("carm ", "make ")) for line in LINES if line)
