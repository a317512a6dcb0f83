"""Compiled kernels: placing the gantry, clearances, and the sweep to the last free pose.

A capsule is a row (ax, ay, az, bx, by, bz, radius); importing this module imports numba.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from carm_env.geometry.distance import segment_box_mm, segment_segment_mm

F64 = NDArray[np.float64]

SAMPLE_MM = 10.0
"""Greatest motion of any gantry point between two checked poses."""
WORSE_MM = 1e-6
"""In contact already: a clearance that shrinks by less than this counts as unchanged."""


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def place(local: F64, pose: F64, plane: int, swing_deg: float, pivot_mm: float, out: F64) -> None:
    """Places a plane's capsules in the table frame.

    Args:
        local: [K, 7] along image columns u, rows v and detector direction d, origin at the isocentre.
        pose: [8] in ``AXES`` order.
        plane: 0 = A, 1 = B.
        swing_deg: how far plane B is swung up from its deployed place, about the transverse axis ``pivot_mm`` beyond
            the isocentre.
        out: [K, 7], overwritten.
    """
    a, b = math.radians(pose[3 + 2 * plane]), math.radians(pose[4 + 2 * plane])
    u = (math.cos(a), math.sin(a), 0.0)
    v = (math.sin(a) * math.sin(b), -math.cos(a) * math.sin(b), -math.cos(b))
    d = (math.sin(a) * math.cos(b), -math.cos(a) * math.cos(b), math.sin(b))
    cosine, sine = math.cos(math.radians(swing_deg)), math.sin(math.radians(swing_deg))
    for k in range(len(local)):
        for e in (0, 3):
            p, q, r = local[k, e], local[k, e + 1], local[k, e + 2]
            y = p * u[1] + q * v[1] + r * d[1]
            z = p * u[2] + q * v[2] + r * d[2] - pivot_mm
            out[k, e] = pose[0] + p * u[0] + q * v[0] + r * d[0]
            out[k, e + 1] = pose[1] + y * cosine + z * sine
            out[k, e + 2] = pose[2] - y * sine + z * cosine + pivot_mm
        out[k, 6] = local[k, 6]


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _between(one: F64, two: F64, cutoff_mm: float) -> float:
    """Least clearance of two sets of capsules, at most ``cutoff_mm``; bounding spheres sort out the far ones."""
    best = cutoff_mm
    for i in range(len(one)):
        p = one[i]
        for j in range(len(two)):
            q = two[j]
            middle = first = second = 0.0
            for e in range(3):
                middle += (p[e] + p[e + 3] - q[e] - q[e + 3]) ** 2
                first += (p[e] - p[e + 3]) ** 2
                second += (q[e] - q[e + 3]) ** 2
            radii = p[6] + q[6]
            if 0.5 * (math.sqrt(middle) - math.sqrt(first) - math.sqrt(second)) - radii < best:
                best = min(best, segment_segment_mm(p[:3], p[3:6], q[:3], q[3:6]) - radii)
    return best


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _from_box(shapes: F64, low: F64, high: F64, cutoff_mm: float) -> float:
    best = cutoff_mm
    for i in range(len(shapes)):
        p = shapes[i]
        outside = length = 0.0
        for e in range(3):
            x = 0.5 * (p[e] + p[e + 3])
            outside += (x - min(max(x, low[e]), high[e])) ** 2
            length += (p[e] - p[e + 3]) ** 2
        if math.sqrt(outside) - 0.5 * math.sqrt(length) - p[6] < best:
            best = min(best, segment_box_mm(p[:3], p[3:6], low, high) - p[6])
    return best


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def clearances(
    local_a: F64, local_b: F64, hull: F64, slab: F64, pose: F64, swing: F64, cutoff_mm: float, work: F64, out: F64
) -> None:
    """Clearance of each of ``PAIRS`` at a pose, capped at ``cutoff_mm``; negative in contact.

    Args:
        local_a, local_b: capsules of the planes, [K, 7]; ``local_b`` empty without plane B.
        hull: patient in the table frame, [H, 7], may be empty.
        slab: low and high corner of the table, [2, 3].
        swing: deploy angle of the working place and pivot distance, [2].
        work: scratch, [2, K or more, 7]; out: [5], overwritten.
    """
    a, b = work[0, : len(local_a)], work[1, : len(local_b)]
    place(local_a, pose, 0, 0.0, 0.0, a)
    place(local_b, pose, 1, swing[0] - pose[7], swing[1], b)
    out[0] = _between(a, hull, cutoff_mm)
    out[1] = _from_box(a, slab[0], slab[1], cutoff_mm)
    out[2] = _between(b, hull, cutoff_mm)
    out[3] = _from_box(b, slab[0], slab[1], cutoff_mm)
    out[4] = _between(a, b, cutoff_mm)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _motion_mm(start: F64, end: F64, reach: F64) -> float:
    """Upper bound of the way of any gantry point against anything else between two poses."""
    shift = math.sqrt((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2 + (end[2] - start[2]) ** 2)
    a = math.radians(abs(end[3] - start[3]) + abs(end[4] - start[4])) * reach[0]
    b = math.radians(abs(end[5] - start[5]) + abs(end[6] - start[6])) * reach[1]
    return shift + a + b + math.radians(abs(end[7] - start[7])) * reach[2]


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _blocked(now: F64, before: F64) -> int:
    """The deepest pair in contact that came closer since the sample before, -1 for none."""
    worst = -1
    for pair in range(len(now)):
        closer = now[pair] < 0.0 and now[pair] < before[pair] - WORSE_MM
        if closer and (worst < 0 or now[pair] < now[worst]):
            worst = pair
    return worst


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _part_way(start: F64, end: F64, share: float, out: F64) -> None:
    for i in range(len(start)):
        out[i] = end[i] if share == 1.0 else start[i] + share * (end[i] - start[i])


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def sweep_lane(
    local_a: F64, local_b: F64, hull: F64, slab: F64, swing: F64, reach: F64, start: F64, end: F64, work: F64
) -> int:
    """Moves one lane from ``start`` to ``end`` (overwritten by the last free pose); the touching pair, -1 for none.

    Poses at most ``SAMPLE_MM`` apart are checked, none where nothing is nearer than the whole motion. A pose is blocked
    where a pair is in contact and closer than at the sample before: who starts in contact may back out.
    """
    motion = _motion_mm(start, end, reach)
    steps = math.ceil(motion / SAMPLE_MM)
    cutoff = motion + 1.0
    now, before, pose = np.empty(5), np.full(5, cutoff), np.empty(8)
    for k in range(steps + 1 if steps else 0):
        _part_way(start, end, k / steps, pose)
        clearances(local_a, local_b, hull, slab, pose, swing, cutoff, work, now)
        touching = _blocked(now, before) if k else -1
        if touching >= 0:
            _part_way(start, end, (k - 1) / steps, end)
            return touching
        nearest = cutoff
        for pair in range(5):
            before[pair] = now[pair]
            nearest = min(nearest, now[pair])
        if k == 0 and nearest >= cutoff:
            return -1
    return -1


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def sweep_lanes(
    local_a: F64,
    local_b: F64,
    hulls: F64,
    first: NDArray[np.int64],
    slab: F64,
    swing: F64,
    reach: F64,
    start: F64,
    end: F64,
    pair: NDArray[np.int64],
) -> None:
    """``sweep_lane`` for N lanes: ``hulls[first[n]:first[n + 1]]`` is lane n's patient; fills ``end`` and ``pair``."""
    work = np.empty((2, max(len(local_a), len(local_b)), 7))
    for n in range(len(start)):
        hull = hulls[first[n] : first[n + 1]]
        pair[n] = sweep_lane(local_a, local_b, hull, slab, swing, reach, start[n], end[n], work)
