"""Elbows and wrists: the humerus is the long straight bone that starts at its head, the forearm goes on from there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.grid import Grid, Mask
from carm_env.patient.estimate.prior import Sighting
from carm_env.patient.estimate.tissue import Tissue

F64 = NDArray[np.float64]

_DIRECTIONS = 3000
_STEP_MM = 4.0
_HUMERUS_SD_MM = 22.0
_FOREARM_SHARE, _FOREARM_SHARE_SD = 0.87, 0.05
"""Elbow to capitate against that."""
_LEAST_FILLED = 0.85
_DISC_MM = 30.0
_WIDTH_WEIGHT = 2.5
_ELBOW_SD_MM, _WRIST_SD_MM = 9.0, 14.0


def find_arm(tissue: Tissue, head_mm: F64, side: str, about_mm: float) -> list[Sighting]:
    """Elbow and wrist, as far as they are seen, from the centre of the humeral head.

    ``about_mm``: expected distance from there to the axis of the elbow.
    """
    near, wider = tissue.shafts
    humerus = _straight(tissue.grid, near, head_mm, (40.0, 230.0), _sphere(_DIRECTIONS))
    if humerus is None:
        return []
    length = _widest(tissue.grid, tissue.bone, head_mm, humerus, about_mm)
    if length is None:
        return []
    elbow = head_mm + humerus * length
    seen = [Sighting(f"{side}_elbow", elbow, np.full(3, _ELBOW_SD_MM), f"{side}_arm")]
    bent = _sphere(_DIRECTIONS)
    bent = bent[bent @ humerus > -0.75]
    forearm = _straight(tissue.grid, wider, elbow, (40.0, 210.0), bent)
    if forearm is not None:
        wrist = elbow + forearm * length * _FOREARM_SHARE
        seen.append(Sighting(f"{side}_wrist", wrist, np.full(3, _WRIST_SD_MM), f"{side}_arm"))
    return seen


def _sphere(count: int) -> F64:
    """Directions [K, 3] spread evenly over the sphere."""
    i = np.arange(count) + 0.5
    z, angle = 1.0 - 2.0 * i / count, i * np.pi * (1.0 + np.sqrt(5.0))
    flat = np.sqrt(1.0 - z**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)


def _straight(grid: Grid, bone: Mask, start: F64, span_mm: tuple[float, float], directions: F64) -> F64 | None:
    """The middle of the directions along which bone goes on without a gap, or None."""
    filled = _filled(grid, bone, start, directions, np.arange(*span_mm, _STEP_MM)).mean(axis=1)
    best = directions[int(np.argmax(filled))]
    if filled.max() < _LEAST_FILLED:
        return None
    bundle = (filled > filled.max() - 0.06) & (directions @ best > np.cos(np.radians(9.0)))
    middle = (directions[bundle] * filled[bundle, None]).sum(axis=0)
    return np.asarray(middle / np.linalg.norm(middle), np.float64)


def _filled(grid: Grid, bone: Mask, start: F64, directions: F64, at_mm: F64) -> Mask:
    """Whether bone lies at distances along directions, [K, T]; not outside the CT."""
    points = np.rint(grid.to_index(start + directions[:, None] * at_mm[None, :, None])).astype(int)
    inside = ((points >= 0) & (points < bone.shape)).all(axis=-1)
    points = np.clip(points, 0, np.array(bone.shape) - 1)
    return np.asarray(bone[points[..., 0], points[..., 1], points[..., 2]] & inside, bool)


def _widest(grid: Grid, bone: Mask, start: F64, along: F64, about_mm: float) -> float | None:
    """How far along a shaft it is widest, about where an elbow is expected; None if that lies outside the CT."""
    from scipy import ndimage

    at = np.arange(about_mm - 2.5 * _HUMERUS_SD_MM, about_mm + 2.5 * _HUMERUS_SD_MM, 3.0)
    one = np.cross(along, [0.0, 1.0, 0.2])
    one /= np.linalg.norm(one)
    two = np.cross(along, one)
    side = np.arange(-_DISC_MM, _DISC_MM + 1.0, grid.step_mm)
    disc = np.array([a * one + b * two for a in side for b in side if a * a + b * b <= _DISC_MM**2])
    area = np.array([_filled(grid, bone, start + along * t, disc, np.array([1.0])).mean() for t in at])
    end = np.rint(grid.to_index(start + along * about_mm)).astype(int)
    if area.max() <= 0.0 or (end < 0).any() or (end >= bone.shape).any():
        return None
    area = ndimage.gaussian_filter1d(area, 2.5)
    return float(at[np.argmax(_WIDTH_WEIGHT * area / area.max() - 0.5 * ((at - about_mm) / _HUMERUS_SD_MM) ** 2)])
