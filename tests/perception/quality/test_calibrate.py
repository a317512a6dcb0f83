"""Calibration recovers what is wrong with answers, and its radii cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from carm_env.errors import CarmError
from perception.quality.calibrate import (
    GROUPS,
    LEVELS,
    TARGET,
    Calibration,
    calibrate,
    calibrated,
    coverage,
    expected_calibration_error,
)
from tests.perception.quality.synthetic import answers


@pytest.mark.parametrize("wrong", [(2.0, 0.5), (1.0, 3.0)])
def test_a_known_over_confidence_is_found(wrong):
    fitted = calibrate(answers(wrong=wrong))
    for group, factor in zip(GROUPS, wrong, strict=True):
        assert fitted.variance[group] == pytest.approx([factor**2] * 2, rel=0.1)


@pytest.mark.parametrize("sharp", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(sharp):
    fitted = calibrate(answers(sharp=sharp))
    assert fitted.nearest_temperature == pytest.approx(sharp, rel=0.1)
    assert fitted.visible_temperature == pytest.approx(sharp, rel=0.1)


def test_calibrated_answers_need_no_calibration():
    raw = answers(wrong=(2.0, 3.0), sharp=2.0)
    again = calibrate(calibrated(raw, calibrate(raw)))
    assert again.nearest_temperature == pytest.approx(1.0, rel=1e-2)
    assert again.visible_temperature == pytest.approx(1.0, rel=1e-2)
    assert all(again.variance[g] == pytest.approx([1.0, 1.0]) for g in GROUPS)


@pytest.mark.parametrize("tails", [3.0, np.inf])
def test_radii_cover_their_level_on_fresh_answers(tails):
    fitted = calibrate(answers(wrong=(2.0, 0.7), tails=tails))
    fresh = coverage(calibrated(answers(seed=1, wrong=(2.0, 0.7), tails=tails), fitted), fitted)
    for group in GROUPS:
        for level in LEVELS:
            assert fresh[group]["inside"][str(level)] == pytest.approx(level, abs=0.025)


def test_gaussian_radii_are_those_of_a_gaussian():
    fitted = calibrate(answers(8000))
    for group in GROUPS:
        assert fitted.radius[group] == pytest.approx(np.sqrt(-2 * np.log(1 - np.array(LEVELS))), rel=0.04)


def test_a_group_without_views_gets_a_gaussians_radii():
    logits = np.full((4000, 21), 3.0)
    fitted = calibrate(answers(visible=logits))
    assert fitted.radius["inferred"] == pytest.approx([2.146, 2.448], abs=1e-3)
    assert fitted.variance["inferred"] == [1.0, 1.0]
    assert fitted == Calibration.of(fitted.record())


def test_landmarks_far_away_and_unknown_points_do_not_count():
    base = answers()
    true = base.true_mm.copy()
    true[::2, :TARGET] = np.nan
    true[1::4, 5] += 5000.0
    fitted = calibrate(answers(true_mm=true))
    assert all(np.isfinite(fitted.variance[g]).all() for g in GROUPS)
    assert fitted.variance["found"][1] == pytest.approx(1.0, rel=0.05)


def test_factors_go_to_target_and_landmarks_by_group():
    made = Calibration(variance={"found": [2.0, 3.0], "inferred": [5.0, 7.0]})
    logits = np.array([[1.0] * 10 + [-1.0] * 10 + [1.0], [-1.0] * 21])
    factors = made.factors(logits)
    assert factors[0].tolist() == [3.0] * 10 + [7.0] * 10 + [2.0]
    assert factors[1].tolist() == [7.0] * 20 + [5.0]


def test_too_few_views_are_refused():
    with pytest.raises(CarmError, match="99 views are too few"):
        calibrate(answers(99))


def test_a_record_comes_back():
    fitted = calibrate(answers(500))
    assert Calibration.of(fitted.record()) == fitted
    assert Calibration.of({}) == Calibration()


@pytest.mark.parametrize(
    "change",
    [
        {"nearest_temperature": 0.0}, {"nearest_temperature": -1.0}, {"visible_temperature": float("nan")},
        {"visible_temperature": float("inf")}, {"nearest_temperature": None}, {"nearest_temperature": "1"},
        {"nearest_temperature": 10**400}, {"variance": {}}, {"variance": {"found": [1.0, 1.0]}}, {"variance": [1, 2]},
        {"variance": {"found": "12", "inferred": "34"}}, {"variance": {"found": [1.0, 2.0, 3.0], "inferred": [1.0]}},
        {"variance": {"found": [1.0, -1.0], "inferred": [1.0, 1.0]}}, {"unknown": 1.0}, {"radius": None},
        {"radius": {"found": 2.0, "inferred": [1.0, 1.0]}},
        {"radius": {"found": [[1.0], 1.0], "inferred": [1.0, 1.0]}},
    ],
)  # fmt: skip
def test_nonsense_is_refused(change):
    with pytest.raises(CarmError, match="cannot be used"):
        Calibration.of({**Calibration().record(), **change})


@pytest.mark.parametrize("record", [None, [], [1], "x", 7])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(CarmError, match="cannot be used"):
        Calibration.of(record)


def test_calibration_error_by_hand():
    certain = np.array([20.0, 20.0, -20.0, -20.0])
    assert expected_calibration_error(certain, np.array([True, True, False, False])) == pytest.approx(0.0, abs=1e-6)
    assert expected_calibration_error(certain, np.array([True, False, False, False])) == pytest.approx(0.25, abs=1e-6)
    even = np.zeros(10)
    assert expected_calibration_error(even, np.arange(10) < 8) == pytest.approx(0.3)


def test_calibration_error_of_true_probabilities_is_small():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 50_000)
    truth = rng.random(50_000) < expit(logits)
    assert expected_calibration_error(logits, truth) < 0.01
    assert expected_calibration_error(3 * logits, truth) > 0.1
