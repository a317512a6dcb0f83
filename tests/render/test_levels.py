"""Coarser levels: chosen only where pixels are larger, and then as good as the CT against the mean over a pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render.levels import FULL, LARGEST_PART, coarser, footprints_mm, level_of
from carm_env.render.numba_renderer import NumbaRenderer
from tests.render.conftest import centred

SIZE, FINER = (40, 32), 8


@pytest.fixture(scope="module")
def fine() -> Patient:
    """A noisy ellipse with ribs and a spine, 0.8 x 0.8 x 2 mm."""
    shape, spacing = (250, 180, 60), (0.8, 0.8, 2.0)
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    radius = np.hypot(x / 92, y / 66)
    hu = np.where(radius < 1, 40.0, -1000.0)
    hu[(np.abs(radius - 0.9) < 0.04) & ((z / 18 + y / 40) % 1 < 0.5)] = 700
    hu[np.hypot(x, y - 40) < 14] = 350
    hu[np.abs(np.hypot(x, y - 40) - 14) < 1.2] = 1100
    hu += np.random.default_rng(1).normal(0, 60, shape) * (hu > -900)
    smooth = np.round(gaussian_filter(hu, (0.7, 0.7, 0.3))).astype(np.int16)
    return Patient("fine", Volume(smooth, centred(spacing, shape)))


def views(pitch_mm: float) -> Cameras:
    return cone_beam([[4.0, -3, 2], [4.0, -3, 2]], [12, 97], [9, -7], 800, 1200, pitch_mm)


def test_a_level_is_as_good_as_the_ct_against_the_mean_over_a_pixel(fine: Patient) -> None:
    pitch = 3.6
    exact = NumbaRenderer(coarse_levels=False)
    rows, columns = SIZE
    many = exact.render([fine] * 2, views(pitch / FINER), (FINER * rows, FINER * columns))
    area = many.reshape(2, 2, rows, FINER, columns, FINER).mean((3, 5))
    level, point = (r.render([fine] * 2, views(pitch), SIZE) for r in (NumbaRenderer(), exact))

    def error(images: np.ndarray) -> float:
        return float(100 * np.abs(images.sum(1) - area.sum(1)).mean() / area.sum(1).mean())

    assert not np.array_equal(level, point), "a level was chosen"
    assert error(level) <= 0.3 and error(level) <= 1.3 * error(point)
    assert level[:, 1].mean() == pytest.approx(area[:, 1].mean(), rel=0.02)


def test_small_pixels_see_the_ct_itself(fine: Patient) -> None:
    two = [r.render([fine] * 2, views(2.0), SIZE) for r in (NumbaRenderer(), NumbaRenderer(coarse_levels=False))]
    assert np.array_equal(*two)


def test_a_frame_has_its_level_whatever_its_batch(fine: Patient) -> None:
    cameras = cone_beam(np.zeros((3, 3)), [0, 30, 90], 0, 800, 1200, [2.0, 4.0, 2.0])
    together = NumbaRenderer().render([fine] * 3, cameras, SIZE)
    for row in range(3):
        assert np.array_equal(NumbaRenderer().render([fine], cameras[[row]], SIZE)[0], together[row])


@given(st.tuples(*[st.floats(0.3, 5)] * 3), st.floats(0.1, 20))
def test_voxels_of_a_level_are_as_large_as_may_be_and_no_larger(
    spacing: tuple[float, float, float], footprint: float
) -> None:
    for side, factor in zip(spacing, level_of(np.array(spacing), footprint), strict=True):
        assert factor == 1 or factor * side <= LARGEST_PART * footprint * (1 + 1e-9)
        assert 2 * factor * side > LARGEST_PART * footprint * (1 - 1e-9)


def test_footprints_are_those_in_the_middle_of_the_body(fine: Patient) -> None:
    cameras = cone_beam([[0, 0, 0], [0, 0, 0], [0, 100, 0], [0, 0, 300]], [0, 40, 0, 0], [0, 30, 0, 45], 800, 1200, 3)
    assert footprints_mm(fine.volume, cameras) == pytest.approx([2.0, 2.0, 2.25, 2.0], abs=1e-2)


@pytest.mark.parametrize("factors", [(2, 2, 1), (4, 2, 2), (1, 1, 4)])
def test_means_keep_their_place_and_mass(fine: Patient, factors: tuple[int, int, int]) -> None:
    level = coarser(fine.volume, factors)
    assert np.allclose(level.spacing_mm, fine.volume.spacing_mm * factors)
    assert np.allclose(level.to_mm([-0.5] * 3), fine.volume.to_mm([-0.5] * 3))
    mass = [(v.hu.clip(-1000) + 1000.0).sum() * np.prod(v.spacing_mm) for v in (level, fine.volume)]
    assert mass[0] == pytest.approx(mass[1], rel=2e-3)


def test_a_level_of_single_voxels_is_the_ct() -> None:
    volume = Volume(np.arange(-1000, -1000 + 120, dtype=np.int16).reshape(4, 5, 6), np.eye(4))
    assert np.array_equal(coarser(volume, FULL).hu, volume.hu)
