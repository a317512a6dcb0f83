"""The files against the validator of dicom3tools, where it is installed."""

import shutil
import subprocess

import pytest

from carm_env.episode.dicom.export import export_dicom
from tests.episode.dicom.shots import BIPLANE, CIOS, PATIENT, STARTED, biplane_drive, record_of, shots

VALIDATOR = shutil.which("dciodvfy")
pytestmark = pytest.mark.skipif(VALIDATOR is None, reason="no dciodvfy: install Debian's dicom3tools")

OUTSIDE_XA = ("FieldOfViewOrigin", "FieldOfViewRotation", "FieldOfViewHorizontalFlip")
"""What the XA object has no place for and a mirrored detector must tell all the same."""


ZERO = "Increment(0018,"
"""In the warnings that an offset from the first frame is zero, as the first frame's own always is."""


def told(path):
    """The validator's lines, but the object's name and what ``ZERO`` excuses."""
    done = subprocess.run([str(VALIDATOR), "-new", str(path)], capture_output=True, text=True, timeout=60)
    lines = (done.stdout + done.stderr).splitlines()
    assert lines.pop(0) in ("XAImage", "XRayRadiationDoseSR")
    return [line for line in lines if not (ZERO in line and line.endswith("Value is zero"))]


def turning():
    turn = shots((0, -100, -500), (0, -100.5, -501.25), secondary=10.0)
    turn.position[1, 3] = 33.3
    return turn


@pytest.mark.parametrize("irradiations", [biplane_drive(), turning(), shots((0, -100, -500), cu_mm=0.0)])
def test_nothing_is_wrong_with_the_files_of_a_biplane(irradiations, tmp_path):
    for path in export_dicom(tmp_path, record_of(irradiations), irradiations, BIPLANE, PATIENT, "a-run", STARTED):
        assert told(path) == [], path.name


def test_a_mirrored_detector_says_more_than_the_object_foresees(tmp_path):
    irradiations = shots((0, -100, -500), (0, -100, -450), device=CIOS)
    report, plane = export_dicom(tmp_path, record_of(irradiations), irradiations, CIOS, PATIENT, "a-run", STARTED)
    assert told(report) == []
    lines = told(plane)
    assert len(lines) == len(OUTSIDE_XA)
    for line, name in zip(sorted(lines), sorted(OUTSIDE_XA), strict=True):
        assert line.startswith("Warning") and name in line and "not present in standard" in line
