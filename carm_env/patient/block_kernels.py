"""The loop behind ``blocks`` (numba): imported only by the function that calls it."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def sum_blocks(voxels, fx, fy, fz, sums):
    """Adds the voxels of each block of (fx, fy, fz) to ``sums`` [X // fx, Y // fy, Z // fz]."""
    for i in range(sums.shape[0] * fx):
        for j in range(sums.shape[1] * fy):
            line, row = voxels[i, j], sums[i // fx, j // fy]
            for k in range(sums.shape[2]):
                total = 0.0
                for m in range(k * fz, (k + 1) * fz):
                    total += line[m]
                row[k] += total
