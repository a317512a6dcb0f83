"""The transport behind the scatter kernels: what is known without it comes out of it."""

import numpy as np
import pytest

from benchmarks import scatter_monte_carlo as program
from benchmarks.scatter_transport import RINGS, SHAPES, SLAB, disc_scatter, pencil_rings
from benchmarks.water_photons import water
from carm_env.xray import spectra
from carm_env.xray.lookup import absorption

pytest.importorskip("xraydb", reason="xraydb gives the cross sections")


def shot(shape: int, photons: int = 60_000, seed: int = 1):
    beam, planes = spectra.spectrum(77.0, 0.6), np.array([20.0, 35.0])
    return disc_scatter(beam, shape, 16.0, 20.0, planes, 4.0, water(), absorption(), photons, seed)


@pytest.mark.parametrize("shape", range(len(SHAPES)), ids=SHAPES)
def test_scatter_thins_out_behind_a_longer_gap(shape):
    energy, counts = shot(shape)
    assert counts[0] > counts[1] > 50
    assert energy[0] > energy[1] > 0


def test_a_seed_gives_the_same_photons():
    np.testing.assert_array_equal(shot(SLAB)[0], shot(SLAB)[0])
    assert shot(SLAB)[0][0] != shot(SLAB, seed=2)[0][0]


def test_rings_of_a_pencil_are_a_field_s_disc():
    """By reciprocity a disc in the middle of a field sees what a pencil brings to the field: ratios of both agree."""
    planes, photons = np.array([8.0 + 15.0]), 400_000
    args = spectra.spectrum(77.0, 0.6), 16.0, planes, water(), absorption()
    rings = pencil_rings(*args, photons, 3)
    assert rings.shape == (1, RINGS)
    inside = np.cumsum(rings[0])[round(20.0 / np.sqrt(np.pi) / 0.5) - 1]
    energy, counts = disc_scatter(args[0], SLAB, 16.0, 20.0, planes, 1.5, args[3], args[4], photons, 4)
    assert energy[0] == pytest.approx(inside, rel=4 / np.sqrt(counts[0]) + 0.06)


def test_a_kernel_is_found_again_from_its_ratios():
    kernel = np.array([0.12, 1.9, 3.0, 11.5])
    radius = (np.arange(RINGS) + 1) * 0.5
    found, worst = program.fit(program.within(kernel, radius))
    np.testing.assert_allclose(found, kernel, rtol=1e-3)
    assert worst < 1e-4


def test_primary_falls_as_the_spectrum_is_attenuated():
    thin, thick = program.primary(1.0), program.primary(2.0)
    assert program.primary(0.0) > thin > thick
    assert thick / thin > thin / program.primary(0.0), "a hardened beam is attenuated less"
