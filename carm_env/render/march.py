"""A bundle of rays through a stored volume, plane by plane (see ``kernels``)."""

from __future__ import annotations

from numba import float32, int32, njit

from carm_env.render.llvm_access import add, get, get_pair, prefetch, swap
from carm_env.render.model import STORED_AIR
from carm_env.render.rays import BEGIN, END, INLINE, OPTIONS, P0, Q0, footprint

BRICK = 8
"""Voxels a side of a brick that is skipped when it holds nothing denser than air."""
AHEAD = 2
"""Planes that are fetched before they are needed."""
_LINE = 32
"""Voxels in a cache line."""

_AIR = float32(STORED_AIR)
_ZERO, _HALF, _ONE, _THIRD, _TWO_THIRDS = float32(0), float32(0.5), float32(1), float32(1 / 3), float32(2 / 3)


@njit(**INLINE)
def _position(rays, n, r, start, at, limit):
    position = get(rays, start * n + r) + at * get(rays, (start + 1) * n + r)
    return min(max(position, _ZERO), limit)


@njit(**INLINE)
def _sample(volume, rays, n, r, at, base, stride_p, p_max, q_max):
    """Bilinear stored value in a plane; q runs along memory."""
    p, q = _position(rays, n, r, P0, at, p_max), _position(rays, n, r, Q0, at, q_max)
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
def _deposit(total, bone, last_value, r, value, model):
    """Adds the interval from the plane before to this one, when every ray of the bundle crosses it whole."""
    before = swap(last_value, r, value)
    add(total, r, max(value - _AIR, _ZERO))
    add(bone, r, _THIRD * _bone(value, model) + _TWO_THIRDS * _bone(_HALF * (before + value), model))


@njit(**INLINE)
def _deposit_part(rays, total, bone, last_value, n, r, at, value, model):
    """Adds the part of the interval from the plane before to this one that lies between BEGIN and END."""
    before = swap(last_value, r, value)
    start = min(max(get(rays, BEGIN * n + r) - at, -_ONE), _ZERO)
    stop = min(max(get(rays, END * n + r) - at, -_ONE), _ZERO)
    one, two = value + start * (value - before), value + stop * (value - before)
    part = stop - start
    add(total, r, part * _HALF * (max(one - _AIR, _ZERO) + max(two - _AIR, _ZERO)))
    ends = _HALF * (_bone(one, model) + _bone(two, model))
    add(bone, r, part * (_THIRD * ends + _TWO_THIRDS * _bone(_HALF * (one + two), model)))


@njit(**OPTIONS)
def _fetch(volume, rays, n, height, plane, base, stride_p, p_max, q_max):
    """Asks for the cache lines of a plane that a bundle is about to cross."""
    p0, p1 = footprint(rays, n, height, P0, plane, plane, p_max)
    q0, q1 = footprint(rays, n, height, Q0, plane, plane, q_max)
    for p in range(p0, p1 + 1):
        line = base + p * stride_p
        for q in range(q0, q1 + _LINE, _LINE):
            prefetch(volume, line + min(q, q1))


@njit(**OPTIONS)
def _occupied(bricks, strides, rays, n, height, plane, stop, top, p_max, q_max):
    """Whether a bundle meets a brick that is not empty between two planes of one row of bricks."""
    p0, p1 = footprint(rays, n, height, P0, plane, stop, p_max)
    q0, q1 = footprint(rays, n, height, Q0, plane, stop, q_max)
    row = min(max(plane, 0), top) // BRICK * strides[0]
    last_q = min(q1 // BRICK, strides[3])
    for p in range(p0 // BRICK, p1 // BRICK + 1):
        for q in range(q0 // BRICK, last_q + 1):
            if bricks[row + p * strides[1] + q * strides[2]]:
                return True
    return False


@njit(**OPTIONS)
def march(
    volume, n, height, first, last, top, strides, p_max, q_max, bricks, brick_strides, whole, regular, rays, sums, model
):
    """Sums (stored value above air, bone) of a bundle into ``sums`` [3, n], in units of the step between planes.

    Args:
        first, last: planes; those below 0 and above ``top`` repeat the end planes.
        strides: from plane to plane and along p, in voxels.
        bricks, brick_strides: which bricks hold anything; steps along the axis, p and q, and the last brick along q.
        whole: no ray ends between ``first`` and ``last``.
        regular: all rays run along this axis, so what lies between the bundle's corners is all it meets.
    """
    total, bone, last_value = sums[0], sums[1], sums[2]
    stride_a, stride_p = int32(strides[0]), int32(strides[1])
    plane = first
    while plane <= last:
        stop = min(last, plane - plane % BRICK + BRICK - 1)
        if regular and not _occupied(bricks, brick_strides, rays, n, height, plane, stop, top, p_max, q_max):
            last_value[:] = _ZERO
            plane = stop + 1
            continue
        if stop < last:
            stop += 1
        while plane <= stop:
            base, at = int32(min(max(plane, 0), top) * stride_a), float32(plane)
            if regular and plane + AHEAD <= last:
                ahead = min(max(plane + AHEAD, 0), top)
                _fetch(volume, rays, n, height, plane + AHEAD, ahead * stride_a, strides[1], p_max, q_max)
            if whole:
                for r in range(n):
                    value = _sample(volume, rays, n, r, at, base, stride_p, p_max, q_max)
                    _deposit(total, bone, last_value, r, value, model)
            else:
                for r in range(n):
                    value = _sample(volume, rays, n, r, at, base, stride_p, p_max, q_max)
                    _deposit_part(rays, total, bone, last_value, n, r, at, value, model)
            plane += 1
