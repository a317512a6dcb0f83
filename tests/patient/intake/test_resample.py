"""Resampling: the same place, no aliasing, bounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.intake.resample import resample
from carm_env.patient.model import Volume


def placed(hu: np.ndarray, spacing: tuple[float, float, float]) -> Volume:
    from scipy.spatial.transform import Rotation

    affine = np.diag([*spacing, 1.0])
    affine[:3, :3] = Rotation.from_euler("xyz", (5, -8, 12), degrees=True).as_matrix() @ affine[:3, :3]
    affine[:3, 3] = [-30.0, 12.0, 400.0]
    return Volume(hu, affine)


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.floats(0.8, 4.0)] * 3), st.floats(0.8, 6.0))
def test_a_ramp_stays_a_ramp_in_space(spacing, new) -> None:
    slope = np.array([2.0, -3.0, 4.0])
    shape = (30, 32, 34)
    volume = placed(np.zeros(shape, np.int16), spacing)
    grid = np.stack(np.indices(shape), axis=-1)
    mm = volume.to_mm(grid) @ slope - volume.to_mm(np.array(shape) / 2) @ slope
    volume = Volume(np.rint(mm).astype(np.int16), volume.affine)
    coarse = resample(volume, new)
    at = np.stack(np.indices(coarse.hu.shape), axis=-1)
    want = coarse.to_mm(at) @ slope - volume.to_mm(np.array(shape) / 2) @ slope
    index = volume.to_index(coarse.to_mm(at))
    reach = np.maximum(1.0, new / volume.spacing_mm) + 1.0
    inside = ((index > reach) & (index < np.array(shape) - 1 - reach)).all(axis=-1)
    if inside.any():
        assert np.abs(coarse.hu - want)[inside].max() < 1.0 + 0.15 * np.abs(slope).sum() * max(new, *spacing)
    np.testing.assert_allclose(coarse.spacing_mm, new)


def test_the_mean_survives_and_stripes_do_not_alias() -> None:
    hu = np.zeros((60, 60, 60), np.int16)
    hu[::2] = 1000
    coarse = resample(Volume(hu, np.eye(4)), 4.0)
    assert np.abs(coarse.hu[1:-1].astype(float) - 500.0).max() < 20.0


def test_the_same_spacing_is_the_same_ct() -> None:
    hu = np.random.default_rng(0).integers(-1000, 1000, (9, 10, 11)).astype(np.int16)
    same = resample(Volume(hu, np.diag([2.0, 2.0, 2.0, 1.0])), 2.0)
    np.testing.assert_array_equal(same.hu, hu)
    np.testing.assert_allclose(same.affine, np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.mark.parametrize("spacing", [0.0, -1.0, 50.0, float("nan")])
def test_a_bad_spacing_is_refused(spacing) -> None:
    with pytest.raises(CarmError, match="want"):
        resample(Volume(np.zeros((5, 5, 5), np.int16), np.eye(4)), spacing)


def test_too_many_voxels_are_refused_before_they_are_made() -> None:
    with pytest.raises(CarmError, match="want at most"):
        resample(Volume(np.zeros((200, 200, 200), np.int16), np.diag([20.0, 20.0, 20.0, 1.0])), 0.5)
