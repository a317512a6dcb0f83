"""Means over blocks of voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def block_means(voxels: NDArray[Any], affine: F64, factor: NDArray[np.intp]) -> tuple[NDArray[np.float32], F64]:
    """Means over whole blocks of ``factor`` [3] voxels, and their affine to LPS mm; no copy of the voxels is made.

    Args:
        voxels: [X, Y, Z]; what fills no block at the far ends is left out. affine: [4, 4], of the voxels' centres.
    """
    from carm_env.patient.block_kernels import sum_blocks

    fx, fy, fz = (int(f) for f in factor)
    nx, ny, nz = (n // f for n, f in zip(voxels.shape, (fx, fy, fz), strict=True))
    sums = np.zeros((nx, ny, nz))
    sum_blocks(voxels, fx, fy, fz, sums)
    wide = affine.copy()
    wide[:3, 3] += affine[:3, :3] @ (0.5 * (np.asarray(factor) - 1))
    wide[:3, :3] = affine[:3, :3] * factor
    return (sums / np.prod(factor)).astype(np.float32), wide
