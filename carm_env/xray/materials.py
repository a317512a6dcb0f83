"""Hounsfield units to two basis materials: a continuous mixture of soft tissue and cortical bone.

At the CT's effective energy (70 keV for 120 kVp) the attenuation is ``mu_water * (1 + HU / 1000)`` by definition of the
Hounsfield unit; the mixture reproduces it exactly and has no jump. Below ``HU_SOFT`` soft tissue of scaled density,
between ``HU_SOFT`` and ``HU_BONE`` a mixture by volume of soft tissue and cortical bone, above ``HU_BONE`` bone of
scaled density. ICRU 44 compositions and densities (soft tissue 1.06, cortical bone 1.92 g/cm3); mass attenuation
coefficients from xraydb 4.5.8 (Elam tables, total cross-section with coherent scattering).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]

CT_ENERGY_KEV: float = 70.0
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

MU_SOFT_CM2G: float = 0.1916077231267895
MU_BONE_CM2G: float = 0.257047372596667
MU_WATER_CM2G: float = 0.1928530729061148
"""Mass attenuation coefficients at ``CT_ENERGY_KEV``, cm2/g; water has density 1."""

SOFT_SLOPE: float = MU_WATER_CM2G / MU_SOFT_CM2G / 1000.0
"""g/cm3 of pure soft tissue per HU above -1000."""
BONE_SLOPE: float = MU_WATER_CM2G / MU_BONE_CM2G / 1000.0
"""g/cm3 of pure bone per HU above -1000."""
HU_SOFT: float = RHO_SOFT / SOFT_SLOPE - 1000.0
"""HU of soft tissue at its nominal density (53.2)."""
HU_BONE: float = RHO_BONE / BONE_SLOPE - 1000.0
"""HU of cortical bone at its nominal density (1559.1)."""
MIX_SOFT_SLOPE: float = -RHO_SOFT / (HU_BONE - HU_SOFT)
MIX_BONE_SLOPE: float = RHO_BONE / (HU_BONE - HU_SOFT)
"""g/cm3 per HU between ``HU_SOFT`` and ``HU_BONE``."""


def densities(hu: ArrayLike) -> tuple[F64, F64]:
    """Partial densities (soft, bone) in g/cm3 of Hounsfield units of any shape; both 0 at and below -1000 HU.

    Each material is the smaller of two straight lines, clipped at 0, so a kernel needs no branch.
    """
    h = np.asarray(hu, float)
    soft = np.minimum(SOFT_SLOPE * (h + 1000.0), MIX_SOFT_SLOPE * (h - HU_BONE))
    bone = np.minimum(MIX_BONE_SLOPE * (h - HU_SOFT), BONE_SLOPE * (h + 1000.0))
    return np.maximum(soft, 0.0), np.maximum(bone, 0.0)


def attenuation(hu: ArrayLike) -> F64:
    """Linear attenuation coefficient at ``CT_ENERGY_KEV`` in 1/cm: the Hounsfield unit's definition."""
    return MU_WATER_CM2G * np.maximum(1.0 + np.asarray(hu, float) / 1000.0, 0.0)
