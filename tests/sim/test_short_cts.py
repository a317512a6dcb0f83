"""CTs that do not hold the whole drive: placed by what they show, started inside, and said so."""

from dataclasses import replace

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.load import load_patient
from carm_env.patient.model import Patient, Volume
from carm_env.sim import episode_setup, nominal
from tests.sim.drive import PATIENT, simulator


def cropped(low_mm: float, high_mm: float) -> Patient:
    """The quick phantom between two heights (LPS z), with the points that remain inside."""
    whole = load_patient(PATIENT)
    first, last = (round(float(k)) for k in whole.volume.to_index([[0, 0, low_mm], [0, 0, high_mm]])[:, 2])
    affine = whole.volume.affine.copy()
    affine[:3, 3] = whole.volume.to_mm([0, 0, first])

    def inside(points):
        return {name: point for name, point in points.items() if low_mm < point[2] < high_mm}

    volume = Volume(np.ascontiguousarray(whole.volume.hu[:, :, first : last + 1]), affine)
    return Patient(f"cut-{first}-{last}", volume, inside(whole.landmarks), inside(whole.targets), whole.demographics)


@pytest.fixture
def use(monkeypatch):
    """Makes a simulator over a patient, lying exactly where expected."""

    def make(patient: Patient, **config):
        monkeypatch.setattr(episode_setup, "load_patient", lambda _: patient)
        monkeypatch.setattr(episode_setup.nominal, "PLACEMENT_SD_MM", (0.0, 0.0, 0.0))
        monkeypatch.setattr(episode_setup.nominal, "PLACEMENT_YAW_SD_DEG", 0.0)
        sim = simulator(**config)
        sim.reset([1])
        return sim

    return make


def test_a_ct_without_a_head_is_placed_by_its_hips(use):
    whole = load_patient(PATIENT)
    hip, chest = whole.landmarks["right_femoral_head"], whole.landmarks["carina"]
    sim = use(cropped(hip[2] - 120, chest[2] + 60), target_mm=tuple(map(float, chest)))
    setup = sim.setups[0]
    d = whole.demographics
    z = setup.patient_to_table.points(hip[None])[0, 2]
    assert z == pytest.approx(nominal.groin_mm(d.height_cm, d.sex)[2], abs=15)
    assert any("femoral heads" in line for line in sim.messages())


def test_a_ct_that_ends_above_the_groin_starts_at_its_end_and_says_so(use):
    chest = load_patient(PATIENT).landmarks["carina"]
    patient = cropped(chest[2] - 200, load_patient(PATIENT).volume.z_range_mm()[1])
    sim = use(patient)
    setup = sim.setups[0]
    low, _ = patient.volume.z_range_mm()
    start = setup.patient_to_table.inverse().points(sim.result.position[:1, :3])[0]
    assert start[2] == pytest.approx(low + 50, abs=1e-6)
    assert setup.start_moved_mm > 100
    assert any("start was moved" in line for line in sim.messages())


def test_a_ct_without_the_target_is_refused(use):
    whole = load_patient(PATIENT)
    hip, chest = whole.landmarks["right_femoral_head"], whole.landmarks["carina"]
    with pytest.raises(CarmError, match=r"no target 'sella'.*task\.target_mm"):
        use(cropped(hip[2] - 120, chest[2]))


def test_a_ct_of_a_few_slices_is_refused(use):
    chest = load_patient(PATIENT).landmarks["carina"]
    patient = cropped(chest[2] - 30, chest[2] + 30)
    with pytest.raises(CarmError, match="60 mm long"):
        use(replace(patient, targets={"sella": chest}))
