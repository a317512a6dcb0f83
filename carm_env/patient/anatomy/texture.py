"""Noise that repeats: tiles for the grain of tissues, and the smooth field that makes a body irregular."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from carm_env.patient.anatomy.kernels import TILE

F32 = NDArray[np.float32]
FINE, FRACTAL, RIDGED = 0, 1, 2
"""Grain of single cells; of many sizes (marbling, parenchyma); of strands (trabeculae, fat septa)."""


@cache
def tiles() -> F32:
    """Periodic noise of mean 0 and standard deviation 1, [3, 64, 64, 64], the same for every patient."""
    rng = np.random.Generator(np.random.Philox(key=0x7E27))
    white = rng.standard_normal((5, TILE, TILE, TILE))
    smooth = [ndimage.gaussian_filter(w, s, mode="wrap") for w, s in zip(white, (0.5, 0.8, 1.6, 3.2, 6.4), strict=True)]
    unit = [s / s.std() for s in smooth]
    fractal = 0.5 * unit[1] + 0.7 * unit[2] + 0.9 * unit[3] + 1.0 * unit[4]
    ridged = -np.abs(unit[2]) - 0.5 * np.abs(unit[1])
    kinds = [unit[0], fractal, ridged]
    return np.stack([(k - k.mean()) / k.std() for k in kinds]).astype(np.float32)


def smooth_field(
    rng: np.random.Generator, extent_mm: NDArray[np.float64], step_mm: float, scales: list[tuple[float, float]]
) -> F32:
    """A smooth random vector field, [I, J, K, 3] on nodes ``step_mm`` apart that cover ``extent_mm`` [3].

    Args:
        scales: (length mm, amplitude mm) of each octave; the field never exceeds twice the sum of amplitudes.
    """
    counts = np.maximum(np.ceil(extent_mm / step_mm).astype(int) + 1, 2)
    field = np.zeros((*counts, 3))
    for length, amplitude in scales:
        sigma = length / step_mm / 2.5
        pad = int(np.ceil(2.0 * sigma))
        coarse = max(1, int(sigma / 2.0))
        shape = (counts + 2 * pad) // coarse + 2
        white = rng.standard_normal((*shape, 3))
        octave = ndimage.gaussian_filter(white, (*([sigma / coarse] * 3), 0.0))
        octave *= amplitude / octave.std()
        nodes = np.meshgrid(*[(np.arange(n) + pad) / coarse for n in counts], indexing="ij")
        for axis in range(3):
            field[..., axis] += ndimage.map_coordinates(octave[..., axis], nodes, order=1, mode="nearest")
    limit = 2.0 * sum(a for _, a in scales)
    return np.clip(field, -limit, limit).astype(np.float32)
