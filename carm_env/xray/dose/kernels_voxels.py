"""Voxel loops of the dose model (numba): imported only by the functions that call them."""

from __future__ import annotations

import math

import numpy as np

from carm_env.xray.kernels import inline, kernel


@inline
def _gradient(solid, i, j, k, spacing):
    """Gradient per mm at a voxel: differences over two voxels, weighted 1 2 1 across both other axes (Sobel)."""
    gx, gy, gz = 0.0, 0.0, 0.0
    for a in range(-1, 2):
        x = min(max(i + a, 0), solid.shape[0] - 1)
        for b in range(-1, 2):
            y = min(max(j + b, 0), solid.shape[1] - 1)
            for c in range(-1, 2):
                z = min(max(k + c, 0), solid.shape[2] - 1)
                value = solid[x, y, z]
                gx += a * (2 - abs(b)) * (2 - abs(c)) * value
                gy += b * (2 - abs(a)) * (2 - abs(c)) * value
                gz += c * (2 - abs(a)) * (2 - abs(b)) * value
    return gx / spacing[0], gy / spacing[1], gz / spacing[2]


@inline
def _crosses(solid, level, i, j, k, axis):
    """Whether ``level`` lies between a voxel and the next one along an axis."""
    x, y, z = i + (axis == 0), j + (axis == 1), k + (axis == 2)
    if x >= solid.shape[0] or y >= solid.shape[1] or z >= solid.shape[2]:
        return False
    return (solid[i, j, k] > level) != (solid[x, y, z] > level)


@kernel
def count_crossings(solid, level):
    """Pairs of neighbouring voxels between which ``level`` lies."""
    count = 0
    for i in range(solid.shape[0]):
        for j in range(solid.shape[1]):
            for k in range(solid.shape[2]):
                for axis in range(3):
                    if _crosses(solid, level, i, j, k, axis):
                        count += 1
    return count


@kernel
def crossings(solid, level, spacing, out):
    """Where ``level`` lies between neighbouring voxels, into ``out`` [E, 7]: voxel indices (interpolated), unit normal
    towards lower values along the index axes, area in mm2.

    A surface with normal n is crossed ``A |n_i| / (h_j h_k)`` times along axis i, so crossings that count
    ``h_j h_k |n_i|`` each add up to its area A.
    """
    e = 0
    for i in range(solid.shape[0]):
        for j in range(solid.shape[1]):
            for k in range(solid.shape[2]):
                for axis in range(3):
                    if not _crosses(solid, level, i, j, k, axis):
                        continue
                    x, y, z = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    here, there = solid[i, j, k], solid[x, y, z]
                    ax, ay, az = _gradient(solid, i, j, k, spacing)
                    bx, by, bz = _gradient(solid, x, y, z, spacing)
                    gx, gy, gz = ax + bx, ay + by, az + bz
                    size = max(math.sqrt(gx * gx + gy * gy + gz * gz), 1e-12)
                    out[e, 0], out[e, 1], out[e, 2] = i, j, k
                    out[e, axis] += (here - level) / (here - there)
                    out[e, 3], out[e, 4], out[e, 5] = -gx / size, -gy / size, -gz / size
                    out[e, 6] = abs(out[e, 3 + axis]) * spacing[0] * spacing[1] * spacing[2] / spacing[axis]
                    e += 1


@kernel
def label_counts(labels):
    """Voxels per label, [256]."""
    counts = np.zeros(256, np.int64)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            for k in range(labels.shape[2]):
                counts[labels[i, j, k]] += 1
    return counts


@kernel
def label_samples(labels, group, ranks, out):
    """Voxel indices of the members of ``group`` (of a label, -1 for none, [256]) that come at the ranks [G, S] among
    the members of their group in the order of memory, into ``out`` [G, S, 3]; a row's ranks rise, -1 ends it."""
    seen = np.zeros(len(ranks), np.int64)
    taken = np.zeros(len(ranks), np.int64)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            for k in range(labels.shape[2]):
                g = group[labels[i, j, k]]
                if g < 0:
                    continue
                if taken[g] < ranks.shape[1] and seen[g] == ranks[g, taken[g]]:
                    out[g, taken[g], 0], out[g, taken[g], 1], out[g, taken[g], 2] = i, j, k
                    taken[g] += 1
                seen[g] += 1
