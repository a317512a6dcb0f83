"""The joint Gaussian: conditioning, judging, and its committed file."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.patient.estimate.detect import consistent
from carm_env.patient.estimate.landmarks import NAMES
from carm_env.patient.estimate.prior import POSTURES, Sighting, prior


def sight(name: str, at: np.ndarray, source: str, sd: float = 3.0) -> Sighting:
    return Sighting(name, np.asarray(at, float), np.full(3, sd), source)


@pytest.mark.parametrize("posture", POSTURES)
def test_every_landmark_is_in_the_file_and_its_covariance_is_sound(posture: str) -> None:
    belief = prior(posture)
    assert set(NAMES) <= set(belief.names)
    assert np.linalg.eigvalsh(belief.cov).min() > 0.0


def test_what_is_seen_is_believed_and_tells_of_its_neighbours() -> None:
    before, shift = prior("raised"), np.array([100.0, -50.0, 700.0])
    after = before.given([sight(n, before.at(n) + shift, n) for n in ("T12", "L5", "skull")])
    np.testing.assert_allclose(after.at("T12"), before.at("T12") + shift, atol=1.0)
    np.testing.assert_allclose(after.at("T1"), before.at("T1") + shift, atol=3.0)
    assert np.linalg.norm(after.sd("T1")) < 30.0 < np.linalg.norm(before.sd("T1"))


def test_an_axis_that_is_not_told_is_not_taken() -> None:
    belief = prior("raised").given([sight("T12", np.zeros(3), "spine")])
    told = Sighting("T1", np.array([0.0, 500.0, 250.0]), np.array([3.0, np.inf, 3.0]), "lungs")
    np.testing.assert_allclose(belief.given([told]).at("T1")[1], belief.at("T1")[1], atol=15.0)


def test_a_sighting_that_all_others_contradict_is_dropped() -> None:
    belief = prior("raised")
    good = [sight(n, belief.at(n), n) for n in ("skull", "carina", "T12", "L5")]
    bad = sight("left_femoral_head", belief.at("left_femoral_head") + np.array([0.0, 0.0, 150.0]), "femoral_head")
    kept = consistent([*good, bad], "raised")
    assert [s.name for s in kept] == [s.name for s in good]


def test_sides_are_apart_along_the_axis_of_the_patients_left() -> None:
    for posture in POSTURES:
        for name in ("femoral_head", "iliac_crest", "scapula", "humeral_head"):
            assert prior(posture).at(f"left_{name}")[0] > prior(posture).at(f"right_{name}")[0] + 100.0
