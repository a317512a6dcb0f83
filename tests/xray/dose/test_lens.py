"""Where the lenses are, and what a lateral exposure of the head does to them."""

from dataclasses import replace

import numpy as np

from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.lens import lens_points
from carm_env.xray.dose.points import point_doses
from tests.xray.dose.bodies import DEVICE, IN_PLACE, irradiations

CONFIG = DoseConfig()


def _without(patient, labels=True, targets=()):
    kept = {name: point for name, point in patient.targets.items() if name not in targets}
    return replace(patient, labels=patient.labels if labels else None, targets=kept)


def _lens_mgy(patient, exposures):
    grid = body_grid(patient)
    return point_doses(lens_points(patient, CONFIG), exposures, grid, IN_PLACE, DEVICE, 0.0, CONFIG)


def test_labels_and_targets_agree(phantom):
    truth = np.stack([phantom.targets[f"{side}_eye_lens"] for side in ("left", "right")])
    np.testing.assert_allclose(lens_points(phantom, CONFIG), truth, atol=4.0)
    np.testing.assert_array_equal(lens_points(_without(phantom, labels=False), CONFIG), truth)


def test_lenses_are_placed_from_the_sella_or_the_skull_within_2_cm(phantom):
    truth = lens_points(phantom, CONFIG)
    eyes = ("left_eye_lens", "right_eye_lens")
    for gone in (eyes, (*eyes, "sella")):
        np.testing.assert_allclose(lens_points(_without(phantom, False, gone), CONFIG), truth, atol=20.0)


def test_a_patient_without_a_head_has_no_lenses(phantom):
    headless = replace(phantom, labels=None, targets={}, landmarks={"T1": phantom.landmarks["T1"]})
    assert np.isnan(lens_points(headless, CONFIG)).all()


def test_the_lens_towards_the_tube_gets_more_and_outside_the_field_both_less(phantom):
    middle = lens_points(phantom, CONFIG).mean(axis=0)
    across = _lens_mgy(phantom, irradiations(middle, (90.0, 0.0), 150.0))
    left, right = across.inside_mgy.sum(axis=(0, 1))
    assert right > 1.5 * left > 0.0
    assert across.outside_mgy.sum() == 0.0
    below = _lens_mgy(phantom, irradiations(middle - (0.0, 0.0, 110.0), (90.0, 0.0), 150.0))
    assert below.inside_mgy.sum() == 0.0
    assert np.all(below.outside_mgy.sum(axis=(0, 1)) < [left, right])
    assert np.all(below.outside_mgy.sum(axis=(0, 1)) > 0.0)


def test_a_beam_from_the_back_spares_the_lenses(phantom):
    middle = lens_points(phantom, CONFIG).mean(axis=0)
    back, front = (_lens_mgy(phantom, irradiations(middle, (a, 0.0), 150.0)).mgy.sum(axis=(0, 1)) for a in (0.0, 180.0))
    assert np.all(front > 5.0 * back)
