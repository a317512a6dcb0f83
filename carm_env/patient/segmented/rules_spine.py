"""Rule for vertebrae: the centre of the body, which lies in front of the spinal canal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.segmented.found import Found, Masks, Unfit, need, uncut
from carm_env.patient.segmented.geometry import depth_mm, thick_part
from carm_env.patient.segmented.mask import Mask, coarser

F64 = NDArray[np.float64]
_OPEN_SHARE = 0.7
_DEPTH_MM = (4.0, 25.0)
_LEVEL_MM = 6.0


def vertebra(masks: Masks, level: str) -> Found:
    """Centroid of the body of a vertebra (``T1``, ``L5``): what is left of the vertebra when a ball of 0.7 times its
    largest inscribed one is rolled inside it; of that, where the spinal cord's mask passes, the part in front of it."""
    name = f"vertebrae_{level}"
    mask = need(masks, name)
    depth = float(depth_mm(mask).max())
    if not _DEPTH_MM[0] <= depth <= _DEPTH_MM[1]:
        raise Unfit(f"{name} has no body (largest ball inside: {depth:.0f} mm)")
    body = thick_part(mask, _OPEN_SHARE)
    front = _front_of_cord(body, masks)
    point = body.centroid() if front is None else front.mean(axis=0)
    return Found(uncut(masks, name, point, 12.0), 3.0 if front is not None else 4.0)


def _front_of_cord(body: Mask, masks: Masks) -> F64 | None:
    """Points [N, 3] of the body in front of the cord, or None where the cord's mask does not pass it."""
    if "spinal_cord" not in masks:
        return None
    cord, middle = coarser(masks["spinal_cord"]).points(), body.centroid()
    beside = cord[np.abs(cord[:, 2] - middle[2]) < _LEVEL_MM]
    if len(beside) < 10:
        return None
    way = middle - beside.mean(axis=0)
    way[2] = 0.0
    if not 5.0 < np.linalg.norm(way) < 60.0:
        return None
    way /= np.linalg.norm(way)
    points = body.points()
    front = points[points @ way > np.percentile(beside @ way, 98)]
    return front if len(front) > 0.5 * len(points) else None
