"""Signed distances (mm, about) from points to implicit shapes, as numba functions of a shape's row of numbers."""

from __future__ import annotations

import numpy as np
from numba import njit

CAPSULE, SUPERQUADRIC, TRIANGLE, LOFT, BALLOON, PLANE, SURFACE = 0, 1, 2, 3, 4, 5, 6
FAR_PLATE_MM = 14.0
"""Distance from a plate's plane above which no nearer estimate is needed."""


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _capsule(px, py, pz, s):
    """About the distance (mm) to a round-ended cone: a xyz, b xyz, radius at a and b, flat axis xyz, flatness."""
    dx, dy, dz = s[12] - s[9], s[13] - s[10], s[14] - s[11]
    wx, wy, wz = px - s[9], py - s[10], pz - s[11]
    t = (wx * dx + wy * dy + wz * dz) / (dx * dx + dy * dy + dz * dz + 1e-12)
    t = min(1.0, max(0.0, t))
    ex, ey, ez = wx - t * dx, wy - t * dy, wz - t * dz
    r = s[15] + t * (s[16] - s[15])
    flat = s[20]
    if flat == 1.0:
        return np.sqrt(ex * ex + ey * ey + ez * ez) - r
    e = ex * s[17] + ey * s[18] + ez * s[19]
    q = ex * ex + ey * ey + ez * ez - e * e
    g = np.sqrt(q + flat * flat * e * e)
    slope = np.sqrt(q + flat**4 * e * e) / max(g, 1e-6)
    return (g - r) / max(1.0, slope)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _own_axes(px, py, pz, s):
    """A point in a shape's axes: centre, local x and y axis."""
    wx, wy, wz = px - s[9], py - s[10], pz - s[11]
    x = wx * s[12] + wy * s[13] + wz * s[14]
    y = wx * s[15] + wy * s[16] + wz * s[17]
    z = (
        wx * (s[13] * s[17] - s[14] * s[16])
        + wy * (s[14] * s[15] - s[12] * s[17])
        + wz * (s[12] * s[16] - s[13] * s[15])
    )
    return x, y, z


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _superquadric(px, py, pz, s):
    """First-order distance to ((x/a)^2 + (y/b)^2)^(n/2) + |z/c|^n = 1: centre, local x and y axis, a b c, n."""
    x, y, z = _own_axes(px, py, pz, s)
    a, b, c, n = s[18], s[19], s[20], s[21]
    gx, gy, gz = x / (a * a), y / (b * b), z / (c * c)
    q, w = x * gx + y * gy, z * gz
    least = min(a, min(b, c))
    if n == 2.0:
        g = np.sqrt(q + w)
        slope = np.sqrt(gx * gx + gy * gy + gz * gz) / max(g, 1e-6)
    else:
        u, v = q ** (0.5 * n), w ** (0.5 * n)
        g = (u + v) ** (1.0 / n)
        k = g ** (1.0 - n)
        ku, kv = k * u / max(q, 1e-9), k * v / max(w, 1e-9)
        slope = np.sqrt(ku * ku * (gx * gx + gy * gy) + kv * kv * gz * gz)
    return (g - 1.0) / max(slope, 0.2 / least) if g > 0.3 else -0.7 * least


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _triangle(px, py, pz, s):
    """Distance to a triangle a, b, c less a radius interpolated from its corners (a rounded plate); s[21:24] is its
    unit normal, by which far points are told at once."""
    level = abs((px - s[9]) * s[21] + (py - s[10]) * s[22] + (pz - s[11]) * s[23]) - max(s[18], max(s[19], s[20]))
    if level > FAR_PLATE_MM:
        return level
    abx, aby, abz = s[12] - s[9], s[13] - s[10], s[14] - s[11]
    acx, acy, acz = s[15] - s[9], s[16] - s[10], s[17] - s[11]
    wx, wy, wz = px - s[9], py - s[10], pz - s[11]
    d00 = abx * abx + aby * aby + abz * abz
    d01 = abx * acx + aby * acy + abz * acz
    d11 = acx * acx + acy * acy + acz * acz
    d20 = wx * abx + wy * aby + wz * abz
    d21 = wx * acx + wy * acy + wz * acz
    det = d00 * d11 - d01 * d01 + 1e-12
    u, v = (d11 * d20 - d01 * d21) / det, (d00 * d21 - d01 * d20) / det
    if u < 0.0 or v < 0.0 or u + v > 1.0:
        best = 1e30
        for edge in range(3):
            if edge == 0:
                t = min(1.0, max(0.0, d20 / (d00 + 1e-12)))
                eu, ev = t, 0.0
            elif edge == 1:
                t = min(1.0, max(0.0, d21 / (d11 + 1e-12)))
                eu, ev = 0.0, t
            else:
                t = min(1.0, max(0.0, (d00 - d01 - d20 + d21) / (d00 - 2.0 * d01 + d11 + 1e-12)))
                eu, ev = 1.0 - t, t
            ex, ey, ez = wx - eu * abx - ev * acx, wy - eu * aby - ev * acy, wz - eu * abz - ev * acz
            e = ex * ex + ey * ey + ez * ez
            if e < best:
                best, u, v = e, eu, ev
    ex, ey, ez = wx - u * abx - v * acx, wy - u * aby - v * acy, wz - u * abz - v * acz
    return np.sqrt(ex * ex + ey * ey + ez * ez) - ((1.0 - u - v) * s[18] + u * s[19] + v * s[20])


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _turn(x, y):
    """A monotone stand-in for the angle of (x, y): 0 to 4 counter-clockwise from +x."""
    r = abs(x) + abs(y) + 1e-12
    if y >= 0.0:
        return 1.0 - x / r
    return 3.0 + x / r


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _loft(px, py, pz, s, table):
    """About the distance to a tube of drawn cross-section: origin, local x and y axis, z low, z high, offset, levels,
    turns; the table holds per level the centre x, y and a radius a turn."""
    wx, wy, wz = px - s[9], py - s[10], pz - s[11]
    z = (
        wx * (s[13] * s[17] - s[14] * s[16])
        + wy * (s[14] * s[15] - s[12] * s[17])
        + wz * (s[12] * s[16] - s[13] * s[15])
    )
    low, high = s[18], s[19]
    outside = max(low - z, z - high)
    if outside > 6.0:
        return outside
    levels, turns = int(s[21]), int(s[22])
    step = (high - low) / (levels - 1)
    f = min(max((z - low) / step, 0.0), levels - 1.000001)
    i = int(f)
    f -= i
    at = int(s[20]) + i * (turns + 2)
    up = at + turns + 2
    x = wx * s[12] + wy * s[13] + wz * s[14] - (table[at] + f * (table[up] - table[at]))
    y = wx * s[15] + wy * s[16] + wz * s[17] - (table[at + 1] + f * (table[up + 1] - table[at + 1]))
    rho = np.sqrt(x * x + y * y)
    g = _turn(x, y) * (0.25 * turns)
    j = min(int(g), turns - 1)
    g -= j
    k = j + 1 if j + 1 < turns else 0
    a, b, c, d = table[at + 2 + j], table[at + 2 + k], table[up + 2 + j], table[up + 2 + k]
    lower, upper = a + g * (b - a), c + g * (d - c)
    r = lower + f * (upper - lower)
    if r <= 0.0:
        return max(rho - r, 0.5)
    around = (b - a + f * (d - c - b + a)) * (0.637 * 0.25 * turns) / r
    along = (upper - lower) / step
    return max((rho - r) / np.sqrt(1.0 + min(around * around + along * along, 8.0)), outside)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _balloon(px, py, pz, s, table):
    """About the distance to a star-shaped body: centre, local x and y axis, offset, levels, turns; the table holds
    radii by level (cosine from the local -z to +z pole, arc-spaced) and turn."""
    x, y, z = _own_axes(px, py, pz, s)
    levels, turns = int(s[19]), int(s[20])
    flat = np.sqrt(x * x + y * y)
    rho = np.sqrt(flat * flat + z * z)
    f = 0.5 * _turn(-z, flat) * (levels - 1)
    f = min(max(f, 0.0), levels - 1.000001)
    i = int(f)
    f -= i
    g = _turn(x, y) * (0.25 * turns)
    j = min(int(g), turns - 1)
    g -= j
    k = j + 1 if j + 1 < turns else 0
    at = int(s[18]) + i * turns
    up = at + turns
    a, b, c, d = table[at + j], table[at + k], table[up + j], table[up + k]
    lower, upper = a + g * (b - a), c + g * (d - c)
    r = lower + f * (upper - lower)
    across = max(flat / max(rho, 1e-6), 0.2)
    around = (b - a + f * (d - c - b + a)) * (0.637 * 0.25 * turns) / (r * across + 1e-6)
    along = (upper - lower) * (0.637 * 0.5 * (levels - 1)) / (r + 1e-6)
    return (rho - r) / np.sqrt(1.0 + min(around * around + along * along, 8.0))


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _surface(px, py, pz, s, table):
    """Below a height map over x and y: x0, y0, dx, dy, offset, columns (x), rows (y); beyond its edge it runs on."""
    columns, rows = int(s[14]), int(s[15])
    f = min(max((px - s[9]) / s[11], 0.0), columns - 1.000001)
    g = min(max((py - s[10]) / s[12], 0.0), rows - 1.000001)
    i, j = int(f), int(g)
    f -= i
    g -= j
    at = int(s[13]) + i * rows + j
    a, b, c, d = table[at], table[at + 1], table[at + rows], table[at + rows + 1]
    near, far = a + g * (b - a), c + g * (d - c)
    slope_x = (far - near) / s[11]
    slope_y = (b - a + f * (d - c - b + a)) / s[12]
    return (pz - near - f * (far - near)) / np.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def distance(px, py, pz, s, table):
    """Distance to the shape of row ``s`` (``kernels.COLUMNS``), negative inside; ``table``: the drawn profiles."""
    kind = int(s[0])
    if kind == 0:
        return _capsule(px, py, pz, s)
    if kind == 1:
        return _superquadric(px, py, pz, s)
    if kind == 2:
        return _triangle(px, py, pz, s)
    if kind == 3:
        return _loft(px, py, pz, s, table)
    if kind == 4:
        return _balloon(px, py, pz, s, table)
    if kind == 5:
        return (px - s[9]) * s[12] + (py - s[10]) * s[13] + (pz - s[11]) * s[14]
    return _surface(px, py, pz, s, table)
