"""Numba kernels that paint implicit shapes into a CT, each within its bounding box, edges anti-aliased."""

from __future__ import annotations

import numpy as np
from numba import njit

CAPSULE, SUPERQUADRIC, TRIANGLE = 0, 1, 2
COLUMNS = 24
"""A shape's row: kind, HU, inset mm, box low xyz, box high xyz, then 15 numbers by kind (see ``shapes``)."""


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _capsule(px, py, pz, s):
    """Signed distance (mm, about) to a cone with round ends: a xyz, b xyz, radius at a, radius at b."""
    ax, ay, az = s[9], s[10], s[11]
    dx, dy, dz = s[12] - ax, s[13] - ay, s[14] - az
    wx, wy, wz = px - ax, py - ay, pz - az
    t = (wx * dx + wy * dy + wz * dz) / (dx * dx + dy * dy + dz * dz + 1e-12)
    t = min(1.0, max(0.0, t))
    ex, ey, ez = wx - t * dx, wy - t * dy, wz - t * dz
    return np.sqrt(ex * ex + ey * ey + ez * ez) - (s[15] + t * (s[16] - s[15]))


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _superquadric(px, py, pz, s):
    """First-order distance to ((x/a)^2 + (y/b)^2)^(n/2) + |z/c|^n = 1: centre, local x and y axis, a b c, n, cut.

    ``cut`` keeps the side below the local plane z = cut (mm).
    """
    wx, wy, wz = px - s[9], py - s[10], pz - s[11]
    x = wx * s[12] + wy * s[13] + wz * s[14]
    y = wx * s[15] + wy * s[16] + wz * s[17]
    zx = s[13] * s[17] - s[14] * s[16]
    zy = s[14] * s[15] - s[12] * s[17]
    zz = s[12] * s[16] - s[13] * s[15]
    z = wx * zx + wy * zy + wz * zz
    a, b, c, n = s[18], s[19], s[20], s[21]
    gx, gy, gz = x / (a * a), y / (b * b), z / (c * c)
    q = x * gx + y * gy
    w = z * gz
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
    d = (g - 1.0) / max(slope, 0.2 / least) if g > 0.3 else -0.7 * least
    return max(d, z - s[22])


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _triangle(px, py, pz, s):
    """Distance to a triangle a, b, c less a radius (a rounded plate)."""
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
            ex = wx - eu * abx - ev * acx
            ey = wy - eu * aby - ev * acy
            ez = wz - eu * abz - ev * acz
            e = ex * ex + ey * ey + ez * ez
            if e < best:
                best, u, v = e, eu, ev
    ex, ey, ez = wx - u * abx - v * acx, wy - u * aby - v * acy, wz - u * abz - v * acz
    return np.sqrt(ex * ex + ey * ey + ez * ez) - s[18]


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def paint_shapes(hu, origin, spacing, shapes):
    """Paints shapes [K, 24] in order into ``hu`` int16 [X, Y, Z] whose voxel (0, 0, 0) is centred on ``origin``."""
    low = np.empty(3, np.int64)
    high = np.empty(3, np.int64)
    for k in range(shapes.shape[0]):
        s = shapes[k]
        for i in range(3):
            low[i] = max(0, int(np.floor((s[3 + i] - origin[i]) / spacing)))
            high[i] = min(hu.shape[i], int(np.ceil((s[6 + i] - origin[i]) / spacing)) + 1)
        kind, value, inset = int(s[0]), s[1], s[2]
        for i in range(low[0], high[0]):
            px = origin[0] + spacing * i
            for j in range(low[1], high[1]):
                py = origin[1] + spacing * j
                for m in range(low[2], high[2]):
                    pz = origin[2] + spacing * m
                    if kind == 0:
                        d = _capsule(px, py, pz, s)
                    elif kind == 1:
                        d = _superquadric(px, py, pz, s)
                    else:
                        d = _triangle(px, py, pz, s)
                    cover = min(1.0, 0.5 - (d + inset) / spacing)
                    if cover > 0.0:
                        old = float(hu[i, j, m])
                        hu[i, j, m] = np.int16(np.rint(old + cover * (value - old)))


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def paint_loft(hu, origin, spacing, sections, value, inset):
    """Fills |x/a|^2.5 + |y/b|^2.5 < 1 about (cx, cy) slice by slice: ``sections`` [Z, 4] (cx, cy, a, b); a <= 0 skips.

    ``inset`` shrinks both half axes (mm).
    """
    nx, ny, nz = hu.shape
    for i in range(nx):
        px = origin[0] + spacing * i
        for j in range(ny):
            py = origin[1] + spacing * j
            for m in range(nz):
                a, b = sections[m, 2] - inset, sections[m, 3] - inset
                if a <= 0.0 or b <= 0.0:
                    continue
                u, v = abs(px - sections[m, 0]) / a, abs(py - sections[m, 1]) / b
                if u > 1.2 or v > 1.2:
                    continue
                g = u * u * np.sqrt(u) + v * v * np.sqrt(v)
                d = (np.sqrt(g) - 1.0) * 0.8 * min(a, b)
                cover = min(1.0, 0.5 - d / spacing)
                if cover > 0.0:
                    old = float(hu[i, j, m])
                    hu[i, j, m] = np.int16(np.rint(old + cover * (value - old)))


@njit(cache=True, error_model="numpy", nogil=True)
def add_noise(hu, seed, sd):
    """Adds noise of standard deviation ``sd`` HU inside the body (HU > -700), a hash of seed and voxel."""
    flat = hu.reshape(-1)
    scale = sd / 37837.2
    key = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    for i in range(flat.size):
        if flat[i] <= -700:
            continue
        h = np.uint64(i) + key
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        h = h ^ (h >> np.uint64(31))
        total = (h & np.uint64(0xFFFF)) + ((h >> np.uint64(16)) & np.uint64(0xFFFF))
        total += ((h >> np.uint64(32)) & np.uint64(0xFFFF)) + (h >> np.uint64(48))
        noise = (float(np.int64(total)) - 131070.0) * scale
        flat[i] = np.int16(min(32767.0, np.rint(flat[i] + noise)))
