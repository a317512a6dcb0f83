"""Ray loops of the dose model (numba): imported only by the functions that call them.

All in the table frame (mm), Gy-family doses in mGy; a ray is followed in the voxel indices of a ``BodyGrid``.
"""

from __future__ import annotations

import math

import numpy as np

from carm_env.xray.dose.beams import Beam, Edge, Scene
from carm_env.xray.dose.quality import BACKSCATTER_STEP_CM
from carm_env.xray.kernels import _bilinear, _cell, _exp, box_share, inline, kernel
from carm_env.xray.lookup import KERMA

BODY_STEP_MM, SKIN_STEP_MM = 3.0, 4.0
"""Steps along rays to points in the body and to the skin."""
SKIN_LIFT_MM = 5.0
"""The last part of a ray to a cell of the skin is left out: it runs along the cell's own surface."""
EMPTY_HU = -1000.0


@inline
def _view(beam, point):
    """Depth along the beam's axis (mm), squared distance from the source, and how far the ray passes beyond the
    field's edges along u and v at the detector (negative inside; nothing meant by it behind the source)."""
    dx, dy, dz = point[0] - beam.source[0], point[1] - beam.source[1], point[2] - beam.source[2]
    a = beam.axes
    depth = dx * a[2, 0] + dy * a[2, 1] + dz * a[2, 2]
    per_depth = beam.sid / depth if depth > 0.0 else 0.0
    u = (dx * a[0, 0] + dy * a[0, 1] + dz * a[0, 2]) * per_depth - beam.centre[0]
    v = (dx * a[1, 0] + dy * a[1, 1] + dz * a[1, 2]) * per_depth - beam.centre[1]
    return depth, dx * dx + dy * dy + dz * dz, abs(u) - beam.half[0], abs(v) - beam.half[1]


@inline
def _through_table(scene, start, end, length_mm):
    """g/cm2 of the table on the way from ``start`` to ``end``."""
    return box_share(start, end, scene.low, scene.high) * length_mm * scene.gcm2_per_mm


@inline
def _index(scene, point, i):
    a = scene.to_index
    return a[i, 0] * point[0] + a[i, 1] * point[1] + a[i, 2] * point[2] + a[i, 3]


@inline
def _sample(hu, x, y, z):
    """Trilinear Hounsfield unit; x and y lie within the grid, beyond its ends along z the end slices go on."""
    i, j = min(int(x), hu.shape[0] - 2), min(int(y), hu.shape[1] - 2)
    w = min(max(z, 0.0), hu.shape[2] - 1.0)
    k = min(int(w), hu.shape[2] - 2)
    fx, fy, fz = x - i, y - j, w - k
    a = hu[i, j, k] + fz * (hu[i, j, k + 1] - hu[i, j, k])
    b = hu[i, j + 1, k] + fz * (hu[i, j + 1, k + 1] - hu[i, j + 1, k])
    c = hu[i + 1, j, k] + fz * (hu[i + 1, j, k + 1] - hu[i + 1, j, k])
    d = hu[i + 1, j + 1, k] + fz * (hu[i + 1, j + 1, k + 1] - hu[i + 1, j + 1, k])
    low, high = a + fy * (b - a), c + fy * (d - c)
    return low + fx * (high - low)


