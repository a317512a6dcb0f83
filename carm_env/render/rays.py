"""Bundles of rays: a tile of the detector, described by where its rays cross the planes of one index axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

OPTIONS: Any = {"cache": True, "fastmath": True, "error_model": "numpy", "nogil": True}
INLINE: Any = {"fastmath": True, "error_model": "numpy", "nogil": True, "forceinline": True}

# A bundle of n rays: rows of n float32. Position in plane i is (P0 + i PS, Q0 + i QS); the ray lives from BEGIN to END.
P0, PS, Q0, QS, BEGIN, END, CM = range(7)
ROWS = 7

STEEPEST = 1.25
"""Voxels that a ray may move across from plane to plane before its bundle is split by axes."""


@njit(**INLINE)
def _to_pixel(r, height, source, pixel, down, right):
    i, j = r % height, r // height
    return (
        pixel[0] + i * down[0] + j * right[0] - source[0],
        pixel[1] + i * down[1] + j * right[1] - source[1],
        pixel[2] + i * down[2] + j * right[2] - source[2],
    )


@njit(**INLINE)
def _steepest(direction):
    x, y, z = abs(direction[0]), abs(direction[1]), abs(direction[2])
    if z > x and z > y:
        return 2
    return 0 if x >= y else 1


@njit(**OPTIONS)
def common_axis(n, height, source, pixel, down, right):
    """The axis along which the whole bundle can run, or -1."""
    axis = _steepest(_to_pixel(n // height // 2 * height + height // 2, height, source, pixel, down, right))
    for r in (0, height - 1, n - height, n - 1):
        d = _to_pixel(r, height, source, pixel, down, right)
        if STEEPEST * abs(d[axis]) < max(abs(d[0]), abs(d[1]), abs(d[2])):
            return -1
    return axis


@njit(**INLINE)
def _length(affine, d):
    x = affine[0, 0] * d[0] + affine[0, 1] * d[1] + affine[0, 2] * d[2]
    y = affine[1, 0] * d[0] + affine[1, 1] * d[1] + affine[1, 2] * d[2]
    z = affine[2, 0] * d[0] + affine[2, 1] * d[1] + affine[2, 2] * d[2]
    return np.sqrt(x * x + y * y + z * z)


@njit(**OPTIONS)
def set_rays(rays, n, height, source, pixel, down, right, affine, a, p, q, all_of_them):
    """Describes the rays of a bundle by their crossings of the planes of axis ``a``; those that run more steeply along
    another axis are left out, unless ``all_of_them`` are wanted. False without any."""
    rays[: ROWS * n] = 0.0
    found = False
    for r in range(n):
        d = _to_pixel(r, height, source, pixel, down, right)
        if not all_of_them and (_steepest(d) != a or d[a] == 0.0):
            continue
        found = True
        inverse = 1.0 / d[a]
        rays[PS * n + r] = d[p] * inverse
        rays[QS * n + r] = d[q] * inverse
        rays[P0 * n + r] = source[p] - source[a] * d[p] * inverse
        rays[Q0 * n + r] = source[q] - source[a] * d[q] * inverse
        rays[BEGIN * n + r] = min(source[a], source[a] + d[a])
        rays[END * n + r] = max(source[a], source[a] + d[a])
        rays[CM * n + r] = 0.1 * _length(affine, d) * abs(inverse)
    return found


@njit(**OPTIONS)
def _clip(start, slope, limit, low, high):
    """The part of [low, high] in which ``start + i slope`` lies within [0, limit]."""
    if slope == 0.0:
        return (low, high) if 0.0 <= start <= limit else (1.0, 0.0)
    one, two = -start / slope, (limit - start) / slope
    return max(low, min(one, two)), min(high, max(one, two))


@njit(**OPTIONS)
def planes(rays, n, a, shape, p_max, q_max):
    """First and last plane to sample for what a bundle crosses of the box, and whether no ray ends within that."""
    first, last, whole = np.inf, -np.inf, True
    for r in range(n):
        if rays[CM * n + r] == 0.0:
            continue
        low, high = (-np.inf, np.inf) if a == 2 else (0.0, shape[a] - 1.0)
        low, high = _clip(rays[P0 * n + r], rays[PS * n + r], p_max, low, high)
        if a == 2:
            low, high = _clip(rays[Q0 * n + r], rays[QS * n + r], q_max, low, high)
        begin, end = rays[BEGIN * n + r], rays[END * n + r]
        if low > high or low > end or high < begin:
            continue
        whole = whole and begin < low and high < end
        first, last = min(first, max(low, begin)), max(last, min(high, end))
    if first > last:
        return 0, -1, True
    return int(np.floor(first)), int(np.ceil(last)), whole


@njit(**OPTIONS)
def footprint(rays, n, height, start, first, last, limit):
    """Lowest and highest voxel that rays of a whole bundle touch between two planes, along ``start``'s axis (``P0`` or
    ``Q0``): rays lie between the bundle's corners, and positions are clamped to [0, limit]."""
    low, high = np.inf, -np.inf
    for r in (0, height - 1, n - height, n - 1):
        at, slope = rays[start * n + r], rays[(start + 1) * n + r]
        one, two = at + first * slope, at + last * slope
        low, high = min(low, min(one, two)), max(high, max(one, two))
    limit = float(limit)
    return int(min(max(low, 0.0), limit)), int(min(max(high, 0.0), limit)) + 1
