"""The Monte Carlo of water slabs: nothing is lost, and what is known otherwise comes out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.slab_fields import BACKSCATTER_CM, Found, beam_on, inside_share, model_beside, model_build_up, simulate
from benchmarks.slab_fit import AXIS, EDGE, fit
from benchmarks.slab_transport import DEPTH_CM, RING_CM, RINGS, pencil
from benchmarks.water_photons import Water
from carm_env.xray import spectra
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.quality import backscatter_factors, quality

pytest.importorskip("xraydb")
PHOTONS = 60_000


@pytest.fixture(scope="module")
def medium() -> Water:
    from benchmarks.water_photons import water

    return water()


def line(medium: Water, kev: float) -> np.ndarray:
    """A spectrum of one energy bin."""
    return (np.abs(medium.energy_kev - kev) < 0.5).astype(float)


@pytest.mark.parametrize("kev", [20.5, 60.5, 110.5])
def test_what_enters_is_deposited_or_leaves(medium, kev) -> None:
    tally = pencil(line(medium, kev), 16.0, medium, PHOTONS, seed=3)
    incident, deposited, escaped = tally.energy
    assert incident == pytest.approx(PHOTONS * kev)
    assert deposited + escaped == pytest.approx(incident, rel=1e-9)
    assert 0.99 * deposited < tally.dose.sum() <= deposited * (1.0 + 1e-9)


@pytest.mark.parametrize("kev", [30.5, 60.5, 100.5])
def test_untouched_photons_fall_off_exponentially(medium, kev) -> None:
    tally = pencil(line(medium, kev), 20.0, medium, PHOTONS, seed=5)
    left = 1.0 - np.cumsum(tally.first) / PHOTONS
    depth = DEPTH_CM * np.arange(1, 21)
    expected = np.exp(-float(np.interp(kev, medium.energy_kev, medium.attenuation)) * depth)
    np.testing.assert_array_less(np.abs(left - expected), 4.5 * np.sqrt(expected * (1.0 - expected) / PHOTONS) + 1e-9)


def test_attenuation_is_that_of_the_spectra_s_tables(medium) -> None:
    np.testing.assert_allclose(medium.attenuation, spectra.mass_attenuation("water"), rtol=1e-6)


def test_energy_that_water_takes_up_is_the_published_one(medium) -> None:
    """NIST (Hubbell and Seltzer 1996) at 30, 60 and 100 keV."""
    found = np.interp([30.0, 60.0, 100.0], medium.energy_kev, medium.absorbed)
    np.testing.assert_allclose(found, [0.1557, 0.0319, 0.02546], rtol=0.02)


@pytest.fixture(scope="module")
def found(medium) -> Found:
    return simulate(beam_on(80.0, 0.3, 16.0, medium), medium, 10 * PHOTONS)


def test_backscatter_is_the_published_one_within_3_percent(found) -> None:
    published = backscatter_factors(80.0, quality(80.0, 0.3, 0.0).hvl_mm_al)
    assert len(published) == len(BACKSCATTER_CM)
    np.testing.assert_allclose(found.backscatter.mean(axis=0), published, rtol=0.03)


def test_build_up_and_dose_beside_the_field_fall_as_they_must(found) -> None:
    mean = {side: b.mean(axis=0) for side, b in found.build_up.items()}
    for smaller, larger in pairwise(sorted(mean)):
        assert np.all(mean[smaller][:12] < mean[larger][:12])
    assert np.all(np.diff([found.beside[10.0, apart].mean() for apart in (0.5, 1.0, 2.0, 5.0, 8.0)]) < 0.0)


@settings(max_examples=15, deadline=None)
@given(st.floats(3.0, 30.0), st.floats(0.0, 20.0))
def test_shares_of_rings_add_up_to_the_field(side, at) -> None:
    area = np.pi * np.diff((RING_CM * np.arange(RINGS + 1)) ** 2)
    assert inside_share(side, at) @ area == pytest.approx(side**2, rel=0.02)


def test_the_fit_finds_the_constants_that_made_the_tables(found) -> None:
    made = DoseConfig(
        buildup_per_cm_gcm2=0.02, buildup_field_cm=60.0, edge_share=0.4, edge_efold_mm=30.0, edge_efold_mm_per_gcm2=1.0
    )
    build_up = {side: model_build_up(found.beam, side, made)[None] for side in found.build_up}
    beside = {key: model_beside(found.beam, *key, made)[None] for key in found.beside}
    fitted = fit([Found(found.beam, 1, 0.0, build_up, beside, found.backscatter)], DoseConfig())
    for name in (*AXIS, *EDGE):
        assert getattr(fitted, name) == pytest.approx(getattr(made, name), rel=0.01), name
