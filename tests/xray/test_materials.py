"""The soft/bone mixture is exact at the CT's energy, continuous and tied to its published ingredients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.xray import materials as m


@given(st.floats(-1024, 20000))
def test_mixture_reproduces_the_hounsfield_definition(hu: float) -> None:
    soft, bone = m.densities(hu)
    assert m.MU_SOFT_CM2G * soft + m.MU_BONE_CM2G * bone == pytest.approx(float(m.attenuation(hu)), abs=1e-13)


@given(st.floats(-1024, 4000))
def test_mixture_has_no_jump(hu: float) -> None:
    below, above = np.array(m.densities(hu - 1e-6)), np.array(m.densities(hu + 1e-6))
    assert np.abs(above - below).max() < 1e-8


def test_knots_are_the_pure_materials() -> None:
    assert pytest.approx(53, abs=0.5) == m.HU_SOFT
    assert pytest.approx(1559, abs=0.5) == m.HU_BONE
    assert np.allclose(m.densities([m.HU_SOFT, m.HU_BONE]), [[m.RHO_SOFT, 0], [0, m.RHO_BONE]])


def test_air_weighs_nothing_and_dense_bone_scales() -> None:
    assert np.array_equal(m.densities([-1000, -1024, -3000]), np.zeros((2, 3)))
    soft, bone = m.densities(3000)
    assert soft == 0 and bone == pytest.approx(m.RHO_BONE * 4000 / (1000 + m.HU_BONE))


def test_coefficients_are_those_of_xraydb() -> None:
    xraydb = pytest.importorskip("xraydb")

    def mu(composition: dict[str, float]) -> float:
        return sum(w * xraydb.mu_elam(element, 1000 * m.CT_ENERGY_KEV) for element, w in composition.items())

    assert mu(m.SOFT_COMPOSITION) == pytest.approx(m.MU_SOFT_CM2G, rel=1e-6)
    assert mu(m.BONE_COMPOSITION) == pytest.approx(m.MU_BONE_CM2G, rel=1e-6)
    assert xraydb.material_mu("H2O", 1000 * m.CT_ENERGY_KEV, 1.0) == pytest.approx(m.MU_WATER_CM2G, rel=1e-4)
