"""The mixture is exact at the CT's energy, continuous and tied to its published ingredients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.xray import materials, spectra
from carm_env.xray.materials import mixture

ENERGIES = st.sampled_from([62.0, 66.0, 70.0, 74.0, 78.0])


@given(st.floats(-1024, 30000), ENERGIES)
def test_mixture_reproduces_the_hounsfield_definition(hu: float, energy_kev: float) -> None:
    mix = mixture(energy_kev)
    soft, bone = mix.densities(hu)
    assert mix.mu_soft * soft + mix.mu_bone * bone == pytest.approx(float(mix.attenuation(hu)), abs=1e-12)


@given(st.floats(-1024, 30000), ENERGIES)
def test_mixture_has_no_jump(hu: float, energy_kev: float) -> None:
    mix = mixture(energy_kev)
    below, above = np.array(mix.densities(hu - 1e-6)), np.array(mix.densities(hu + 1e-6))
    assert np.abs(above - below).max() < 1e-8


@pytest.mark.parametrize(("energy_kev", "hu_bone"), [(62, 1844), (66, 1687), (70, 1559), (74, 1454), (78, 1368)])
def test_knots_are_the_pure_materials_at_every_energy(energy_kev: float, hu_bone: float) -> None:
    """HU of cortical bone by energy: reference physics, section 4.1."""
    mix = mixture(energy_kev)
    assert mix.hu_bone == pytest.approx(hu_bone, abs=1)
    assert mix.hu_soft == pytest.approx(53, abs=2)
    expected = [[materials.RHO_SOFT, 0], [0, materials.RHO_BONE]]
    np.testing.assert_allclose(mix.densities([mix.hu_soft, mix.hu_bone]), expected, atol=1e-12)


def test_air_weighs_nothing_and_dense_bone_scales() -> None:
    mix = mixture()
    assert np.array_equal(mix.densities([-1000, -1024, -3000]), np.zeros((2, 3)))
    soft, bone = mix.densities(3000)
    assert soft == pytest.approx(0, abs=1e-12)
    assert bone == pytest.approx(materials.RHO_BONE * 4000 / (1000 + mix.hu_bone))


@pytest.mark.parametrize(("element", "density", "tolerance"), [("Ti", 4.506, 0.007), ("Cr", 7.19, 0.07)])
def test_metal_attenuates_like_metal_at_every_energy_of_the_beam(element: str, density: float, tolerance: float):
    """A voxel of solid metal: from its Hounsfield unit to attenuation at 40 to 120 keV, against xraydb."""
    pytest.importorskip("xraydb", reason="xraydb gives the metal's attenuation")
    from carm_env.xray.make_tables import ENERGY_KEV, mass_attenuation_of

    mix, metal = mixture(), density * mass_attenuation_of({element: 1.0})
    at_70 = np.exp(np.interp(np.log(70.0), np.log(ENERGY_KEV), np.log(metal)))
    soft, bone = mix.densities(1000.0 * (at_70 / mix.mu_water - 1.0))
    ours = soft * spectra.mass_attenuation("soft") + bone * spectra.mass_attenuation("bone")
    beam = (ENERGY_KEV >= 40) & (ENERGY_KEV <= 120)
    np.testing.assert_allclose(ours[beam], metal[beam], rtol=tolerance)


def test_bone_of_metal_s_density_would_be_far_too_transparent() -> None:
    """What the metal branch is for: at 55 keV titanium attenuates a quarter more than bone of its Hounsfield unit."""
    mix = mixture()
    soft, bone = mix.densities(11527.0)
    as_metal = soft * spectra.mass_attenuation("soft", 55.0) + bone * spectra.mass_attenuation("bone", 55.0)
    as_bone = mix.bone_slope * 12527.0 * spectra.mass_attenuation("bone", 55.0)
    assert as_metal / as_bone > 1.2


def test_coefficients_are_those_of_xraydb() -> None:
    xraydb = pytest.importorskip("xraydb")

    def mu(composition: dict[str, float]) -> float:
        return sum(w * xraydb.mu_elam(element, 1000 * materials.CT_ENERGY_KEV) for element, w in composition.items())

    assert mu(materials.SOFT_COMPOSITION) == pytest.approx(mixture().mu_soft, rel=1e-4)
    assert mu(materials.BONE_COMPOSITION) == pytest.approx(mixture().mu_bone, rel=1e-4)
    assert xraydb.material_mu("H2O", 1000 * materials.CT_ENERGY_KEV, 1.0) == pytest.approx(mixture().mu_water, rel=1e-4)


@pytest.mark.parametrize("energy_kev", [0.0, 49.9, 100.1, -70.0, float("nan")])
def test_an_impossible_ct_energy_is_refused_by_value(energy_kev: float) -> None:
    with pytest.raises(CarmError, match=f"{energy_kev} keV: want 50 to 100 keV"):
        mixture(energy_kev)
