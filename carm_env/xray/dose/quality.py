"""What skin dose needs to know of a beam quality: half-value layer, backscatter, tissue to air ratio, transmission.

Backscatter: Benmakhlouf, Fransson and Andreo 2013, Phys Med Biol 58:247 (doi 10.1088/0031-9155/58/2/247), equation 8:
a polynomial in tube voltage and half-value layer for five square fields, 50 to 150 kV. Ratio of mass energy-absorption
coefficients of water to air, taken for skin: a fit to table 2 of the same paper, 50 to 120 kV, all fields, to 0.5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carm_env.xray import lookup, spectra

F64 = NDArray[np.float64]

BACKSCATTER_STEP_CM = 0.5
"""Step of ``Quality.backscatter`` along the side of the field."""
_SIDES_CM = (5.0, 10.0, 20.0, 25.0, 35.0)
_POLYNOMIAL = np.array(
    [
        [[1.0087, 0.929969, 0.865442, 0.858665, 0.857065],
         [2.35816e-3, 4.08549e-3, 5.36739e-3, 5.51579e-3, 5.55933e-3],
         [-9.48937e-6, -1.66271e-5, -2.21494e-5, -2.27532e-5, -2.28004e-5]],
        [[0.103143, 0.153605, 0.172418, 0.170826, 0.166418],
         [-1.04881e-3, -1.45187e-3, -1.46088e-3, -1.3854e-3, -1.2818e-3],
         [3.59731e-6, 5.05312e-6, 5.1743e-6, 4.91192e-6, 4.53036e-6]],
        [[-7.31303e-3, -9.32427e-3, -8.30138e-3, -7.6433e-3, -6.81574e-3],
         [7.93272e-5, 9.40568e-5, 7.13576e-5, 6.13126e-5, 4.94197e-5],
         [-2.74296e-7, -3.28449e-7, -2.54885e-7, -2.21399e-7, -1.79074e-7]],
    ]
)  # fmt: skip
"""[power of the half-value layer, power of the tube voltage, side]."""
_MEDIUM = (1.0031, 1.97e-4, -1.15e-4, 2.92e-4)
"""Constant, per kV, per mm Al of half-value layer, per its square."""
_MOST_HVL_MM = 30.0


@dataclass(frozen=True, eq=False)
class Quality:
    """A beam quality.

    Attributes:
        hvl_mm_al: half-value layer of the air kerma, mm of aluminium.
        backscatter: factor at field sides of 0, ``BACKSCATTER_STEP_CM``, ... 35 cm, [71]; 1 at 0.
        medium: mass energy-absorption coefficient of water (for skin) over that of air.
        values: the table of ``lookup.BeamTable``.
    """

    hvl_mm_al: float
    backscatter: F64
    medium: float
    values: NDArray[np.float32]


@lru_cache(maxsize=256)
def quality(kv: float, cu_mm: float, al_mm: float) -> Quality:
    """The quality of a tube voltage and added filters, kept for the last 256.

    Raises:
        CarmError: tube voltage or filter outside the spectra.
    """
    hvl = hvl_mm_al(kv, cu_mm, al_mm)
    values = lookup.beam_table(kv, cu_mm, al_mm).values
    return Quality(hvl, _backscatter_curve(kv, hvl), medium_ratio(kv, hvl), values)


def hvl_mm_al(kv: float, cu_mm: float, al_mm: float) -> float:
    """Thickness of aluminium that halves the air kerma, mm.

    Raises:
        CarmError: tube voltage or filter outside the spectra.
    """
    from scipy.optimize import brentq

    kerma = spectra.spectrum(kv, cu_mm, al_mm) * spectra.kerma_weights()
    kerma /= kerma.sum()
    per_mm = spectra.mass_attenuation("al") * spectra.RHO_AL / 10.0
    return float(brentq(lambda mm: kerma @ np.exp(-per_mm * mm) - 0.5, 0.0, _MOST_HVL_MM, xtol=1e-6))


def backscatter_factors(kv: float, hvl_mm: float) -> F64:
    """Backscatter factors of square fields of 5, 10, 20, 25 and 35 cm side, [5]."""
    return np.asarray(np.einsum("i,j,ijs->s", hvl_mm ** np.arange(3), kv ** np.arange(3), _POLYNOMIAL))


def medium_ratio(kv: float, hvl_mm: float) -> float:
    """Mass energy-absorption coefficient of water over that of air, in the beam with its backscatter."""
    return float(_MEDIUM[0] + _MEDIUM[1] * kv + _MEDIUM[2] * hvl_mm + _MEDIUM[3] * hvl_mm**2)


def _backscatter_curve(kv: float, hvl_mm: float) -> F64:
    """Backscatter factor over the side of the field: monotone cubics through 1 at 0 and the tabulated sides."""
    from scipy.interpolate import PchipInterpolator

    nodes = np.arange(0.0, _SIDES_CM[-1] + 0.5 * BACKSCATTER_STEP_CM, BACKSCATTER_STEP_CM)
    curve = PchipInterpolator([0.0, *_SIDES_CM], [1.0, *backscatter_factors(kv, hvl_mm)])
    return np.asarray(curve(nodes), np.float64)
