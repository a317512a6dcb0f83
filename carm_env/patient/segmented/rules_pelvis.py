"""Rules for the pelvis: iliac crests, pubic symphysis, femoral heads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.segmented.found import Found, Masks, Unfit, need, uncut
from carm_env.patient.segmented.geometry import cover, fit_sphere, largest, surface_points
from carm_env.patient.segmented.mask import Mask, merged

F64 = NDArray[np.float64]
RADIUS_MM = (16.0, 33.0)
_LEAST_COVER = 0.5
_JOINT_MM, _LEAST_SOCKET = 9.0, 0.4
"""Reach beyond the head in which the socket must lie, and the share of the head that it must cover."""
_CAP_MM = 4.0
_PUBIS_MM = 110.0
_FACING_MM = 6.0
_WIDEST_GAP_MM = 20.0


def iliac_crest(masks: Masks, side: str) -> Found:
    """Top of the crest, in the bone: the highest 4 mm of the hip bone, higher voxels weighing more, 3 mm below the
    highest."""
    name = f"hip_{side}"
    points = need(masks, name).points()
    top = float(points[:, 2].max())
    cap = points[points[:, 2] > top - _CAP_MM]
    point = np.average(cap, axis=0, weights=cap[:, 2] - top + _CAP_MM)
    point[2] = top - 3.0
    return Found(uncut(masks, name, point, 8.0), 6.0)


def femoral_head(masks: Masks, side: str) -> Found:
    """Centre of the sphere fitted to the femur about a point 20 mm below its highest; it must lie in the socket."""
    name = f"femur_{side}"
    mask = need(masks, name)
    points = surface_points(mask)
    top = points[points[:, 2] > points[:, 2].max() - 4.0].mean(axis=0)
    centre, radius, covered = fit_sphere(points, top - np.array([0.0, 0.0, 20.0]), 24.0)
    if not RADIUS_MM[0] <= radius <= RADIUS_MM[1] or covered < _LEAST_COVER:
        raise Unfit(f"the head of {name} is not a sphere")
    if f"hip_{side}" in masks:
        around = surface_points(need(masks, f"hip_{side}")) - centre
        near = around[np.linalg.norm(around, axis=1) < radius + _JOINT_MM]
        if cover(near, 17.0) < _LEAST_SOCKET:
            raise Unfit(f"the head of {name} is not in the socket of hip_{side} (a prosthesis?)")
    return Found(uncut(masks, name, centre, radius), 3.0)


def pubic_symphysis(masks: Masks) -> Found:
    """Middle of the joint: centroid of the gap between both hip bones, taken along x in each row of their lowest
    110 mm, where it is less than 6 mm (two voxels) wider than at its narrowest."""
    left, right = need(masks, "hip_left"), need(masks, "hip_right")
    both = merged([left, right])
    inner = _edge(left, both, first=True), _edge(right, both, first=False)
    spacing = both.grid.spacing_mm
    gap = (inner[0] - inner[1] - 1.0) * spacing[0]
    gap[:, np.arange(gap.shape[1]) * spacing[2] > _PUBIS_MM] = np.nan
    if np.isnan(gap).all():
        raise Unfit("the hip bones do not face each other")
    near = gap[gap < np.nanmin(gap) + 30.0]
    narrow = float(np.percentile(near, 5))
    if not -4.0 <= narrow <= _WIDEST_GAP_MM:
        raise Unfit(f"the hip bones are {narrow:.0f} mm apart at the symphysis")
    rows = largest(gap < narrow + max(_FACING_MM, 2.1 * spacing[0]))
    x = 0.5 * (inner[0][rows] + inner[1][rows])
    point = both.to_mm(np.column_stack([x, np.argwhere(rows)])).mean(axis=0)
    for name in ("hip_left", "hip_right"):
        uncut(masks, name, point, 25.0)
    return Found(point, 4.0)


def _edge(mask: Mask, whole: Mask, first: bool) -> F64:
    """Index along x, within ``whole``, of the first or last voxel of each row [Y, Z]; NaN where there is none."""
    voxels = mask.voxels
    at = voxels.argmax(axis=0) if first else voxels.shape[0] - 1 - voxels[::-1].argmax(axis=0)
    x, y, z = np.subtract(mask.start, whole.start)
    found = np.full(whole.voxels.shape[1:], np.nan)
    found[y : y + voxels.shape[1], z : z + voxels.shape[2]] = np.where(voxels.any(axis=0), at + x, np.nan)
    return found