@inline
def _through_body(scene, start, end, length_mm, lift_mm, step_mm, least_hu):
    """(soft, bone) in g/cm2 on the way from ``start`` to ``lift_mm`` before ``end``; samples below ``least_hu`` count
    as air."""
    x0, y0, z0 = _index(scene, start, 0), _index(scene, start, 1), _index(scene, start, 2)
    dx, dy, dz = _index(scene, end, 0) - x0, _index(scene, end, 1) - y0, _index(scene, end, 2) - z0
    t0, t1 = 0.0, 1.0 - lift_mm / length_mm
    for at, d, last in ((x0, dx, scene.hu.shape[0] - 1.0), (y0, dy, scene.hu.shape[1] - 1.0)):
        if d == 0.0:
            if at < 0.0 or at > last:
                t1 = 0.0
            continue
        t0, t1 = max(t0, min(-at / d, (last - at) / d)), min(t1, max(-at / d, (last - at) / d))
    soft, bone, mix = 0.0, 0.0, scene.mix
    if t1 > t0:
        steps = math.ceil((t1 - t0) * length_mm / step_mm)
        cm = 0.1 * (t1 - t0) * length_mm / steps
        for s in range(steps):
            t = t0 + (t1 - t0) * (s + 0.5) / steps
            h = _sample(scene.hu, x0 + t * dx, y0 + t * dy, z0 + t * dz)
            if h > least_hu:
                mixed = max(min(mix[2] * (h - mix[3]), mix[4] * (h + 1000.0)), 0.0)
                soft += cm * (mix[0] * (h + 1000.0) - mix[1] * mixed)
                bone += cm * mixed
    return soft, bone


@inline
def _transmission(values, soft, bone):
    i, j, fx, fy = _cell(np.float32(soft), np.float32(bone))
    return _exp(_bilinear(values, i, j, fx, fy, KERMA))


@inline
def _backscatter(beam, side_cm):
    x = min(side_cm / BACKSCATTER_STEP_CM, len(beam.backscatter) - 1.001)
    i = int(x)
    return beam.backscatter[i] + (x - i) * (beam.backscatter[i + 1] - beam.backscatter[i])


@kernel
def irradiate_skin(beam: Beam, scene: Scene, cells, normals, air_hu, out):
    """Adds one irradiation's skin dose to ``out`` [P]."""
    side_cm = 0.2 * math.sqrt(beam.half[0] * beam.half[1]) / beam.sid
    for p in range(len(cells)):
        cell, n = cells[p], normals[p]
        away = (
            n[0] * (cell[0] - beam.source[0]) + n[1] * (cell[1] - beam.source[1]) + n[2] * (cell[2] - beam.source[2])
        )
        if away >= 0.0:
            continue
        depth, squared, beyond_u, beyond_v = _view(beam, cell)
        if depth <= 0.0 or beyond_u > 0.0 or beyond_v > 0.0:
            continue
        length = math.sqrt(squared)
        soft, bone = _through_body(scene, beam.source, cell, length, SKIN_LIFT_MM, SKIN_STEP_MM, air_hu)
        soft += _through_table(scene, beam.source, cell, length)
        kerma = beam.kerma / squared * _transmission(beam.values, soft, bone)
        out[p] += kerma * _backscatter(beam, side_cm * depth) * beam.medium


@kernel
def irradiate_points(beam: Beam, scene: Scene, edge: Edge, points, inside, outside):
    """Adds one irradiation's dose to points in the body, [Q]: to ``inside`` where they lie in the field, else to
    ``outside``."""
    field_cm = 0.2 * math.sqrt(beam.half[0] * beam.half[1]) / beam.sid
    for q in range(len(points)):
        depth, squared, beyond_u, beyond_v = _view(beam, points[q])
        if depth <= 0.0:
            continue
        apart = math.hypot(max(beyond_u, 0.0), max(beyond_v, 0.0)) * depth / beam.sid
        if apart > edge.reach:
            continue
        length = math.sqrt(squared)
        soft, bone = _through_body(scene, beam.source, points[q], length, 0.0, BODY_STEP_MM, EMPTY_HU)
        table = _through_table(scene, beam.source, points[q], length)
        primary = beam.kerma / squared * _transmission(beam.values, soft + table, bone) * beam.medium
        side_cm = field_cm * depth
        rise = edge.buildup * side_cm / (1.0 + (side_cm / edge.half_side) ** 2) * (soft + bone)
        scattered = primary * (_backscatter(beam, side_cm) - 1.0 + rise)
        if apart == 0.0:
            inside[q] += primary + scattered
        else:
            efold = edge.efold + edge.efold_rise * (soft + bone)
            outside[q] += edge.share * scattered * math.exp(-apart / efold)
