"""Rules for the head: the intracranial space, the sella, the lenses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.segmented.found import Found, Masks, Unfit, need, uncut
from carm_env.patient.segmented.geometry import surface_points, symmetry_plane, thick_part
from carm_env.patient.segmented.mask import Mask, cropped

F64 = NDArray[np.float64]
_BRAIN_ML = (500.0, 2500.0)
_USUAL_BRAIN_ML = 1480.0
_LONG_AXIS_DEG = 12.8
"""By which the brain's long axis rises towards the front against the Frankfurt plane (mean of phantoms, sd 3)."""
_SELLA_MM = np.array([-23.0, -36.6])
"""From the brain's centroid to the sella, backwards and upwards, for a brain of usual size (phantoms; sd 2 each)."""
_BELOW_CENTROID_MM = 70.0
_LEAST_POINTS = 500
_REACH_MM = np.arange(-30.0, 31.0, 1.0)
_HEIGHT_MM = np.arange(30.0, -26.0, -0.5)
_STRIP_MM = (-4.0, -2.0, 0.0, 2.0, 4.0)
_LEAST_PIT_MM = 2.5
_PIT_STEPS = (4, 16, 20)
"""In steps of ``_REACH_MM``: least length of a pit, the way before its crest that tells its floor, greatest length."""
_HOLE_STEPS = 2
_NEAR_MM = 14.0


def skull(masks: Masks) -> Found:
    """Centroid of the intracranial space: of the brain's mask, without one of the cavity of the skull's."""
    space, name = _intracranial(masks)
    point = space.centroid()
    if name in masks:
        uncut(masks, name, point, 110.0)
    return Found(point, 4.0 if name == "brain" else 6.0)


def sella(masks: Masks) -> Found:
    """Centre of the pituitary fossa: in the plane of symmetry the middle of the pit of the skull base between
    tuberculum and dorsum, half-way between its floor and the dorsum's crest.

    The pit is sought where brains have it: from the brain's centroid 23 mm forwards and 37 mm down, in axes given by
    the brain's long axis. Where the skull's mask shows no pit, that place is taken, with a larger uncertainty.
    """
    space, name = _intracranial(masks)
    uncut(masks, name, space.centroid(), 110.0)
    middle = space.centroid()
    bone = need(masks, "skull") if "skull" in masks else None
    shape = space if bone is None else bone
    points = surface_points(shape)
    points = points[points[:, 2] > middle[2] - _BELOW_CENTROID_MM]
    if len(points) < _LEAST_POINTS:
        raise Unfit("skull lies below the brain")
    on_plane, left = symmetry_plane(shape, points, middle)
    back, up = _frame(space.points(), left)
    size = (space.volume_ml() / _USUAL_BRAIN_ML) ** (1.0 / 3.0)
    expected = middle - left * ((middle - on_plane) @ left) + size * (_SELLA_MM[0] * back + _SELLA_MM[1] * up)
    pit = None if bone is None else _pit(bone, expected, left, back, up)
    if pit is None:
        return Found(expected, 7.0)
    return Found(uncut(masks, "skull", pit, 10.0), 4.0)


def eye_lens(masks: Masks, side: str) -> Found:
    """Centroid of the lens."""
    name = f"eye_lens_{side}"
    centre = need(masks, name).centroid()
    return Found(uncut(masks, name, centre, 3.0), 2.0)


def _intracranial(masks: Masks) -> tuple[Mask, str]:
    """The brain, or else the skull's cavity, and the class that it was taken from."""
    space, name = (need(masks, "brain"), "brain") if "brain" in masks else (_cavity(need(masks, "skull")), "skull")
    volume = space.volume_ml()
    if not _BRAIN_ML[0] <= volume <= _BRAIN_ML[1]:
        raise Unfit(f"the intracranial space of {name} measures {volume:.0f} ml")
    return space, name


