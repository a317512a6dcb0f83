"""The dose report read by PySkinDose: where the beam goes in and how much dose it leaves."""

import numpy as np
import pydicom
import pytest

from carm_env.episode.dicom.dose_report import write_dose_report
from carm_env.geometry import detector_direction
from tests.episode.dicom.shots import BIPLANE, CIOS, STUDY, biplane_drive, shots
from tests.episode.dicom.skin_oracle import LYING, pyskindose_peak, tubes_mm

pyskindose = pytest.importorskip("pyskindose", reason="no pyskindose: pip install pyskindose")

BSF_10CM, MU_EN_RATIO = 1.46, 1.03
"""80 kV, 3.1 mm Al, 0.6 mm Cu: backscatter of a 10 cm field (Benmakhlouf 2011) and water over air (1.02 to 1.04)."""


def written(tmp_path, irradiations, device=BIPLANE):
    return write_dose_report(tmp_path / "dose.dcm", irradiations, device, STUDY)


def peak_mm(tmp_path, irradiations, **options):
    return pyskindose_peak(written(tmp_path, irradiations), tmp_path, **options).peak_mm


def test_every_event_is_read_with_its_kerma(tmp_path):
    drive = biplane_drive()
    drive.ka_r_mgy[:] = [1.0 / 3e6, 2.0 / 7e3, 0.0123456789012345, 1e-2]
    parsed = pyskindose.rdsr_parser(pydicom.dcmread(written(tmp_path, drive)))
    assert len(parsed) == len(drive)
    np.testing.assert_allclose(parsed.DoseRP_Gy.astype(float) * 1000.0, drive.ka_r_mgy, rtol=1e-9)
    assert parsed.AcquisitionPlane.tolist() == ["Plane A"] * 3 + ["Plane B"]
    assert set(parsed.IrradiationEventType) == {"Fluoroscopy"}


@pytest.mark.parametrize("device", [BIPLANE, CIOS])
def test_the_tube_is_where_our_own_geometry_has_it(device, tmp_path):
    rng = np.random.default_rng(1)
    some = shots(*rng.uniform((-100, -300, -1500), (100, 0, 50), (6, 3)), device=device)
    low, high = device.limits[3:5, 0], device.limits[3:5, 1]
    for row in range(6):
        angles = rng.uniform(low, high)
        aimed = shots(tuple(some.position[row, :3]), primary=angles[0], secondary=angles[1], device=device)
        found = tubes_mm(written(tmp_path, aimed, device), tmp_path)
        np.testing.assert_allclose(found, aimed.cameras.source_mm, atol=1e-6)


@pytest.mark.parametrize(
    ("primary", "secondary", "axis", "side"),
    [(30, 0, 0, -1), (-30, 0, 0, 1), (0, 20, 2, -1), (0, -20, 2, 1)],
    ids=["LAO30", "RAO30", "CRA20", "CAU20"],
)
def test_the_tube_faces_the_detector(primary, secondary, axis, side, tmp_path):
    """LAO: detector to the left, tube to the right (-x). CRA: detector to the head, tube to the feet (-z)."""
    shot = shots((5.0, -120.0, -700.0), primary=primary, secondary=secondary)
    tube = tubes_mm(written(tmp_path, shot), tmp_path)[0] - shot.position[0, :3]
    np.testing.assert_allclose(tube, -785.0 * detector_direction(primary, secondary)[0], atol=1e-6)
    assert tube[axis] * side > 100.0
    assert tube[1] > 0.0


def test_skin_dose_is_kerma_times_distance_backscatter_tissue_and_table(tmp_path):
    isocentre_y, k_tab = -140.0, 0.78
    to_skin = 785.0 + isocentre_y + LYING.mattress_mm
    shot = shots((0.0, isocentre_y, -505.0), field_mm=100.0 * 785.0 / to_skin)
    kerma = shot.ka_r_mgy[0] * ((785.0 - 150.0) / to_skin) ** 2
    expected = kerma * BSF_10CM * MU_EN_RATIO
    report = written(tmp_path, shot)
    for phantom in ("plane", "cylinder"):
        found = pyskindose_peak(report, tmp_path, phantom, k_tab=k_tab)
        assert found.peak_mgy == pytest.approx(expected * k_tab, rel=0.05)
        np.testing.assert_allclose(found.peak_mm[[0, 2]], [0.0, -505.0], atol=11.0)
        assert found.peak_mm[1] == pytest.approx(-LYING.mattress_mm, abs=1.0)
    bare = pyskindose_peak(report, tmp_path, "plane", k_tab=1.0)
    assert bare.peak_mgy == pytest.approx(expected, rel=0.05)


def test_kerma_of_both_planes_keeps_its_own_reference_point(tmp_path):
    """Plane B alone and after plane A: its 630 mm to the reference point must not become plane A's 635 mm."""
    both = biplane_drive()
    alone = pyskindose_peak(written(tmp_path, both[[3]]), tmp_path)
    together = pyskindose_peak(written(tmp_path, both), tmp_path)
    only_a = pyskindose_peak(written(tmp_path, both[:3]), tmp_path)
    np.testing.assert_allclose(together.dose_mgy, only_a.dose_mgy + alone.dose_mgy, rtol=1e-9)


def test_an_isocentre_nearer_to_the_head_moves_the_peak_to_the_head(tmp_path):
    below = peak_mm(tmp_path, shots((0.0, -140.0, -605.0)))
    above = peak_mm(tmp_path, shots((0.0, -140.0, -555.0)))
    np.testing.assert_allclose(above - below, [0.0, 0.0, 50.0], atol=1e-6)
    assert below[2] == pytest.approx(-605.0, abs=5.1)


def test_an_isocentre_to_the_left_moves_the_peak_to_the_left(tmp_path):
    middle = peak_mm(tmp_path, shots((0.0, -140.0, -605.0)), phantom="plane")
    left = peak_mm(tmp_path, shots((60.0, -140.0, -605.0)), phantom="plane")
    np.testing.assert_allclose(left - middle, [60.0, 0.0, 0.0], atol=1e-6)


def test_plane_b_enters_on_the_right(tmp_path):
    found = peak_mm(tmp_path, shots((0.0, -140.0, -605.0), plane=1))
    assert found[0] == pytest.approx(-200.0, abs=2.0)
    assert found[1] == pytest.approx(-140.0, abs=15.0)


def test_a_tilt_to_the_head_enters_nearer_to_the_feet(tmp_path):
    level, cranial, caudal = (
        peak_mm(tmp_path, shots((0.0, -140.0, -605.0), secondary=angle))[2] for angle in (0.0, 20.0, -20.0)
    )
    assert cranial < level - 20.0
    assert caudal > level + 20.0
