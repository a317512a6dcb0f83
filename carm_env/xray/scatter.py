"""Scatter at the detector: scatter-to-primary ratios and their spread over the field (first version).

The ratios come from the Monte Carlo of the reference (water slabs, 74 to 85 kV, without grid): transport checked by its
backscatter factors, no independent forward measurement exists.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

WATER_PER_SOFT, WATER_PER_BONE = 0.995, 1.529
"""cm of water that attenuate like 1 g/cm2 of soft tissue and of cortical bone at 60 keV."""

THICKNESS_CM = np.array([0.0, 12.0, 16.0, 20.0, 24.0, 28.0])
RADIUS_CM = np.array([0.0, 8.0, 11.0, 15.0, 20.0])
GAP_CM = np.array([5.0, 15.0, 25.0])
SPR = np.array(
    [
        [[0.0] * 5, [0, 1.0, 1.3, 1.7, 1.9], [0, 1.3, 1.8, 2.4, 2.7], [0, 1.7, 2.4, 3.1, 3.7], [0, 2.0, 2.9, 4.0, 4.9],
         [0, 2.4, 3.5, 4.9, 6.1]],
        [[0.0] * 5, [0, 0.43, 0.66, 0.96, 1.3], [0, 0.60, 0.93, 1.4, 1.9], [0, 0.78, 1.2, 1.8, 2.5],
         [0, 0.98, 1.6, 2.4, 3.3], [0, 1.2, 1.9, 3.0, 4.2]],
        [[0.0] * 5, [0, 0.25, 0.39, 0.59, 0.85], [0, 0.35, 0.55, 0.85, 1.2], [0, 0.47, 0.74, 1.2, 1.7],
         [0, 0.59, 0.95, 1.5, 2.2], [0, 0.71, 1.2, 1.9, 2.8]],
    ]
)  # fmt: skip
"""Scatter over primary at the centre, [air gap, thickness, radius of the field at the exit plane]; no field and no
body scatter nothing. Beyond 28 cm the ratio goes on linearly."""

GRID_PRIMARY = 0.70
GRID_SCATTER_OVER_PRIMARY = 0.2
"""Anti-scatter grid: primary transmission, and scatter's transmission over it (real 13:1 to 15:1 grids) [E]."""
SPREAD_CM = 12.0
"""Standard deviation of the scatter's spread in the exit plane: between the two terms of the fitted kernel [E]."""
BODY_CM = 2.0
"""Rays through less water than this count as beside the body when the scattering area is measured [E]."""


def spr_by_thickness(radius_cm: float, gap_cm: float) -> F64:
    """Ratios without grid at each of ``THICKNESS_CM`` for a field radius and an air gap (both clamped), [6]."""
    g = float(np.interp(gap_cm, GAP_CM, np.arange(len(GAP_CM))))
    low = min(int(g), len(GAP_CM) - 2)
    table = SPR[low] + (g - low) * (SPR[low + 1] - SPR[low])
    return np.array([np.interp(radius_cm, RADIUS_CM, row) for row in table])


def spr(curve: F64, thickness_cm: ArrayLike) -> F64:
    """Ratios at water-equivalent thicknesses of any shape, from ``spr_by_thickness``."""
    t = np.asarray(thickness_cm, float)
    slope = (curve[-1] - curve[-2]) / (THICKNESS_CM[-1] - THICKNESS_CM[-2])
    return np.interp(t, THICKNESS_CM, curve) + slope * np.maximum(t - THICKNESS_CM[-1], 0.0)


def _spread_matrix(blocks: int, block_cm: float) -> F64:
    """Gaussian weights between block centres, scaled so that a uniform source keeps its value at the centre."""
    centres = np.arange(blocks) * block_cm
    weights = np.exp(-0.5 * ((centres[:, None] - centres) / SPREAD_CM) ** 2)
    middle = np.exp(-0.5 * ((centres - centres.mean()) / SPREAD_CM) ** 2)
    return weights / middle.sum()


def spread(source: F64, block_cm: tuple[float, float]) -> F64:
    """Spreads a coarse scatter source over the field.

    Args:
        source: primary times local ratio, block means over the field, [B, C].
        block_cm: size of a block in the exit plane (along rows' and columns' axis).
    """
    rows, columns = _spread_matrix(source.shape[0], block_cm[0]), _spread_matrix(source.shape[1], block_cm[1])
    return rows @ source @ columns.T
