"""Numba kernels that paint implicit shapes into a CT: smooth unions and cuts, shells, texture, edges anti-aliased.

Every voxel depends on its own position only, so the result is the same whatever the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from carm_env.patient.anatomy.distances import distance

UNION, CUT, KEEP = 0, 1, 2
COLUMNS = 32
"""A shape's row: kind, operation, blend mm, box low xyz, box high xyz, then numbers by kind (see ``shapes``)."""
PART_COLUMNS = 17
"""A part's row: first shape, end, label, HU, shell mm, core HU, inset mm, grain tile, grain HU, grain mm, warped,
guard index, offset of the grain xyz, label deeper than the shell,
coarse."""
SLAB = 8
STRIDE, CLEAR_MM = 32, 8.0
"""Voxels along z between exact distances, at most, and how near to a surface (mm) every one is exact."""
TILE = 64
COARSE_MM = 2.5
"""Spacing above which coarse parts are sampled at every voxel too."""
_FAR = np.float32(1e3)
_ENDLESS = 1e5


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _combine(d, e, operation, blend):
    """Smooth minimum (union), or maximum with the inverse (cut) or with the shape (keep)."""
    sign = 1.0
    if operation != 0:
        sign = -1.0
        d = -d
        if operation == 2:
            e = -e
    if blend > 0.0:
        h = max(blend - abs(d - e), 0.0) / blend
        return sign * (min(d, e) - 0.25 * blend * h * h)
    return sign * min(d, e)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _bend_column(px, py, first, last, warp, warp_low, warp_step, column):
    """Displacements (mm) of the warp's nodes ``first``..``last`` above (px, py): rows of ``column`` [K, 3]."""
    f = min(max((px - warp_low[0]) / warp_step, 0.0), warp.shape[0] - 1.000001)
    g = min(max((py - warp_low[1]) / warp_step, 0.0), warp.shape[1] - 1.000001)
    i, j = int(f), int(g)
    f -= i
    g -= j
    wa, wb, wc, wd = (1.0 - f) * (1.0 - g), (1.0 - f) * g, f * (1.0 - g), f * g
    for k in range(first, last + 1):
        for n in range(3):
            column[k, n] = (
                wa * warp[i, j, k, n]
                + wb * warp[i, j + 1, k, n]
                + wc * warp[i + 1, j, k, n]
                + wd * warp[i + 1, j + 1, k, n]
            )


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _grain(px, py, pz, tile, scale):
    """A periodic noise tile [64, 64, 64] at a point, trilinear; ``scale`` in mm a cell."""
    x, y, z = px / scale, py / scale, pz / scale
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = int(fx) & 63, int(fy) & 63, int(fz) & 63
    x, y, z = x - fx, y - fy, z - fz
    o, m, n = (i + 1) & 63, (j + 1) & 63, (k + 1) & 63
    a = tile[i, j, k] + z * (tile[i, j, n] - tile[i, j, k])
    b = tile[i, m, k] + z * (tile[i, m, n] - tile[i, m, k])
    c = tile[o, j, k] + z * (tile[o, j, n] - tile[o, j, k])
    d = tile[o, m, k] + z * (tile[o, m, n] - tile[o, m, k])
    a += y * (b - a)
    c += y * (d - c)
    return a + x * (c - a)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _strand(px, py, tile, scale, strand):
    """The tile's cells above (px, py), bilinear, once round: what ``_grain`` interpolates along z."""
    x, y = px / scale, py / scale
    fx, fy = np.floor(x), np.floor(y)
    i, j = int(fx) & 63, int(fy) & 63
    x, y = x - fx, y - fy
    o, m = (i + 1) & 63, (j + 1) & 63
    for k in range(64):
        a = tile[i, j, k] + y * (tile[i, m, k] - tile[i, j, k])
        c = tile[o, j, k] + y * (tile[o, m, k] - tile[o, j, k])
        strand[k] = a + x * (c - a)


