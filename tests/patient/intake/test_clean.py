"""Cleaning: the couch goes, the patient stays, padding becomes air."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.intake.clean import AIR_HU, clean_padding, remove_table
from carm_env.patient.load import load_patient
from carm_env.patient.model import Volume


@pytest.mark.parametrize("seed", [1, 8])
def test_the_couch_goes_and_the_patient_stays(seed) -> None:
    patient = load_patient(f"phantom:{seed}")
    before, labels = np.array(patient.volume.hu), np.asarray(patient.labels)
    after, note = remove_table(Volume(before.copy(), patient.volume.affine))
    couch = (labels == LABELS["table"]) & (before > -850)
    body = (labels > 0) & ~np.isin(labels, [LABELS["table"], LABELS["device"]]) & (before > -700)
    assert np.count_nonzero(couch) > 1000
    assert (after.hu[couch] == AIR_HU).mean() > 0.95
    assert (after.hu[body] == before[body]).mean() > 0.9995
    assert "ml outside the patient" in note


def test_a_ct_without_a_couch_is_left_almost_as_it_is() -> None:
    patient = load_patient("phantom:0")
    after, _ = remove_table(Volume(np.array(patient.volume.hu), patient.volume.affine))
    tissue = np.asarray(patient.volume.hu) > -300
    assert (after.hu[tissue] == patient.volume.hu[tissue]).mean() > 0.998


def test_hands_apart_from_the_body_stay_and_bars_without_bone_go() -> None:
    x, y, z = np.indices((100, 80, 60))
    hu = np.full(x.shape, -1000, np.int16)
    hu[(x - 50) ** 2 + (y - 40) ** 2 < 20**2] = 40
    arm = (x - 85) ** 2 + (y - 40) ** 2 < 8**2
    hu[arm] = 40
    hu[(x - 85) ** 2 + (y - 40) ** 2 < 3**2] = 700
    bar = (x - 10) ** 2 + (y - 40) ** 2 < 6**2
    hu[bar & (z > 20)] = 60
    after, _ = remove_table(Volume(hu.copy(), np.diag([3.0, 3.0, 3.0, 1.0])))
    assert (after.hu[arm] == hu[arm]).all()
    assert (after.hu[bar] == AIR_HU).all()


@pytest.mark.parametrize("value", [0, 500, -800])
def test_padding_outside_the_field_of_view_becomes_air_and_tissue_of_that_value_stays(value) -> None:
    x, y, _ = np.indices((60, 60, 8))
    radius = np.hypot(x - 29.5, y - 29.5)
    hu = np.full(x.shape, -1000, np.int16)
    hu[radius < 15] = value
    hu[radius > 29] = value
    after, note = clean_padding(Volume(hu.copy(), np.eye(4)))
    assert (after.hu[radius > 29] == AIR_HU).all()
    assert (after.hu[radius < 15] == value).all()
    assert f"padding of {value} HU" in note


def test_air_in_the_corners_is_no_padding() -> None:
    hu = np.full((20, 20, 5), -1000, np.int16)
    hu[5:15, 5:15] = 30
    after, note = clean_padding(Volume(hu.copy(), np.eye(4)))
    np.testing.assert_array_equal(after.hu, hu)
    assert note == ""
