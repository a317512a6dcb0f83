"""Scatter at the detector: two Gaussians whose weight and width depend on thickness and air gap.

The kernels are fitted to a Monte Carlo of water slabs at one beam quality (``benchmarks.scatter_monte_carlo``: 77 kV,
0.6 mm Cu, without grid, scored as energy in caesium iodide), which agrees with an earlier one of 74 to 85 kV within 6
%; no independent measurement exists. A ray's scatter starts from its own primary, with the kernel of its own thickness
and of the gap that this leaves, on a coarse grid over the field; outside of the field nothing scatters. What is met
behind a thicker part of the body than it came from is weakened by that.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

F64 = NDArray[np.float64]

WATER_PER_SOFT, WATER_PER_BONE = 0.995, 1.529
"""cm of water that attenuate like 1 g/cm2 of soft tissue and of cortical bone at 60 keV."""
MU_WATER = 0.2059
"""1/cm at 60 keV, about the mean energy behind a patient: the primary that scatter is set against."""

THICKNESS_CM = np.array([0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0])
GAP_CM = np.array([5.0, 15.0, 25.0, 35.0])
WEIGHT_1, SIGMA_1_CM, WEIGHT_2, SIGMA_2_CM = range(4)
KERNELS = np.array(
    [
        [(0.107, 1.84, 0.366, 6.12), (0.170, 1.82, 0.906, 6.63), (0.220, 1.84, 1.583, 7.16),
         (0.264, 1.87, 2.406, 7.67), (0.307, 1.93, 3.389, 8.17), (0.349, 1.99, 4.555, 8.64),
         (0.388, 2.06, 5.906, 9.06)],
        [(0.030, 1.64, 0.333, 9.58), (0.057, 1.71, 0.799, 10.13), (0.080, 1.79, 1.387, 10.62),
         (0.103, 1.85, 2.117, 11.13), (0.122, 1.93, 2.999, 11.56), (0.136, 1.94, 4.043, 11.95),
         (0.145, 1.95, 5.228, 12.21)],
        [(0.023, 2.16, 0.273, 12.70), (0.045, 2.23, 0.669, 13.29), (0.064, 2.29, 1.178, 13.76),
         (0.084, 2.38, 1.826, 14.33), (0.100, 2.46, 2.638, 14.84), (0.108, 2.40, 3.497, 14.94),
         (0.115, 2.36, 4.600, 15.25)],
        [(0.020, 2.72, 0.221, 14.76), (0.039, 2.77, 0.547, 15.40), (0.056, 2.85, 0.991, 16.13),
         (0.074, 2.95, 1.553, 16.77), (0.090, 3.05, 2.327, 17.65), (0.096, 2.93, 3.017, 17.37),
         (0.105, 2.92, 4.027, 17.81)],
    ]
)  # fmt: skip
"""Weights (scatter over primary of an endless field) and standard deviations in the exit plane of both Gaussians,
[air gap, thickness from 4 cm on, 4]. Beyond 28 cm the weights grow by ``GROWTH``, other gaps are clamped."""
GROWTH = 0.06
"""Relative growth of the weights a cm beyond 28 cm: that from 24 to 28 cm, goes on."""
PASSED, SPARED_CM = 0.105, 2.0
"""Attenuation, 1/cm, of scatter by what the body is thicker where it is met than where it started, less ``SPARED_CM``:
fitted to cylinders and spheres of 12 to 30 cm in the same Monte Carlo, which are met within 9 %. Without it a sphere
of 24 cm has 1.9 times its scatter."""


def kernels_at(gap_cm: float) -> F64:
    """Kernels at each of ``THICKNESS_CM`` but the first, [7, 4]: no body scatters nothing.

    Args:
        gap_cm: from the body's middle to the detector. A body of thickness t leaves half of it less.
    """
    found = np.empty((len(THICKNESS_CM) - 1, 4))
    for k, thickness in enumerate(THICKNESS_CM[1:]):
        g = float(np.interp(gap_cm - 0.5 * thickness, GAP_CM, np.arange(len(GAP_CM))))
        low = min(int(g), len(GAP_CM) - 2)
        found[k] = KERNELS[low, k] + (g - low) * (KERNELS[low + 1, k] - KERNELS[low, k])
    return found


@lru_cache(maxsize=512)
def _spread_matrix(blocks: int, block_in_sigma: float) -> F64:
    """Share of a Gaussian that starts in one block (column) and is met at the centre of another (row), [B, B]."""
    edges = (np.arange(2 * blocks) - (blocks - 0.5)) * block_in_sigma
    shares = np.diff(ndtr(edges))
    row, column = np.meshgrid(np.arange(blocks), np.arange(blocks), indexing="ij")
    return shares[row - column + blocks - 1]


def spread(source: F64, block_cm: tuple[float, float], sigma_cm: float) -> F64:
    """Spreads a coarse source over the field.

    Args:
        source: block means over the field, [B, C].
        block_cm: sides of a block in the exit plane (along rows' and columns' axis).
    """
    rows, columns = (
        _spread_matrix(n, round(side / sigma_cm, 3)) for n, side in zip(source.shape, block_cm, strict=True)
    )
    return np.asarray(rows @ source @ columns.T)


def haze(layers: F64, thickness_cm: F64, block_cm: tuple[float, float], kernel: F64) -> F64:
    """Scatter over the field, relative to the open beam, before the grid, [B, C].

    Args:
        layers: block means of primary times thickness hat functions, [8, B, C]: layer k holds what stands for
            ``THICKNESS_CM[k]`` (their sum over k is the primary, beyond 28 cm times the growth of the weights).
        thickness_cm: block means, [B, C]. What starts in a thin place and is met behind a thicker one has passed part
            of that; the last layer, of any thickness, has not.
        kernel: of ``kernels_at``.
    """
    out = np.zeros(thickness_cm.shape)
    for layer, row, started_cm in zip(layers[1:], kernel, [*THICKNESS_CM[1:-1], np.inf], strict=True):
        if layer.any():
            met = row[WEIGHT_1] * spread(layer, block_cm, row[SIGMA_1_CM])
            met += row[WEIGHT_2] * spread(layer, block_cm, row[SIGMA_2_CM])
            out += met * np.exp(-PASSED * np.maximum(thickness_cm - started_cm - SPARED_CM, 0.0))
    return out