@njit(cache=True, error_model="numpy", nogil=True)
def move_boxes(rows, warp, warp_low, warp_step, reach):
    """Moves the boxes of shapes [K, 32] to hold the shapes as the warp bends them; ``reach`` bounds the warp (mm)."""
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for r in range(rows.shape[0]):
        s = rows[r]
        if s[6] - s[3] > _ENDLESS:
            continue
        for i in range(3):
            first[i] = int(np.floor((s[3 + i] - reach - warp_low[i]) / warp_step))
            last[i] = int(np.ceil((s[6 + i] + reach - warp_low[i]) / warp_step))
            first[i] = min(max(first[i], 0), warp.shape[i] - 1)
            last[i] = min(max(last[i], 0), warp.shape[i] - 1)
        for i in range(3):
            low, high = reach, -reach
            for a in range(first[0], last[0] + 1):
                for b in range(first[1], last[1] + 1):
                    for c in range(first[2], last[2] + 1):
                        low = min(low, warp[a, b, c, i])
                        high = max(high, warp[a, b, c, i])
            s[3 + i] -= high
            s[6 + i] -= low


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _box(s, origin, spacing, shape, first, last, low, high):
    """Voxels of a shape's box, its x range cut to ``first``..``last``."""
    for i in range(3):
        low[i] = max(0.0, np.floor((s[3 + i] - origin[i]) / spacing))
        high[i] = min(shape[i], np.ceil((s[6 + i] - origin[i]) / spacing) + 1)
    low[0] = max(low[0], first)
    high[0] = min(high[0], last)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _sample(px, py, pz, s, table, bent, column, warp_z, warp_step):
    """Distance to a shape at a voxel, bent by the displacements of its column where ``bent``."""
    if not bent:
        return distance(px, py, pz, s, table)
    f = min(max((pz - warp_z) / warp_step, 0.0), column.shape[0] - 1.000001)
    k = int(f)
    f -= k
    return distance(
        px + column[k, 0] + f * (column[k + 1, 0] - column[k, 0]),
        py + column[k, 1] + f * (column[k + 1, 1] - column[k, 1]),
        pz + column[k, 2] + f * (column[k + 1, 2] - column[k, 2]),
        s,
        table,
    )


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _raster(scratch, at, end, low, high, s, origin, spacing, table, bent, warp, warp_low, warp_step, column):
    """Combines a shape's distances over the voxels ``low``..``high`` with those in ``scratch`` (box ``at``..``end``).

    A rod along z is the same at every height. Away from the surface it strides as far as the distance allows and
    interpolates between.
    """
    ny, nz = end[1] - at[1], end[2] - at[2]
    operation, blend = int(s[1]), s[2]
    z_low, z_high = origin[2] + spacing * low[2], origin[2] + spacing * high[2]
    node_low = min(max(int((z_low - warp_low[2]) / warp_step), 0), warp.shape[2] - 2)
    node_high = min(max(int((z_high - warp_low[2]) / warp_step) + 1, node_low + 1), warp.shape[2] - 1)
    steady = not bent and int(s[0]) == 0 and s[9] == s[12] and s[10] == s[13] and s[15] == s[16]
    steady = steady and min(s[11], s[14]) < z_low and max(s[11], s[14]) > z_high
    for i in range(low[0], high[0]):
        px = origin[0] + spacing * i
        for j in range(low[1], high[1]):
            py = origin[1] + spacing * j
            if bent:
                _bend_column(px, py, node_low, node_high, warp, warp_low, warp_step, column)
            line = ((i - at[0]) * ny + j - at[1]) * nz - at[2]
            if steady:
                e = distance(px, py, z_low, s, table)
                for m in range(low[2], high[2]):
                    scratch[line + m] = _combine(scratch[line + m], e, operation, blend)
                continue
            m = low[2]
            near = _sample(px, py, z_low, s, table, bent, column, warp_low[2], warp_step)
            scratch[line + m] = _combine(scratch[line + m], near, operation, blend)
            while m + 1 < high[2]:
                stride = min(max(int(0.6 * (abs(near) - CLEAR_MM) / spacing), 1), STRIDE)
                n = min(m + stride, high[2] - 1)
                far = _sample(px, py, origin[2] + spacing * n, s, table, bent, column, warp_low[2], warp_step)
                plain = abs(far) > CLEAR_MM and (near > 0.0) == (far > 0.0)
                for q in range(m + 1, n):
                    if plain:
                        e = near + (far - near) * (q - m) / (n - m)
                    else:
                        e = _sample(px, py, origin[2] + spacing * q, s, table, bent, column, warp_low[2], warp_step)
                    scratch[line + q] = _combine(scratch[line + q], e, operation, blend)
                scratch[line + n] = _combine(scratch[line + n], far, operation, blend)
                m, near = n, far


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _colour(hu, labels, scratch, at, end, part, origin, spacing, guard, tile):
    """Paints a part's material where its distances are negative, edge voxels in proportion."""
    label, value, shell, core, inset = int(part[2]), part[3], part[4], part[5], part[6]
    grain_hu, grain_mm, core_label = part[8], part[9], int(part[15])
    ny, nz = end[1] - at[1], end[2] - at[2]
    strand = np.empty(64, np.float32)
    for i in range(at[0], end[0]):
        px = origin[0] + spacing * i + part[12]
        for j in range(at[1], end[1]):
            py = origin[1] + spacing * j + part[13]
            line = ((i - at[0]) * ny + j - at[1]) * nz - at[2]
            spun = False
            for m in range(at[2], end[2]):
                d = scratch[line + m] + inset
                cover = min(1.0, 0.5 - d / spacing)
                if cover <= 0.0 or not guard[labels[i, j, m]]:
                    continue
                target, outer = value, 1.0
                if shell > 0.0:
                    outer = min(1.0, max(0.0, 0.5 + (d + shell) / spacing))
                    target = core + (value - core) * outer
                if grain_hu > 0.0:
                    if nz < 48:
                        target += grain_hu * _grain(px, py, origin[2] + spacing * m + part[14], tile, grain_mm)
                    else:
                        if not spun:
                            _strand(px, py, tile, grain_mm, strand)
                            spun = True
                        z = (origin[2] + spacing * m + part[14]) / grain_mm
                        k = int(np.floor(z))
                        target += grain_hu * (strand[k & 63] + (z - k) * (strand[(k + 1) & 63] - strand[k & 63]))
                old = hu[i, j, m]
                new = old + cover * (target - old)
                hu[i, j, m] = np.int16(np.rint(min(max(new, -1024.0), 16000.0)))
                if cover > 0.5:
                    labels[i, j, m] = label if outer > 0.5 else core_label


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _rasters(
    scratch, at, end, rows, origin, spacing, shape, first, last, table, bent, warp, warp_low, warp_step, column
):  # fmt: skip
    """Combines all shapes of a part over the box ``at``..``end``."""
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for r in range(rows.shape[0]):
        s = rows[r]
        if s[1] == 2.0:
            low[:], high[:] = at, end
        else:
            _box(s, origin, spacing, shape, first, last, low, high)
            for i in range(3):
                low[i] = max(low[i], at[i])
                high[i] = min(high[i], end[i])
        if low[0] < high[0] and low[1] < high[1] and low[2] < high[2]:
            _raster(
                scratch, at, end, low, high, s, origin, spacing, table, bent, warp, warp_low, warp_step, column
            )  # fmt: skip


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _refine(rough, low, high, scratch, at, end):
    """Interpolates distances of a grid twice as coarse (its voxel k at the fine grid's 2 k) to the fine one."""
    my, mz = high[1] - low[1], high[2] - low[2]
    ny, nz = end[1] - at[1], end[2] - at[2]
    strand = np.empty(mz, np.float32)
    for i in range(at[0], end[0]):
        a = i // 2 - low[0]
        b = a + (i & 1)
        for j in range(at[1], end[1]):
            c = j // 2 - low[1]
            d = c + (j & 1)
            for k in range(mz):
                strand[k] = np.float32(0.25) * (
                    rough[(a * my + c) * mz + k]
                    + rough[(a * my + d) * mz + k]
                    + rough[(b * my + c) * mz + k]
                    + rough[(b * my + d) * mz + k]
                )
            line = ((i - at[0]) * ny + j - at[1]) * nz - at[2]
            for m in range(at[2], end[2]):
                k = m // 2 - low[2]
                scratch[line + m] = np.float32(0.5) * (strand[k] + strand[k + (m & 1)])


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _paint_slab(hu, labels, origin, spacing, parts, rows, table, guards, tiles, warp, warp_low, warp_step, first, last):
    scratch = np.empty(0, np.float32)
    column = np.zeros((warp.shape[2], 3), np.float32)
    rough = np.empty(0, np.float32)
    low, high, half = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    at, end = np.empty(3, np.int64), np.empty(3, np.int64)
    for p in range(parts.shape[0]):
        part = parts[p]
        at[:] = 1 << 30
        end[:] = -1
        for r in range(int(part[0]), int(part[1])):
            if rows[r, 1] == 0.0:
                _box(rows[r], origin, spacing, hu.shape, first, last, low, high)
                if low[0] < high[0] and low[1] < high[1] and low[2] < high[2]:
                    for i in range(3):
                        at[i] = min(at[i], low[i])
                        end[i] = max(end[i], high[i])
        if end[0] < 0:
            continue
        size = (end[0] - at[0]) * (end[1] - at[1]) * (end[2] - at[2])
        if scratch.size < size:
            scratch = np.empty(size, np.float32)
        if part[16] == 0.0 or spacing > COARSE_MM:
            scratch[:size] = _FAR
            _rasters(
                scratch, at, end, rows[int(part[0]) : int(part[1])], origin, spacing, hu.shape, first, last, table,
                part[10] != 0.0, warp, warp_low, warp_step, column,
            )  # fmt: skip
        else:
            for i in range(3):
                low[i] = at[i] // 2
                high[i] = (end[i] - 1) // 2 + 2
                half[i] = hu.shape[i] // 2 + 2
            many = (high[0] - low[0]) * (high[1] - low[1]) * (high[2] - low[2])
            if rough.size < many:
                rough = np.empty(many, np.float32)
            rough[:many] = _FAR
            _rasters(
                rough, low, high, rows[int(part[0]) : int(part[1])], origin, 2.0 * spacing, half, low[0], high[0],
                table, part[10] != 0.0, warp, warp_low, warp_step, column,
            )  # fmt: skip
            _refine(rough, low, high, scratch, at, end)
        _colour(hu, labels, scratch, at, end, part, origin, spacing, guards[int(part[11])], tiles[int(part[7])])


@njit(cache=True, fastmath=True, error_model="numpy", parallel=True)
def paint(hu, labels, origin, spacing, parts, rows, table, guards, tiles, warp, warp_low, warp_step):
    """Paints parts [P, 16] in order into ``hu`` int16 and ``labels`` uint8 [X, Y, Z]; voxel (0, 0, 0) is at ``origin``.

    Args:
        rows: shapes [K, 32]. table: the drawn profiles' numbers. guards: labels a part may paint over, [G, 256] bool.
        tiles: noise [T, 64, 64, 64]. warp: displacements (mm) [I, J, K, 3] on nodes ``warp_step`` apart from
        ``warp_low``: what stands at x is the shape at x + displacement.
    """
    slabs = (hu.shape[0] + SLAB - 1) // SLAB
    for slab in prange(slabs):
        _paint_slab(
            hu, labels, origin, spacing, parts, rows, table, guards, tiles, warp, warp_low, warp_step,
            slab * SLAB, min(hu.shape[0], (slab + 1) * SLAB),
        )  # fmt: skip
