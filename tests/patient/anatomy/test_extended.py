"""Landmarks of extended shapes follow the shape, wherever it is taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import draw_build
from carm_env.patient.anatomy.domes import dome
from carm_env.patient.anatomy.extended import BesideHeart, Middle, Summit
from carm_env.patient.phantom import make_phantom

F64 = NDArray[np.float64]
metres = st.floats(-1000.0, 1000.0)


def cap(peak: tuple[float, float]) -> F64:
    """A paraboloid of 100 x 100 mm with its top at a place."""
    x, y = np.meshgrid(np.arange(-50.0, 51.0, 2.0), np.arange(-50.0, 51.0, 2.0), indexing="ij")
    return np.stack([x, y, -((x - peak[0]) ** 2 + (y - peak[1]) ** 2) / 60.0], axis=-1).reshape(-1, 3)


@settings(max_examples=25, deadline=None)
@given(shift=st.tuples(metres, metres, metres), size=st.floats(0.8, 1.25), side=st.sampled_from([-1.0, 1.0]))
def test_a_dome_moves_with_the_whole_body(shift, size, side) -> None:
    still = dome(draw_build(0), side)

    def move(points: F64) -> F64:
        return points * [size, size, 1.0] + shift

    np.testing.assert_allclose(still.moved(move).point(), move(still.point()), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(peak=st.tuples(st.floats(-30.0, 30.0), st.floats(-30.0, 30.0)))
def test_the_top_of_a_round_cap_is_its_middle(peak) -> None:
    np.testing.assert_allclose(Summit(cap(peak), 5.0).point()[:2], peak, atol=0.3)


def test_a_top_is_sought_beside_the_heart_alone() -> None:
    outline = np.array([[-100.0, -80.0], [100.0, 80.0]])
    flat = np.stack(np.meshgrid(np.arange(-90.0, 91.0, 2.0), np.arange(-70.0, 71.0, 2.0), [0.0]), -1).reshape(-1, 3)
    heart = np.hypot(flat[:, 0], flat[:, 1] + 20.0) < 25.0
    raised = flat + heart[:, None] * [0.0, 0.0, 40.0]
    for side in (-1.0, 1.0):
        point = Summit(raised, 12.0, beside=BesideHeart(side, outline)).point()
        assert side * point[0] > 45.0 and point[2] == 0.0
    with pytest.raises(ValueError, match="no point"):
        Summit(raised[heart], 12.0, beside=BesideHeart(-1.0, outline)).point()


def test_the_middle_of_a_body_weighs_its_volume() -> None:
    body = Middle(np.array([[0.0, 0.0, 0.0], [3.0, 6.0, 9.0]]), np.array([2.0, 1.0]))
    np.testing.assert_allclose(body.point(), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(body.moved(lambda p: 2.0 * p).point(), [2.0, 4.0, 6.0])


@pytest.mark.parametrize("seed", [30, 45])
def test_the_skull_landmark_is_the_centroid_of_the_brain(seed) -> None:
    """Of these two the irregularity takes the undisturbed centroid more than 5 mm away."""
    from carm_env.patient.anatomy.labels import LABELS

    patient = make_phantom(seed, 4.0)
    assert patient.labels is not None
    centroid = patient.volume.to_mm(np.argwhere(patient.labels == LABELS["brain"]).mean(axis=0))
    assert np.linalg.norm(patient.landmarks["skull"] - centroid) < 4.0
