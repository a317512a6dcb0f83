"""Joseph's method on a packed volume, compiled by numba.

Joseph PM. An improved algorithm for reprojecting rays through pixel images. IEEE Trans Med Imaging 1982;1:192-196.

A ray advances from plane to plane of the axis along which it runs most steeply (in voxel indices). In each plane the
Hounsfield unit is interpolated bilinearly; between planes it is taken as linear, but for ``BEND``, and mapped to
densities at the planes and half-way (Simpson's rule), cut off where the ray begins or ends. Mapping only at the planes
made bone up to 1.5 % too heavy on a 2 x 2 x 2.5 mm CT; half-way samples need no memory access.
Soft tissue follows from bone and the total, because the mixture is exact at the CT's energy.

Rays of one tile of the detector run together, plane by plane, as lanes of a vector. docs/renderers.md tells what was
tried and what each step bought. All that is compiled together stands in this file, because numba's cache of compiled
code looks for changes only in the file of the function that is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32, njit, prange

from carm_env.render.llvm_access import add, get, get_pair, prefetch, swap
from carm_env.render.model import STORED_AIR

OPTIONS: Any = {"cache": True, "fastmath": True, "error_model": "numpy", "nogil": True}
INLINE: Any = {"fastmath": True, "error_model": "numpy", "nogil": True, "forceinline": True}

# A bundle of n rays: rows of n float32. Position in plane i is (P0 + i PS, Q0 + i QS); the ray lives from BEGIN to END.
_P0, _PS, _Q0, _QS, _BEGIN, _END, _CM, _BEND = range(8)
_ROWS = 8

STEEPEST = 2.4
"""Voxels that a ray may move across from plane to plane before it runs along z or its bundle is split by axes: enough
for any view tilted by 50 degrees of a CT with cubic voxels."""
BEND = 0.3 / 8
"""Share of the second difference before an interval that is taken off its half-way value, for each voxel that a ray
moves across: between planes trilinear values bulge from the chord. Fitted to four views tilted by 45 to 50 degrees of a
phantom and two CTs: it leaves a bias of bone within 0.2 %, which was -0.5 to -1.6 % without it."""
TILE_LONG, TILE_SHORT = 16, 8
"""Pixels of a bundle of rays: long where it runs along memory and shares cache lines, small so that its planes stay in
the L2 cache."""
TILTED = 1.0
"""Voxels along z from plane to plane above which half as long bundles are faster: 0.9 of the time at 50 degrees."""
BRICK = 8
"""Voxels a side of a brick that is skipped when it holds nothing denser than air."""
AHEAD = 2
"""Planes that are fetched before they are needed."""
_LINE = 32
"""Voxels in a cache line."""

_AIR = float32(STORED_AIR)
_ZERO, _HALF, _ONE, _THIRD, _TWO_THIRDS = float32(0), float32(0.5), float32(1), float32(1 / 3), float32(2 / 3)


@njit(**INLINE)
def _to_pixel(r, height, source, pixel, down, right):
    i, j = r % height, r // height
    return (
        pixel[0] + i * down[0] + j * right[0] - source[0],
        pixel[1] + i * down[1] + j * right[1] - source[1],
        pixel[2] + i * down[2] + j * right[2] - source[2],
    )


@njit(**INLINE)
def _axis_of(direction):
    x, y, z = abs(direction[0]), abs(direction[1]), abs(direction[2])
    if z > STEEPEST * max(x, y):
        return 2
    return 0 if x >= y else 1


@njit(**OPTIONS)
def _common_axis(n, height, source, pixel, down, right, along_z):
    """The axis along which the whole bundle can run, or -1; along z, if at all, only where neither x nor y will do,
    because that takes more planes and another copy of the volume."""
    middle = _to_pixel(n // height // 2 * height + height // 2, height, source, pixel, down, right)
    lateral = 0 if abs(middle[0]) >= abs(middle[1]) else 1
    if _all_run_along(lateral, n, height, source, pixel, down, right):
        return lateral
    return 2 if along_z and _all_run_along(2, n, height, source, pixel, down, right) else -1


@njit(**OPTIONS)
def _all_run_along(axis, n, height, source, pixel, down, right):
    """Whether every ray runs the same way along an axis and steeply enough; both follow from the bundle's corners."""
    onwards = _to_pixel(0, height, source, pixel, down, right)[axis] > 0
    for r in (0, height - 1, n - height, n - 1):
        d = _to_pixel(r, height, source, pixel, down, right)
        if STEEPEST * abs(d[axis]) < max(abs(d[0]), abs(d[1]), abs(d[2])) or (d[axis] > 0) != onwards:
            return False
    return True


