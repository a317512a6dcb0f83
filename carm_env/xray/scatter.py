"""Scatter at the detector: two Gaussians whose weight and width depend on thickness and air gap.

The kernels were fitted to the reference's Monte Carlo (water slabs, 74 to 85 kV, without grid, scored as energy in
caesium iodide): transport checked by its backscatter factors, no independent forward measurement exists. A ray's
scatter starts from its own primary times its thickness's weight, on a coarse grid over the field; outside the field
nothing scatters.
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

THICKNESS_CM = np.array([0.0, 12.0, 16.0, 20.0, 24.0, 28.0])
GAP_CM = np.array([5.0, 15.0, 25.0])
WEIGHT_1, SIGMA_1_CM, WEIGHT_2, SIGMA_2_CM = range(4)
KERNELS = np.array(
    [
        [(0, 4.1, 0, 10.7), (0.77, 4.1, 1.41, 10.7), (1.15, 4.0, 2.02, 10.9), (1.27, 3.9, 3.12, 11.2),
         (1.27, 3.7, 4.60, 11.4), (1.56, 4.0, 6.16, 12.1)],
        [(0, 2.1, 0, 13.3), (0.12, 2.1, 1.72, 13.3), (0.17, 2.4, 2.58, 13.7), (0.20, 2.4, 3.65, 13.9),
         (0.26, 2.6, 5.01, 14.6), (0.26, 2.7, 6.52, 14.8)],
        [(0, 2.6, 0, 16.9), (0.08, 2.6, 1.53, 16.9), (0.11, 2.7, 2.415, 17.2), (0.14, 2.8, 3.30, 17.5),
         (0.155, 2.85, 4.645, 18.0), (0.17, 2.9, 5.99, 18.5)],
    ]
)  # fmt: skip
"""Weights (scatter over primary of an endless field) and standard deviations in the exit plane of both Gaussians,
[air gap, thickness, 4]; no body scatters nothing. At a gap of 25 cm the values of 16 and 24 cm are means of their
neighbours'; those of 12 cm at a gap of 5 cm are fitted anew to the Monte Carlo's ratios, which the published kernel
misses by 13 %. Beyond 28 cm the weights go on linearly, other gaps are clamped."""


def kernels_at(gap_cm: float) -> F64:
    """Kernels of an air gap at each of ``THICKNESS_CM``, [6, 4]."""
    g = float(np.interp(gap_cm, GAP_CM, np.arange(len(GAP_CM))))
    low = min(int(g), len(GAP_CM) - 2)
    return KERNELS[low] + (g - low) * (KERNELS[low + 1] - KERNELS[low])


def width_at(kernel: F64, thickness_cm: float) -> tuple[float, float]:
    """Standard deviations of both Gaussians at a thickness (``kernel``: of ``kernels_at``), cm."""
    one, two = (float(np.interp(thickness_cm, THICKNESS_CM, kernel[:, i])) for i in (SIGMA_1_CM, SIGMA_2_CM))
    return one, two


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


def haze(layers: F64, block_cm: tuple[float, float], kernel: F64, mean_cm: float, full: bool) -> F64:
    """Scatter over the field, relative to the open beam, before the grid, [B, C].

    Args:
        layers: block means of primary times thickness hat functions, [6, B, C]: layer k holds what stands for
            ``THICKNESS_CM[k]`` (their sum over k is the primary; beyond 28 cm the last layer exceeds it).
        kernel: of ``kernels_at``; mean_cm: mean thickness of the body in the field.
        full: every layer spreads with its own widths; else all with those of ``mean_cm``.
    """
    out = np.zeros(layers.shape[1:])
    for weight, sigma in ((WEIGHT_1, SIGMA_1_CM), (WEIGHT_2, SIGMA_2_CM)):
        if full:
            for layer, row in zip(layers[1:], kernel[1:], strict=True):
                out += row[weight] * spread(layer, block_cm, row[sigma])
        else:
            source = np.tensordot(kernel[:, weight], layers, 1)
            out += spread(source, block_cm, width_at(kernel, mean_cm)[0 if weight == WEIGHT_1 else 1])
    return out
