"""Exact distances of segments from segments and boxes, compiled (importing this module imports numba)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _clip01(t: float) -> float:
    return min(max(t, 0.0), 1.0)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def segment_segment_mm(a: F64, b: F64, c: F64, d: F64) -> float:
    """Least distance of segments ab and cd, end points [3] each; either may be a point.

    The squared distance is a convex quadratic in both parameters: solve for the lines, clip one parameter, solve for
    the other, clip it and solve for the first again.
    """
    pp = pq = qq = pr = qr = 0.0
    for i in range(3):
        p, q, r = b[i] - a[i], d[i] - c[i], a[i] - c[i]
        pp += p * p
        pq += p * q
        qq += q * q
        pr += p * r
        qr += q * r
    s = t = 0.0
    if pp > 1e-12:
        determinant = pp * qq - pq * pq
        s = _clip01((pq * qr - qq * pr) / determinant) if determinant > 1e-12 * pp * qq else 0.0
    if qq > 1e-12:
        t = _clip01((pq * s + qr) / qq)
    if pp > 1e-12:
        s = _clip01((pq * t - pr) / pp)
    squared = 0.0
    for i in range(3):
        gap = (a[i] + s * (b[i] - a[i])) - (c[i] + t * (d[i] - c[i]))
        squared += gap * gap
    return math.sqrt(squared)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def segment_box_mm(a: F64, b: F64, low: F64, high: F64) -> float:
    """Least distance of segment ab from an axis-parallel box, corners [3] each; 0 where they meet.

    The squared distance along the segment is convex with a piecewise linear derivative, whose zero is bisected.
    """
    left, right = 0.0, 1.0
    for _ in range(40):
        t = 0.5 * (left + right)
        slope = 0.0
        for i in range(3):
            x = a[i] + t * (b[i] - a[i])
            slope += (x - min(max(x, low[i]), high[i])) * (b[i] - a[i])
        if slope > 0:
            right = t
        else:
            left = t
    t = 0.5 * (left + right)
    squared = 0.0
    for i in range(3):
        x = a[i] + t * (b[i] - a[i])
        gap = x - min(max(x, low[i]), high[i])
        squared += gap * gap
    return math.sqrt(squared)