def _cavity(bone: Mask) -> Mask:
    """What has bone on its left, right, front, back and above, opened by a large ball."""
    inside = ~bone.voxels
    for axis, both in ((0, True), (1, True), (2, False)):
        before = np.logical_or.accumulate(bone.voxels, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(bone.voxels, axis), axis=axis), axis)
        inside &= (before & after) if both else after
    found = cropped(inside, bone.start, bone.grid)
    if found is None:
        raise Unfit("skull encloses no space")
    return thick_part(found, 0.35)


def _frame(points: F64, left: F64) -> tuple[F64, F64]:
    """Unit vectors backwards and upwards (Frankfurt plane level) in the plane of symmetry, from the long axis of the
    brain's points [N, 3]."""
    flat = points - points.mean(axis=0)
    flat = flat - np.outer(flat @ left, left)
    long_axis = np.linalg.eigh(flat.T @ flat)[1][:, 2]
    long_axis = long_axis * np.sign(long_axis[1])
    above = np.cross(left, long_axis)
    above = above * np.sign(above[2])
    turn = np.radians(_LONG_AXIS_DEG)
    return long_axis * np.cos(turn) + above * np.sin(turn), above * np.cos(turn) - long_axis * np.sin(turn)


def _pit(bone: Mask, expected: F64, left: F64, back: F64, up: F64) -> F64 | None:
    """Middle [3] of the deepest pit in the skull base within ``_NEAR_MM`` of a point, or None."""
    profile = _base(bone, expected, left, back, up)
    pits = [pit for crest in range(_PIT_STEPS[0] + 1, len(profile) - 3) if (pit := _pit_before(profile, crest))]
    near = [pit for pit in pits if np.hypot(pit[0], pit[1]) < _NEAR_MM]
    if not near:
        return None
    along, height, _ = max(near, key=lambda pit: pit[2])
    return np.asarray(expected + along * back + height * up)


def _pit_before(profile: F64, crest: int) -> tuple[float, float, float] | None:
    """The pit in front of a crest of the profile (indices of ``_REACH_MM``): its middle (mm backwards), the height
    half-way between floor and crest, and its depth; None where the profile has none."""
    top, behind = profile[crest], profile[crest : crest + 10]
    before = profile[max(crest - _PIT_STEPS[1], 0) : crest]
    if not top >= np.nanmax(behind, initial=-np.inf) or np.isnan(before).all():
        return None
    floor = float(np.nanpercentile(before, 15))
    half = 0.5 * (float(top) + floor)
    rear = crest - 1
    while rear > 0 and not profile[rear] < half:
        rear -= 1
    front = rear
    while front > 0 and profile[front - 1] < half:
        front -= 1
    rim = float(np.nanmax(profile[max(front - 6, 0) : front], initial=-np.inf))
    if front == 0 or not _PIT_STEPS[0] <= rear - front <= _PIT_STEPS[2] or rim - floor < _LEAST_PIT_MM:
        return None
    return float(0.5 * (_REACH_MM[front] + _REACH_MM[rear])), half, float(top) - floor


def _base(bone: Mask, expected: F64, left: F64, back: F64, up: F64) -> F64:
    """Height of the first bone below the brain, mm above ``expected``, along ``_REACH_MM``; NaN where there is none.

    Holes of a few millimetres in the thin floor are bridged.
    """
    from scipy import ndimage

    across = np.array(_STRIP_MM)
    places = (
        expected
        + _REACH_MM[:, None, None, None] * back
        + _HEIGHT_MM[None, :, None, None] * up
        + across[None, None, :, None] * left
    )
    solid = bone.at(places).mean(axis=2) > 0.5
    known = solid.any(axis=1)
    height = np.where(known, _HEIGHT_MM[solid.argmax(axis=1)], np.nan)
    bridged = ndimage.binary_closing(known, iterations=_HOLE_STEPS) & ~known
    height[bridged] = np.interp(_REACH_MM[bridged], _REACH_MM[known], height[known])
    return height
