"""A dose report, as PySkinDose reads it, and the simulator's own account of the same exposures."""

import numpy as np
import pytest

from carm_env.sim.nominal import MATTRESS_MM
from carm_env.xray import lookup
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.report import dose_report
from tests.episode.dicom.shots import BIPLANE, STUDY, shots
from tests.xray.dose.bodies import IN_PLACE, cylinder, skin_map

pytest.importorskip("pyskindose", reason="pyskindose reads the report and computes skin dose")
from carm_env.episode.dicom.dose_report import write_dose_report
from tests.episode.dicom.skin_oracle import LYING, pyskindose_peak

TABLE_GCM2 = 1.2
KV, CU_MM = 80.0, 0.6
HEAD_MM = -100.0
"""z of the last isocentre; the drive comes from the feet."""


@pytest.fixture(scope="module")
def lying():
    """The cylinder that ``LYING`` is, as a CT."""
    rx, ry = LYING.radii_mm
    return cylinder(rx, ry, 1100.0, (2.5, 2.5, 10.0), (0.0, -MATTRESS_MM - ry, HEAD_MM - 400.0))


@pytest.fixture(scope="module")
def drive():
    """Step by step from the pelvis to the head, fields overlapping, then both planes at the target."""
    z = np.linspace(-880.0, HEAD_MM, 9)
    way = [(10.0, -150.0, v) for v in z] + [(0.0, -150.0, HEAD_MM)] * 2
    return shots(*way, plane=[0] * 10 + [1], kv=KV, cu_mm=CU_MM, field_mm=180.0, ka_r_mgy=0.006)


def transmission():
    slab = np.zeros((1, 2, 1, 1), np.float32)
    slab[0, 0] = TABLE_GCM2
    return lookup.evaluate(lookup.beam_table(KV, CU_MM), slab, lookup.KERMA).item()


def test_peak_skin_dose_of_a_drive_is_ours_within_5_percent_and_in_the_same_place(lying, drive, tmp_path):
    report = write_dose_report(tmp_path / "dose.dcm", drive, BIPLANE, STUDY)
    theirs = pyskindose_peak(report, tmp_path, "cylinder", k_tab=transmission())
    ours = skin_map(lying, drive, TABLE_GCM2)
    assert ours.peak_mgy == pytest.approx(theirs.peak_mgy, rel=0.05)
    place = ours.peak().point_mm
    assert place[1] == pytest.approx(theirs.peak_mm[1], abs=10.0)
    nearest = np.linalg.norm(theirs.cells_mm - place, axis=1).argmin()
    assert theirs.dose_mgy[nearest] == pytest.approx(ours.peak_mgy, rel=0.06)


def test_reference_kerma_and_area_product_of_the_report_are_the_simulator_s(lying, drive, tmp_path):
    import pydicom
    from pyskindose.rdsr_parser import rdsr_parser

    report = write_dose_report(tmp_path / "dose.dcm", drive, BIPLANE, STUDY)
    events = rdsr_parser(pydicom.dcmread(report), silence_pydicom_warnings=True)
    np.testing.assert_allclose(events.DoseRP_Gy * 1e3, drive.ka_r_mgy, rtol=1e-9)
    total = dose_report(drive, lying, IN_PLACE, BIPLANE, TABLE_GCM2, DoseConfig()).parts["total"]
    assert events.DoseRP_Gy.sum() * 1e3 == pytest.approx(total.ka_r_mgy, rel=1e-9)
