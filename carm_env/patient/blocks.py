"""Means over blocks of voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def block_means(voxels: NDArray[Any], affine: F64, factor: NDArray[np.intp]) -> tuple[NDArray[np.float32], F64]:
    """Means over whole blocks of ``factor`` [3] voxels, and their affine to LPS mm; slab by slab, to spare memory.

    Args:
        voxels: [X, Y, Z]; what fills no block at the far ends is left out. affine: [4, 4], of the voxels' centres.
    """
    fx, fy, fz = (int(f) for f in factor)
    nx, ny, nz = (n // f for n, f in zip(voxels.shape, (fx, fy, fz), strict=True))
    means = np.empty((nx, ny, nz), np.float32)
    for k in range(nz):
        slab = voxels[: nx * fx, : ny * fy, k * fz : (k + 1) * fz].mean(axis=2, dtype=np.float32)
        means[:, :, k] = slab.reshape(nx, fx, ny, fy).mean(axis=(1, 3))
    wide = affine.copy()
    wide[:3, 3] += affine[:3, :3] @ (0.5 * (np.asarray(factor) - 1))
    wide[:3, :3] = affine[:3, :3] * factor
    return means, wide
