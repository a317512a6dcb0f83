"""What the scanner adds: noise of the right strength where the body is, air untouched, the same on any machine."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest

from carm_env.patient.anatomy import noise
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.style import PARAMETERS, Style

PLAIN = noise.Scanner(
    liver_sd=10.0, streak=0.68, modulation=0.0, slice_mm=0.0, step_mm=0.0, phase=0.3, cupping_hu=0.0, top_hu=16000.0
)
SPACING = 4.0


@pytest.fixture(scope="module")
def body() -> tuple[np.ndarray, np.ndarray]:
    """A cylinder of liver, 300 x 200 mm, that widens to 440 mm in its upper half (shoulders)."""
    hu, labels = np.full((128, 64, 60), -1000, np.int16), np.zeros((128, 64, 60), np.uint8)
    x, y = np.meshgrid(4.0 * np.arange(128) - 254.0, 4.0 * np.arange(64) - 126.0, indexing="ij")
    for half, low, high, name in ((150.0, 5, 30, "liver"), (220.0, 30, 55, "muscle")):
        inside = (x / half) ** 2 + (y / 100.0) ** 2 < 1.0
        hu[inside, low:high], labels[inside, low:high] = 50, LABELS[name]
    return hu, labels


def scanned(body: tuple[np.ndarray, np.ndarray], scanner: noise.Scanner, seed: int = 3) -> np.ndarray:
    hu = body[0].copy()
    noise.scan(hu, body[1], seed, SPACING, scanner)
    return hu


def test_air_stays_air_and_the_mean_stays(body) -> None:
    hu = scanned(body, PLAIN)
    assert (hu[body[1] == 0] == -1000).all()
    assert hu[body[1] > 0].mean() == pytest.approx(50.0, abs=0.3)


def test_the_liver_has_the_asked_noise_and_the_shoulders_more(body) -> None:
    noisy = scanned(body, PLAIN).astype(float) - body[0]
    liver, shoulders = (noisy[body[1] == LABELS[name]].std() for name in ("liver", "muscle"))
    assert liver == pytest.approx(10.0, rel=0.05)
    assert 1.8 < shoulders / liver < 4.0
    steady = scanned(body, replace(PLAIN, modulation=1.0)).astype(float) - body[0]
    assert steady[body[1] == LABELS["muscle"]].std() < 1.5 * liver


def test_noise_is_streaked_from_side_to_side(body) -> None:
    shoulders = scanned(body, PLAIN)[40:88, 20:44, 32:53] - 50.0
    along_x = (shoulders[1:] * shoulders[:-1]).mean() / shoulders.var()
    along_y = (shoulders[:, 1:] * shoulders[:, :-1]).mean() / shoulders.var()
    assert along_x > 0.3
    assert abs(along_y) < 0.15


def test_the_threads_do_not_matter_but_the_seed_does(body) -> None:
    many = scanned(body, PLAIN)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = scanned(body, PLAIN)
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(many, one)
    assert (many != scanned(body, PLAIN, seed=4)).any()


def test_thick_slices_blur_along_z_and_keep_the_mass(body) -> None:
    hu = scanned(body, replace(PLAIN, liver_sd=0.0, slice_mm=10.0, step_mm=8.0))
    line = hu[64, 32].astype(float)
    assert ((line > -900) & (line < 0)).sum() >= 2
    assert (line + 1000.0).sum() == pytest.approx(50 * 1050.0, rel=0.02)
    assert (hu[2] == -1000).all()
    middle = hu[64, 32, 15:50]
    assert (middle == 50).all()


def test_cupping_lowers_the_middle_only(body) -> None:
    hu = scanned(body, replace(PLAIN, liver_sd=0.0, cupping_hu=20.0))
    assert hu[64, 32, 40] < 36
    assert hu[12, 32, 40] > 42


def test_a_short_scale_clips_metal(body) -> None:
    hu = body[0].copy()
    hu[60:64, 30:34, 20:24] = 9000
    noise.scan(hu, body[1], 1, SPACING, replace(PLAIN, top_hu=noise.SHORT_SCALE_HU))
    assert hu.max() == 3071


def test_scanners_differ_and_follow_the_style() -> None:
    drawn = []
    for seed in range(40):
        style = Style({name: seed / 40.0 for name in PARAMETERS})
        drawn.append(noise.draw_scanner(np.random.Generator(np.random.Philox(key=seed)), style))
    assert all(6.0 <= s.liver_sd <= 25.0 for s in drawn)
    assert [s.liver_sd for s in drawn] == sorted(s.liver_sd for s in drawn)
    thick = [s.slice_mm for s in drawn if s.slice_mm]
    assert 10 < len(thick) < 30
    assert min(thick) >= 2.5
    assert max(thick) <= 5.0
