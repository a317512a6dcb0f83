"""Rule for the wrists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.segmented.found import Found, Masks, Unfit, uncut
from carm_env.patient.segmented.mask import coarser, pieces
from carm_env.patient.segmented.rules_limbs import elbow

F64 = NDArray[np.float64]
_JOINT_MM = 45.0
"""Reach of the elbow: bones of the forearm come nearer to it."""
_LEAST_FOREARM_MM = 150.0
_CAPITATE_MM = 3.0
_BEYOND_FOREARM_MM = 18.0


def wrist(masks: Masks, side: str) -> Found:
    """Centre of the capitate: from the centroid of the carpal bones 3 mm towards the fingers and 3 mm away from the
    thumb; without a carpal mask 18 mm beyond the end of the forearm.

    The carpal bones spread most from the thumb (the radius' side) to the little finger, and then along the hand. The
    fingers lie where the metacarpal bones are or, without a mask of these, away from the forearm.

    Where both sides share a class, the bones of a side are those that hang on its elbow.
    """
    arms = {}
    for each in ("right", "left"):
        try:
            arms[each] = _forearm(masks, each)
        except Unfit:
            if each == side:
                raise
    arm = arms[side]
    carpals = _carpals(masks, side, arms)
    if carpals is None:
        along = (arm.end - arm.elbow) / np.linalg.norm(arm.end - arm.elbow)
        return Found(_inside(masks, side, ("radius", "ulna"), arm.end + _BEYOND_FOREARM_MM * along), 12.0)
    middle = carpals.mean(axis=0)
    axes = np.linalg.svd((carpals - middle).T @ (carpals - middle))[0]
    along = axes[:, 1] * np.clip(_towards_fingers(masks, side, arm, middle) @ axes[:, 1] / _CAPITATE_MM, -1.0, 1.0)
    thumb = axes[:, 0] * np.sign(arm.thumb @ axes[:, 0])
    return Found(_inside(masks, side, ("carpal",), middle + _CAPITATE_MM * (along - thumb)), 4.0)


@dataclass(frozen=True, eq=False)
class _Forearm:
    """Elbow and distal end [3] in LPS mm; ``thumb`` [3] from the ulna's end to the radius', zero without both."""

    elbow: F64
    end: F64
    thumb: F64


def _forearm(masks: Masks, side: str) -> _Forearm:
    joint = elbow(masks, side).point_mm
    ends = {}
    for bone in ("radius", "ulna"):
        near = [p for p in _of_side(masks, bone, side) if np.linalg.norm(p - joint, axis=1).min() < _JOINT_MM]
        if near:
            points = max(near, key=len)
            far = np.linalg.norm(points - joint, axis=1)
            ends[bone] = points[far > far.max() - 8.0].mean(axis=0)
    if not ends:
        raise Unfit(f"no radius or ulna at the {side} elbow")
    end = np.mean(list(ends.values()), axis=0)
    if np.linalg.norm(end - joint) < _LEAST_FOREARM_MM:
        raise Unfit(f"the {side} forearm is not whole")
    return _Forearm(joint, end, ends["radius"] - ends["ulna"] if len(ends) == 2 else np.zeros(3))


def _of_side(masks: Masks, bone: str, side: str) -> list[F64]:
    """Points [N, 3] of each piece of a bone that may be of a side."""
    mask = masks.get(f"{bone}_{side}", masks.get(bone))
    return [] if mask is None else [p.points() for p in pieces(coarser(mask))]


def _carpals(masks: Masks, side: str, arms: Mapping[str, _Forearm]) -> F64 | None:
    """Points [N, 3] of the carpal bones nearer to this forearm's end than to the other's, within 60 mm."""
    found = _of_side(masks, "carpal", side)
    if not found:
        return None
    points = np.concatenate(found)
    away = {each: np.linalg.norm(points - arm.end, axis=1) for each, arm in arms.items()}
    mine = points[(away[side] <= np.min(list(away.values()), axis=0)) & (away[side] < 60.0)]
    return mine if len(mine) else None


def _towards_fingers(masks: Masks, side: str, arm: _Forearm, middle: F64) -> F64:
    """Vector [3] in mm from the wrist towards the fingers, roughly."""
    bones = _of_side(masks, "metacarpal", side)
    near = [points.mean(axis=0) for points in bones if np.linalg.norm(points - middle, axis=1).min() < 40.0]
    return np.mean(near, axis=0) - middle if near else middle - arm.end


def _inside(masks: Masks, side: str, bones: tuple[str, ...], point: F64) -> F64:
    """The point, if the CT's edge does not cut the bones there (see ``uncut``)."""
    for name in (n for bone in bones for n in (f"{bone}_{side}", bone) if n in masks):
        uncut(masks, name, point, 30.0)
    return point
