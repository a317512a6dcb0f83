"""Hounsfield units to two basis materials: a continuous mixture of soft tissue, cortical bone and metal.

At the CT's effective energy (70 keV for 120 kVp) the attenuation is ``mu_water * (1 + HU / 1000)`` by definition of the
Hounsfield unit; the mixture reproduces it exactly and has no jump. Below ``hu_soft`` soft tissue of scaled density,
between ``hu_soft`` and ``hu_bone`` a mixture by volume of soft tissue and cortical bone, then bone of scaled density
up to 3000 HU. Above, a mixture that ends in pure titanium at titanium's Hounsfield unit, and goes on in the same
direction: a metal without K-edge in the beam attenuates like a positive amount of bone and a negative one of soft
tissue. Voxels of solid titanium attenuate within 0.7 % of titanium from 40 to 120 keV, of chromium within 7 %.

ICRU 44 compositions and densities (soft tissue 1.06, cortical bone 1.92 g/cm3); mass attenuation coefficients from
xraydb 4.5.8 (Elam tables, total cross-section with coherent scattering).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError
from carm_env.xray.spectra import mass_attenuation

F64 = NDArray[np.float64]

CT_ENERGY_KEV: float = 70.0
"""Effective energy of a CT at 120 kVp."""
ENERGY_RANGE_KEV = (50.0, 100.0)
"""Effective energies that a CT may be given."""
RHO_SOFT: float = 1.06
"""ICRU 44 soft tissue, g/cm3."""
RHO_BONE: float = 1.92
"""ICRU 44 cortical bone, g/cm3."""

SOFT_COMPOSITION: dict[str, float] = {
    "H": 0.102, "C": 0.143, "N": 0.034, "O": 0.708, "Na": 0.002, "P": 0.003, "S": 0.003, "Cl": 0.002, "K": 0.003,
}  # fmt: skip
"""Mass fractions, ICRU 44."""
BONE_COMPOSITION: dict[str, float] = {
    "H": 0.034, "C": 0.155, "N": 0.042, "O": 0.435, "Na": 0.001, "Mg": 0.002, "P": 0.103, "S": 0.003, "Ca": 0.225,
}  # fmt: skip
"""Mass fractions, ICRU 44."""

HU_METAL: float = 3000.0
"""What is denser is taken for metal."""
RHO_TITANIUM: float = 4.506
"""g/cm3"""
TITANIUM_IN_BASIS: tuple[float, float] = (-3.683, 4.828)
"""g of soft tissue and of bone that attenuate like 1 g of titanium, from 40 to 120 keV (least relative squares)."""


@dataclass(frozen=True)
class Mixture:
    """The mixture of one CT energy. Slopes in g/cm3 per HU.

    Attributes:
        energy_kev: the CT's effective energy.
        mu_soft, mu_bone, mu_water: mass attenuation coefficients there, cm2/g; water has density 1.
        soft_slope, bone_slope: of pure soft tissue and pure bone above -1000 HU.
        hu_soft, hu_bone: Hounsfield units of both at their nominal densities.
        mix_slope: of bone between ``hu_soft`` and ``hu_bone``; metal_slope: of bone above ``HU_METAL``.
    """

    energy_kev: float
    mu_soft: float
    mu_bone: float
    mu_water: float
    soft_slope: float
    bone_slope: float
    hu_soft: float
    hu_bone: float
    mix_slope: float
    metal_slope: float

    @property
    def soft_per_bone(self) -> float:
        """g of soft tissue that attenuate like 1 g of bone at the CT's energy."""
        return self.mu_bone / self.mu_soft

    @property
    def bone_at_metal(self) -> float:
        """Partial density of bone at ``HU_METAL``, g/cm3."""
        return self.bone_slope * (HU_METAL + 1000.0)

    def densities(self, hu: ArrayLike) -> tuple[F64, F64]:
        """Partial densities (soft, bone) in g/cm3 of Hounsfield units of any shape; both 0 at and below -1000 HU.

        Bone is put together of straight lines, soft tissue is what the attenuation lacks then (negative in metal).
        """
        above_air = np.maximum(np.asarray(hu, float) + 1000.0, 0.0)
        h = above_air - 1000.0
        bone = np.minimum(self.mix_slope * (h - self.hu_soft), self.bone_slope * above_air)
        metal = self.bone_at_metal + self.metal_slope * (h - HU_METAL)
        bone = np.maximum(np.maximum(bone, metal), 0.0)
        return self.soft_slope * above_air - self.soft_per_bone * bone, bone

    def attenuation(self, hu: ArrayLike) -> F64:
        """Linear attenuation coefficient at the CT's energy in 1/cm: the Hounsfield unit's definition."""
        return self.mu_water * np.maximum(1.0 + np.asarray(hu, float) / 1000.0, 0.0)


@lru_cache(maxsize=16)
def mixture(energy_kev: float = CT_ENERGY_KEV) -> Mixture:
    """The mixture of a CT's effective energy.

    Raises:
        CarmError: an energy outside ``ENERGY_RANGE_KEV``.
    """
    low, high = ENERGY_RANGE_KEV
    if not low <= energy_kev <= high:
        raise CarmError(f"effective energy of the CT is {energy_kev} keV: want {low:g} to {high:g} keV")
    soft, bone, water = (float(mass_attenuation(name, energy_kev)) for name in ("soft", "bone", "water"))
    soft_slope, bone_slope = water / soft / 1000.0, water / bone / 1000.0
    hu_soft, hu_bone = RHO_SOFT / soft_slope - 1000.0, RHO_BONE / bone_slope - 1000.0
    titanium = RHO_TITANIUM * (TITANIUM_IN_BASIS[0] * soft + TITANIUM_IN_BASIS[1] * bone)
    hu_titanium = 1000.0 * (titanium / water - 1.0)
    metal = RHO_TITANIUM * TITANIUM_IN_BASIS[1] - bone_slope * (HU_METAL + 1000.0)
    return Mixture(
        energy_kev=energy_kev,
        mu_soft=soft,
        mu_bone=bone,
        mu_water=water,
        soft_slope=soft_slope,
        bone_slope=bone_slope,
        hu_soft=hu_soft,
        hu_bone=hu_bone,
        mix_slope=RHO_BONE / (hu_bone - hu_soft),
        metal_slope=metal / (hu_titanium - HU_METAL),
    )