@njit(**INLINE)
def _length(affine, d):
    x = affine[0, 0] * d[0] + affine[0, 1] * d[1] + affine[0, 2] * d[2]
    y = affine[1, 0] * d[0] + affine[1, 1] * d[1] + affine[1, 2] * d[2]
    z = affine[2, 0] * d[0] + affine[2, 1] * d[1] + affine[2, 2] * d[2]
    return np.sqrt(x * x + y * y + z * z)


@njit(**OPTIONS)
def _set_rays(rays, n, height, source, pixel, down, right, affine, a, p, q, all_of_them):
    """Describes the rays of a bundle by their crossings of the planes of axis ``a``; those that run more steeply along
    another axis are left out, unless ``all_of_them`` are wanted. False without any."""
    rays[: _ROWS * n] = 0.0
    found = False
    for r in range(n):
        d = _to_pixel(r, height, source, pixel, down, right)
        if not all_of_them and (_axis_of(d) != a or d[a] == 0.0):
            continue
        found = True
        inverse = 1.0 / d[a]
        rays[_PS * n + r] = d[p] * inverse
        rays[_QS * n + r] = d[q] * inverse
        rays[_P0 * n + r] = source[p] - source[a] * d[p] * inverse
        rays[_Q0 * n + r] = source[q] - source[a] * d[q] * inverse
        rays[_BEGIN * n + r] = min(source[a], source[a] + d[a])
        rays[_END * n + r] = max(source[a], source[a] + d[a])
        rays[_CM * n + r] = 0.1 * _length(affine, d) * abs(inverse)
        rays[_BEND * n + r] = BEND * (min(abs(d[p] * inverse), 1.0) + min(abs(d[q] * inverse), 1.0))
    return found


@njit(**OPTIONS)
def _clip(start, slope, limit, low, high):
    """The part of [low, high] in which ``start + i slope`` lies within [0, limit]."""
    if slope == 0.0:
        return (low, high) if 0.0 <= start <= limit else (1.0, 0.0)
    one, two = -start / slope, (limit - start) / slope
    return max(low, min(one, two)), min(high, max(one, two))


@njit(**OPTIONS)
def _planes(rays, n, a, shape, p_max, q_max):
    """First and last plane to sample for what a bundle crosses of the box, and the planes between which all its rays
    live."""
    first, last, born, dead = np.inf, -np.inf, -np.inf, np.inf
    for r in range(n):
        if rays[_CM * n + r] == 0.0:
            continue
        low, high = (-np.inf, np.inf) if a == 2 else (0.0, shape[a] - 1.0)
        low, high = _clip(rays[_P0 * n + r], rays[_PS * n + r], p_max, low, high)
        if a == 2:
            low, high = _clip(rays[_Q0 * n + r], rays[_QS * n + r], q_max, low, high)
        begin, end = rays[_BEGIN * n + r], rays[_END * n + r]
        born, dead = max(born, begin), min(dead, end)
        if low > high or low > end or high < begin:
            continue
        first, last = min(first, max(low, begin)), max(last, min(high, end))
    if first > last:
        return 0, -1, born, dead
    return int(np.floor(first)), int(np.ceil(last)), born, dead


