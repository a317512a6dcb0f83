"""Rules for shoulders and elbows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.segmented.found import Found, Masks, Unfit, need, uncut
from carm_env.patient.segmented.geometry import depth_mm, fit_sphere, surface_points
from carm_env.patient.segmented.mask import Mask

F64 = NDArray[np.float64]
HEAD_RADIUS_MM = (15.0, 33.0)
_LEAST_COVER = 0.4
_CONDYLE_MM = 24.0
"""Reach of the condyles from the distal end of the humerus."""
_LATERAL_SHARE = 0.03
"""How far the joint's middle lies lateral of the epicondyles' middle (share of their distance): the medial one stands
out further (estimate)."""
_TIP_MM = 4.0


def humeral_head(masks: Masks, side: str) -> Found:
    """Centre of the sphere fitted to the humerus about its thickest place."""
    name = f"humerus_{side}"
    centre, radius = _head(need(masks, name), name)
    return Found(uncut(masks, name, centre, radius), 3.0)


def scapula(masks: Masks, side: str) -> Found:
    """Inferior angle: middle of the lowest 4 mm of the scapula, raised by 1.5 mm into the bone."""
    name = f"scapula_{side}"
    points = need(masks, name).points()
    low = points[points[:, 2] < points[:, 2].min() + _TIP_MM].mean(axis=0) + np.array([0.0, 0.0, 1.5])
    return Found(uncut(masks, name, low, _TIP_MM + 3.0), 4.0)


def elbow(masks: Masks, side: str) -> Found:
    """Centre of the axis of trochlea and capitulum.

    Along the shaft and from front to back: the mean of the deepest places of slices through the condyles; across: the
    middle between the epicondyles, moved to the lateral side by a thirtieth of their distance. The lateral side is the
    one that the humeral head does not look to.
    """
    name = f"humerus_{side}"
    mask = need(masks, name)
    head, radius = _head(mask, name)
    points = mask.points()
    along, origin = _shaft(points, head, radius, name)
    t = (points - origin) @ along
    end = float(t.max())
    middle, across = _widest(points[t > end - _CONDYLE_MM], along)
    across *= np.sign((origin - head) @ across) or 1.0
    centre = _deepest(mask, points, t > end - _CONDYLE_MM, across)
    width = (points[t > end - 1.5 * _CONDYLE_MM] - middle) @ across
    wanted = 0.5 * (width.min() + width.max()) + _LATERAL_SHARE * (width.max() - width.min())
    centre = centre + (wanted - (centre - middle) @ across) * across
    return Found(uncut(masks, name, centre, 20.0), 4.0)


def _head(mask: Mask, name: str) -> tuple[F64, float]:
    depth = depth_mm(mask)
    seed = mask.to_mm(np.unravel_index(int(np.argmax(depth)), depth.shape))
    centre, radius, cover = fit_sphere(surface_points(mask), seed, float(depth.max()))
    if not HEAD_RADIUS_MM[0] <= radius <= HEAD_RADIUS_MM[1] or cover < _LEAST_COVER:
        raise Unfit(f"the head of {name} is not a sphere")
    return centre, radius


def _shaft(points: F64, head: F64, radius: float, name: str) -> tuple[F64, F64]:
    """Unit vector along the shaft towards the elbow, and a point of its axis in the distal third."""
    away = points[np.argmax(((points - head) ** 2).sum(axis=1))] - head
    if np.linalg.norm(away) < 8.0 * radius:
        raise Unfit(f"{name} is not whole")
    along, origin = away / np.linalg.norm(away), head
    for _ in range(2):
        t = (points - head) @ along
        share = t / t.max()
        upper = points[(share > 0.3) & (share < 0.45)].mean(axis=0)
        origin = points[(share > 0.65) & (share < 0.75)].mean(axis=0)
        along = (origin - upper) / np.linalg.norm(origin - upper)
    return along, origin


def _widest(points: F64, along: F64) -> tuple[F64, F64]:
    """Mean of points [N, 3] and the unit vector across ``along`` in which they spread most."""
    middle = points.mean(axis=0)
    flat = points - middle
    flat = flat - np.outer(flat @ along, along)
    return middle, np.linalg.svd(flat.T @ flat)[0][:, 0]


def _deepest(mask: Mask, points: F64, part: NDArray[np.bool_], across: F64) -> F64:
    """Mean over slices 3 mm thick along ``across`` of the deepest places of a part of the mask's points [N]."""
    depth = depth_mm(mask)[mask.voxels][part]
    some = points[part]
    t = some @ across
    edges = np.arange(t.min() + 4.0, t.max() - 4.0, 3.0)
    places = []
    for low in edges:
        here = np.flatnonzero((t >= low) & (t < low + 3.0))
        if len(here) > 5:
            places.append(some[here[depth[here] >= depth[here].max() - 0.5]].mean(axis=0))
    if not places:
        raise Unfit("the condyles are too small")
    return np.asarray(np.mean(places, axis=0))
