"""Joseph's method on a packed volume, compiled by numba.

Joseph PM. An improved algorithm for reprojecting rays through pixel images. IEEE Trans Med Imaging 1982;1:192-196.

A ray advances from plane to plane of the axis along which it runs most steeply (in voxel indices). In each plane the
Hounsfield unit is interpolated bilinearly and then mapped to densities; between planes the densities are taken as
linear, so a plane's weight is the integral of its hat function over the ray's extent. Rays of one detector column run
together (a bundle), plane by plane, so that neighbours share cache lines and vector lanes.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int32, njit, prange

from carm_env.render.llvm_access import add, get
from carm_env.xray import materials as m

HU_OFFSET = 1024
"""Stored value = HU + 1024, unsigned 16 bit."""
LOW_PAD, HIGH_PAD = 1, 2
"""Voxels of air around the cropped body in x and y: positions clamped to [0, n - 2] sample pure air outside."""
BUNDLE = 128
"""Rays that run together, at most."""
BLOCK = 8
"""Detector columns a parallel task takes."""

_AIR = float32(HU_OFFSET - 1000)
_HU_SOFT = float32(HU_OFFSET + m.HU_SOFT)
_MIX_BONE, _BONE = float32(m.MIX_BONE_SLOPE), float32(m.BONE_SLOPE)
_SOFT_OF_TOTAL = float32(m.SOFT_SLOPE)
_SOFT_OF_BONE = float32(m.MU_BONE_CM2G / m.MU_SOFT_CM2G)
_ZERO = float32(0.0)
_OPTIONS = {"cache": True, "fastmath": True, "error_model": "numpy", "nogil": True}

# A bundle of n rays: rows of n float32. Position in plane i is (P0 + i PS, Q0 + i QS); the ray lives from BEGIN to END.
_P0, _PS, _Q0, _QS, _BEGIN, _END, _CM = range(7)


@njit(parallel=True, **_OPTIONS)
def pack(hu, x0, x1, y0, y1):
    """Voxels [x0, x1) x [y0, y1) of int16 ``hu`` in a frame of air, two z-neighbours a uint32 [X, Y, Z]."""
    nz = hu.shape[2]
    packed = np.zeros((x1 - x0 + LOW_PAD + HIGH_PAD, y1 - y0 + LOW_PAD + HIGH_PAD, nz), np.uint32)
    for x in prange(x0, x1):
        for y in range(y0, y1):
            line = packed[x - x0 + LOW_PAD, y - y0 + LOW_PAD]
            for z in range(nz):
                line[z] = max(int32(hu[x, y, z]) + HU_OFFSET, 0)
            for z in range(nz - 1):
                line[z] |= line[z + 1] << np.uint32(16)
            line[nz - 1] |= line[nz - 1] << np.uint32(16)
    return packed


@njit(inline="always")
def _hat_integral(x):
    """Integral of the hat function from minus infinity to ``x``."""
    x = min(max(x, float32(-1.0)), float32(1.0))
    return float32(0.5) + x - float32(0.5) * x * abs(x)


@njit(inline="always")
def _weight(rays, n, r, at):
    begin, end = get(rays, int32(_BEGIN * n + r)), get(rays, int32(_END * n + r))
    return _hat_integral(end - at) - _hat_integral(begin - at)


@njit(inline="always")
def _position(rays, n, r, start, at, limit):
    position = get(rays, int32(start * n + r)) + at * get(rays, int32((start + 1) * n + r))
    return min(max(position, _ZERO), limit)


@njit(inline="always")
def _bone(value):
    return max(min(_MIX_BONE * (value - _HU_SOFT), _BONE * (value - _AIR)), _ZERO)


@njit(**_OPTIONS)
def _march_across(volume, n, first, last, stride_a, stride_p, p_max, q_max, rays, sums):
    """Sums (HU above air, bone) of a bundle along x or y; p is the other of the two, q is z."""
    for plane in range(first, last + 1):
        base = int32(plane * stride_a)
        at = float32(plane)
        for r in range(n):
            p = _position(rays, n, r, _P0, at, p_max)
            q = _position(rays, n, r, _Q0, at, q_max)
            ip, iq = int32(p), int32(q)
            fp, fq = p - float32(ip), q - float32(iq)
            index = int32(base + ip * stride_p + iq)
            near, far = get(volume, index), get(volume, int32(index + stride_p))
            a, b = float32(int32(near & 0xFFFF)), float32(int32(near >> 16))
            c, d = float32(int32(far & 0xFFFF)), float32(int32(far >> 16))
            a += fq * (b - a)
            c += fq * (d - c)
            value = a + fp * (c - a)
            weight = _weight(rays, n, r, at)
            add(sums, int32(r), weight * max(value - _AIR, _ZERO))
            add(sums, int32(n + r), weight * _bone(value))


@njit(**_OPTIONS)
def _march_along(volume, n, first, last, stride_x, stride_y, p_max, q_max, top, rays, sums):
    """Sums (HU above air, bone) of a bundle along z, whose end slices repeat; p is x, q is y."""
    for plane in range(first, last + 1):
        base = int32(min(max(plane, 0), top))
        at = float32(plane)
        for r in range(n):
            p = _position(rays, n, r, _P0, at, p_max)
            q = _position(rays, n, r, _Q0, at, q_max)
            ip, iq = int32(p), int32(q)
            fp, fq = p - float32(ip), q - float32(iq)
            index = int32(base + ip * stride_x + iq * stride_y)
            a = float32(int32(get(volume, index) & 0xFFFF))
            b = float32(int32(get(volume, int32(index + stride_y)) & 0xFFFF))
            c = float32(int32(get(volume, int32(index + stride_x)) & 0xFFFF))
            d = float32(int32(get(volume, int32(index + stride_x + stride_y)) & 0xFFFF))
            a += fq * (b - a)
            c += fq * (d - c)
            value = a + fp * (c - a)
            weight = _weight(rays, n, r, at)
            add(sums, int32(r), weight * max(value - _AIR, _ZERO))
            add(sums, int32(n + r), weight * _bone(value))


@njit(**_OPTIONS)
def _steepest(direction):
    x, y, z = abs(direction[0]), abs(direction[1]), abs(direction[2])
    if z > x and z > y:
        return 2
    return 0 if x >= y else 1


@njit(**_OPTIONS)
def _set_ray(rays, n, r, source, direction, a, p, q, length_mm):
    """Describes one ray by its crossings of the planes of axis ``a``."""
    inverse = 1.0 / direction[a]
    rays[_PS * n + r] = direction[p] * inverse
    rays[_QS * n + r] = direction[q] * inverse
    rays[_P0 * n + r] = source[p] - source[a] * direction[p] * inverse
    rays[_Q0 * n + r] = source[q] - source[a] * direction[q] * inverse
    rays[_BEGIN * n + r] = min(source[a], source[a] + direction[a])
    rays[_END * n + r] = max(source[a], source[a] + direction[a])
    rays[_CM * n + r] = 0.1 * length_mm * abs(inverse)


@njit(**_OPTIONS)
def _clip(start, slope, limit, low, high):
    """The part of [low, high] in which ``start + i slope`` lies within [0, limit]."""
    if slope == 0.0:
        return (low, high) if 0.0 <= start <= limit else (1.0, 0.0)
    one, two = -start / slope, (limit - start) / slope
    return max(low, min(one, two)), min(high, max(one, two))


@njit(**_OPTIONS)
def _planes(rays, n, a, shape, p_max, q_max):
    """First and last plane that any ray of the bundle meets inside the box."""
    first, last = np.inf, -np.inf
    for r in range(n):
        if rays[_CM * n + r] == 0.0:
            continue
        low, high = rays[_BEGIN * n + r] - 1.0, rays[_END * n + r] + 1.0
        low, high = _clip(rays[_P0 * n + r], rays[_PS * n + r], p_max, low, high)
        if a == 2:
            low, high = _clip(rays[_Q0 * n + r], rays[_QS * n + r], q_max, low, high)
        else:
            low, high = max(low, 0.0), min(high, shape[a] - 1.0)
        if low <= high:
            first, last = min(first, low), max(last, high)
    return (int(np.ceil(first)), int(np.floor(last))) if first <= last else (0, -1)


@njit(**_OPTIONS)
def _bundle(packed, volume, source, first_pixel, step, affine, rays, sums, n):
    """Line integrals (soft, bone), left in ``sums``, of n rays to ``first_pixel + r step`` (padded voxel indices)."""
    shape = packed.shape
    stride_x, stride_y = int32(shape[1] * shape[2]), int32(shape[2])
    total = np.zeros(2 * n, np.float32)
    for a in range(3):
        p, q = (1, 2) if a == 0 else ((0, 2) if a == 1 else (0, 1))
        rays[: 7 * n] = 0.0
        found = False
        for r in range(n):
            direction = first_pixel + r * step - source
            if _steepest(direction) == a and direction[a] != 0.0:
                mm = affine @ direction
                _set_ray(rays, n, r, source, direction, a, p, q, np.sqrt(mm @ mm))
                found = True
        if not found:
            continue
        p_max, q_max = float32(shape[p] - 2), float32(shape[q] - (2 if a == 2 else 1))
        first, last = _planes(rays, n, a, shape, p_max, q_max)
        sums[: 2 * n] = 0.0
        if a == 2:
            _march_along(volume, n, first, last, stride_x, stride_y, p_max, q_max, shape[2] - 1, rays, sums)
        else:
            stride_a, stride_p = (stride_x, stride_y) if a == 0 else (stride_y, stride_x)
            _march_across(volume, n, first, last, stride_a, stride_p, p_max, q_max, rays, sums)
        for r in range(n):
            bone = sums[n + r]
            total[r] += rays[_CM * n + r] * (_SOFT_OF_TOTAL * sums[r] - _SOFT_OF_BONE * bone)
            total[n + r] += rays[_CM * n + r] * bone
    return total


@njit(parallel=True, **_OPTIONS)
def project(packed, sources, corners, columns, rows, affine, images):
    """Fills ``images`` [M, 2, H, W] for one volume.

    Cameras are given in padded voxel indices, float64 [M, 3]: focal spot, centre of pixel (0, 0), step to the next
    column and to the next row. ``affine`` [3, 3] takes index steps to millimetres.
    """
    cameras, _, height, width = images.shape
    blocks = (width + BLOCK - 1) // BLOCK
    volume = packed.reshape(-1)
    for task in prange(cameras * blocks):
        camera, block = task % cameras, task // cameras
        rays, sums = np.empty(7 * BUNDLE, np.float32), np.empty(2 * BUNDLE, np.float32)
        for column in range(block * BLOCK, min(block * BLOCK + BLOCK, width)):
            top = corners[camera] + column * columns[camera]
            for row in range(0, height, BUNDLE):
                n = min(BUNDLE, height - row)
                pixel = top + row * rows[camera]
                total = _bundle(packed, volume, sources[camera], pixel, rows[camera], affine, rays, sums, n)
                images[camera, 0, row : row + n, column] = total[:n]
                images[camera, 1, row : row + n, column] = total[n:]