@njit(**OPTIONS)
def _footprint(rays, n, height, start, first, last, limit):
    """Lowest and highest voxel that rays of a whole bundle touch between two planes, along ``start``'s axis (``_P0`` or
    ``_Q0``): rays lie between the bundle's corners, and positions are clamped to [0, limit]."""
    low, high = np.inf, -np.inf
    for r in (0, height - 1, n - height, n - 1):
        at, slope = rays[start * n + r], rays[(start + 1) * n + r]
        one, two = at + first * slope, at + last * slope
        low, high = min(low, min(one, two)), max(high, max(one, two))
    limit = float(limit)
    return int(min(max(low, 0.0), limit)), int(min(max(high, 0.0), limit)) + 1


@njit(**INLINE)
def _position(rays, n, r, start, at, limit):
    position = get(rays, start * n + r) + at * get(rays, (start + 1) * n + r)
    return min(max(position, _ZERO), limit)


@njit(**INLINE)
def _sample(volume, rays, n, r, at, base, stride_p, p_max, q_max):
    """Bilinear stored value in a plane; q runs along memory."""
    p, q = _position(rays, n, r, _P0, at, p_max), _position(rays, n, r, _Q0, at, q_max)
    ip, iq = int32(p), int32(q)
    fp, fq = p - float32(ip), q - float32(iq)
    index = int32(base + ip * stride_p + iq)
    near, far = get_pair(volume, index), get_pair(volume, int32(index + stride_p))
    a, b = float32(int32(near & 0xFFFF)), float32(int32(near >> 16))
    c, d = float32(int32(far & 0xFFFF)), float32(int32(far >> 16))
    a += fq * (b - a)
    c += fq * (d - c)
    return a + fp * (c - a)


@njit(**INLINE)
def _bone(value, model):
    mixed = min(model[0] * (value - model[1]), model[2] * (value - _AIR))
    return max(max(mixed, model[3] * (value - model[4])), _ZERO)


@njit(**INLINE)
def _deposit(rays, total, bone, last_value, last_step, n, r, value, model):
    """Adds the interval from the plane before to this one, when every ray of the bundle crosses it whole."""
    before = swap(last_value, r, value)
    bend = get(rays, _BEND * n + r) * (value - before - swap(last_step, r, value - before))
    add(total, r, max(value - _AIR, _ZERO))
    add(bone, r, _THIRD * _bone(value, model) + _TWO_THIRDS * _bone(_HALF * (before + value) - bend, model))


@njit(**INLINE)
def _deposit_part(rays, total, bone, last_value, last_step, n, r, at, value, model):
    """Adds the part of the interval from the plane before to this one that lies between _BEGIN and _END."""
    before = swap(last_value, r, value)
    bend = get(rays, _BEND * n + r) * (value - before - swap(last_step, r, value - before))
    start = min(max(get(rays, _BEGIN * n + r) - at, -_ONE), _ZERO)
    stop = min(max(get(rays, _END * n + r) - at, -_ONE), _ZERO)
    one, two = value + start * (value - before), value + stop * (value - before)
    part = stop - start
    add(total, r, part * _HALF * (max(one - _AIR, _ZERO) + max(two - _AIR, _ZERO)))
    ends = _HALF * (_bone(one, model) + _bone(two, model))
    middle = _HALF * (one + two) - part * part * bend
    add(bone, r, part * (_THIRD * ends + _TWO_THIRDS * _bone(middle, model)))


@njit(**INLINE)
def _change_over(total, bone, last_value, n, half, model):
    """Intervals that are crossed whole count a plane for both its sides at once, parts of intervals for one: between
    the two, half of the last plane is added or taken away."""
    for r in range(n):
        add(total, r, half * max(last_value[r] - _AIR, _ZERO))
        add(bone, r, half * _THIRD * _bone(last_value[r], model))


@njit(**OPTIONS)
def _fetch(volume, rays, n, height, plane, base, stride_p, p_max, q_max):
    """Asks for the cache lines of a plane that a bundle is about to cross."""
    p0, p1 = _footprint(rays, n, height, _P0, plane, plane, p_max)
    q0, q1 = _footprint(rays, n, height, _Q0, plane, plane, q_max)
    for p in range(p0, p1 + 1):
        line = base + p * stride_p
        for q in range(q0, q1 + _LINE, _LINE):
            prefetch(volume, line + min(q, q1))


@njit(**OPTIONS)
def _occupied(bricks, strides, rays, n, height, plane, stop, top, p_max, q_max):
    """Whether a bundle meets a brick that is not empty between two planes of one row of bricks."""
    p0, p1 = _footprint(rays, n, height, _P0, plane, stop, p_max)
    q0, q1 = _footprint(rays, n, height, _Q0, plane, stop, q_max)
    row = min(max(plane, 0), top) // BRICK * strides[0]
    last_q = min(q1 // BRICK, strides[3])
    for p in range(p0 // BRICK, p1 // BRICK + 1):
        for q in range(q0 // BRICK, last_q + 1):
            if bricks[row + p * strides[1] + q * strides[2]]:
                return True
    return False


@njit(**OPTIONS)
def _march(
    volume, n, height, first, last, top, strides, p_max, q_max, bricks, brick_strides, born, dead, regular, rays, sums,
    model,
):  # fmt: skip
    """Sums (stored value above air, bone) of a bundle into ``sums`` [4, n], in units of the step between planes.

    Args:
        first, last: planes; those below 0 and above ``top`` repeat the end planes.
        strides: from plane to plane and along p, in voxels.
        bricks, brick_strides: which bricks hold anything; steps along the axis, p and q, and the last brick along q.
        born, dead: all rays live between these planes; intervals beyond are cut off where each ray begins or ends.
        regular: all rays run along this axis, so what lies between the bundle's corners is all it meets.
    """
    total, bone, last_value, last_step = sums[0], sums[1], sums[2], sums[3]
    stride_a, stride_p = int32(strides[0]), int32(strides[1])
    plane, whole = first, True
    while plane <= last:
        stop = min(last, plane - plane % BRICK + BRICK - 1)
        if regular and not _occupied(bricks, brick_strides, rays, n, height, plane, stop, top, p_max, q_max):
            sums[2:] = _ZERO
            plane = stop + 1
            continue
        if stop < last:
            stop += 1
        before, whole = whole, born <= plane - 1 and stop <= dead
        if before != whole:
            _change_over(total, bone, last_value, n, _HALF if whole else -_HALF, model)
        while plane <= stop:
            base, at = int32(min(max(plane, 0), top) * stride_a), float32(plane)
            if regular and plane + AHEAD <= last:
                ahead = min(max(plane + AHEAD, 0), top)
                _fetch(volume, rays, n, height, plane + AHEAD, ahead * stride_a, strides[1], p_max, q_max)
            if whole:
                for r in range(n):
                    value = _sample(volume, rays, n, r, at, base, stride_p, p_max, q_max)
                    _deposit(rays, total, bone, last_value, last_step, n, r, value, model)
            else:
                for r in range(n):
                    value = _sample(volume, rays, n, r, at, base, stride_p, p_max, q_max)
                    _deposit_part(rays, total, bone, last_value, last_step, n, r, at, value, model)
            plane += 1


@njit(**OPTIONS)
def _bundle(
    volume, turned, along_z, shape, bricks, source, pixel, height, width, down, right, affine, model, rays, sums, image,
    place,
):  # fmt: skip
    """Adds line integrals of rays to ``pixel + i down + j right`` (voxel indices), i < height and j < width, to
    ``image`` [2, pixels] at ``place[0] + i place[1] + j place[2]``."""
    n = height * width
    axis = _common_axis(n, height, source, pixel, down, right, along_z)
    bx, by = bricks.shape[1] * bricks.shape[2], bricks.shape[2]
    for a in range(3):
        p, q = (1, 2) if a == 0 else ((0, 2) if a == 1 else (0, 1))
        if axis >= 0 and a != axis:
            continue
        if not _set_rays(rays, n, height, source, pixel, down, right, affine, a, p, q, axis >= 0):
            continue
        p_max, q_max = float32(shape[p] - 2), float32(shape[q] - (2 if a == 2 else 1))
        first, last, born, dead = _planes(rays, n, a, shape, p_max, q_max)
        if a == 0:
            strides, steps = (shape[1] * shape[2], shape[2]), (bx, by, 1, bricks.shape[2] - 1)
        elif a == 1:
            strides, steps = (shape[2], shape[1] * shape[2]), (by, bx, 1, bricks.shape[2] - 1)
        else:
            strides, steps = (shape[0] * shape[1], shape[1]), (1, bx, by, bricks.shape[1] - 1)
        sums[:] = 0.0
        _march(
            turned if a == 2 else volume, n, height, first, last, shape[a] - 1, strides, p_max, q_max,
            bricks.ravel(), steps, born, dead, axis >= 0, rays, sums, model,
        )  # fmt: skip
        for r in range(n):
            bone, cm = sums[1, r], rays[_CM * n + r]
            at = place[0] + r % height * place[1] + r // height * place[2]
            image[0, at] += cm * (model[5] * sums[0, r] - model[6] * bone)
            image[1, at] += cm * bone


@njit(**INLINE)
def _stands(middle, down, across):
    """Whether going down the image moves farther along memory than going across does, for a ray to ``middle``."""
    q = 1 if abs(middle[2]) > STEEPEST * max(abs(middle[0]), abs(middle[1])) else 2
    return abs(down[q]) >= abs(across[q])


@njit(**OPTIONS)
def _strip(volume, turned, along_z, shape, bricks, source, corner, across, down, affine, model, left, image):
    """Adds the line integrals of columns ``left`` to ``left + TILE_LONG`` to ``image`` [2, H, W]."""
    _, height, width = image.shape
    flat = image.reshape(2, height * width)
    w = min(TILE_LONG, width - left)
    rays = np.empty(_ROWS * TILE_LONG * TILE_SHORT, np.float32)
    sums = np.empty((4, TILE_LONG * TILE_SHORT), np.float32)
    for top in range(0, height, TILE_LONG):
        h = min(TILE_LONG, height - top)
        pixel = corner + left * across + top * down
        middle = pixel + 0.5 * w * across + 0.5 * h * down - source
        if _stands(middle, down, across):
            run, side, length, sides, steps = down, across, h, w, (width, 1)
        else:
            run, side, length, sides, steps = across, down, w, h, (1, width)
        most = TILE_LONG // 2 if abs(middle[2]) > TILTED * max(abs(middle[0]), abs(middle[1])) else TILE_LONG
        for along in range(0, length, most):
            for at in range(0, sides, TILE_SHORT):
                start = pixel + along * run + at * side
                place = (top * width + left + along * steps[0] + at * steps[1], steps[0], steps[1])
                _bundle(
                    volume, turned, along_z, shape, bricks, source, start, min(most, length - along),
                    min(TILE_SHORT, sides - at), run, side, affine, model, rays, sums, flat, place,
                )  # fmt: skip


@njit(parallel=True, **OPTIONS)
def project(volume, turned, along_z, shape, bricks, sources, corners, columns, rows, affine, model, workers, images):
    """Adds the line integrals through one volume to ``images`` [M, 2, H, W].

    Cameras are given in padded voxel indices, float64 [M, 3]: focal spot, centre of pixel (0, 0), step to the next
    column and to the next row. ``along_z`` [M] tells which of them may have rays more than ``STEEPEST`` times as steep
    along z as along x and y; without any, ``turned`` may be empty. ``affine`` [3, 3] takes index steps to millimetres;
    ``model``: ``model_of``.
    """
    cameras, width = images.shape[0], images.shape[3]
    strips = (width + TILE_LONG - 1) // TILE_LONG
    share = (strips + workers - 1) // workers
    for task in prange(workers * cameras * share):
        camera, strip = task // share % cameras, task // (cameras * share) * share + task % share
        if strip < strips:
            _strip(
                volume, turned, along_z[camera], shape, bricks, sources[camera], corners[camera], columns[camera],
                rows[camera], affine, model, strip * TILE_LONG, images[camera],
            )  # fmt: skip
