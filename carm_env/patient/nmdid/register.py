"""Where a torso scan lies in the frame of an upper-body scan of the same person: rigid, from the spine and the ribs.

The two are taken with the arms in different places, so nothing far from the spine counts. All shifts are compared
first; the best ones are refined from coarse to fine by Gauss-Newton steps whose weights (Tukey's) leave out what does
not fit; the one whose bones agree best is taken. Nothing is drawn at random and no sum depends on the number of
threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Volume
from carm_env.patient.nmdid.image import Image, moved, reduced, windowed
from carm_env.patient.nmdid.start import shifts, spine_of

F64 = NDArray[np.float64]

MIN_OVERLAP_MM = 100.0
"""Along the body. Over less, the spine fits itself one vertebra higher or lower as well."""
MIN_QUALITY, SHORT_QUALITY = 0.78, 0.88
"""Least agreement of the bones over 250 mm of common spine and more, and over 150 mm and less; between in proportion.

Phantoms scanned twice, arms crossed and raised: 0.86 to 0.95; 0.79 with the trunk bent by 15 degrees in between. Two
different phantoms: up to 0.76. One vertebra off over a short stretch: up to 0.85.
"""
_LONG_MM, _SHORT_MM, _LEAST_MM = 250.0, 150.0, 40.0
_SURE = 0.85
_BONE_HU, _SPINE_MM, _SLAB_MM, _LEAST_BONE = 160.0, 80.0, 50.0, 100
_STRETCH_MM = 100.0
_MIN_POINTS = 500


@dataclass(frozen=True)
class Registration:
    """Where the torso scan lies.

    Attributes:
        transform: [4, 4] LPS mm of the torso scan to LPS mm of the upper scan. quality: see ``bone_agreement``.
        bend_mm: at most how far 100 mm of the spine, fitted alone, depart from where the whole fit puts them.
        spine_mm: [K, 3] points along the spine, LPS mm of the upper scan, from below.
    """

    transform: F64
    quality: float
    bend_mm: float
    spine_mm: F64


@dataclass(frozen=True)
class _Step:
    """One resolution: HU window, blur (mm), distance (mm) from the spine at which points count half, and which share
    of the voxels (one in ``every``) is looked at, at most how often."""

    window_hu: tuple[float, float]
    blur_mm: float
    reach_mm: float
    every: int
    most: int


_COARSE = _Step((-200.0, 500.0), 5.0, 120.0, every=4, most=25)
_MIDDLE = _Step((0.0, 600.0), 3.0, 80.0, every=2, most=15)
_FINE = _Step((50.0, 700.0), 1.7, 80.0, every=1, most=30)


class _Level:
    """Two scans at one resolution, with the points of the upper one that count."""

    def __init__(self, upper: Image, torso: Image, spine_mm: F64, step: _Step) -> None:
        self.upper, self.torso = (windowed(image, step.window_hu, step.blur_mm) for image in (upper, torso))
        index, points, distance = _near_spine(upper, spine_mm, 2.0 * step.reach_mm)
        bright = self.upper.data[tuple(index.T)] > step.window_hu[0] + 30.0
        bright &= index.sum(axis=1) % step.every == 0
        self.points, index = points[bright], index[bright]
        self.weight = np.exp2(-((distance[bright] / step.reach_mm) ** 2))
        self.value = self.upper.data[tuple(index.T)].astype(float)
        self.slope = _slope(self.upper, index)
        self.most = step.most

    def fit(self, pull: F64, span_mm: tuple[float, float] = (-np.inf, np.inf)) -> F64 | None:
        """Refines ``pull`` [4, 4], LPS mm of the upper scan to those of the torso scan; None where too little is left.

        Inverse compositional Gauss-Newton (Baker and Matthews, International Journal of Computer Vision 56(3), 2004).

        Args:
            span_mm: only what lies between these z counts.
        """
        near = self.torso.holds(moved(pull, self.points), 20.0)
        near &= (self.points[:, 2] >= span_mm[0]) & (self.points[:, 2] < span_mm[1])
        if np.count_nonzero(near) < _MIN_POINTS:
            return None
        points, weight, value, slope = (a[near] for a in (self.points, self.weight, self.value, self.slope))
        centre = np.average(points, axis=0, weights=weight)
        jacobian = np.concatenate([np.cross(points - centre, slope), slope], axis=1)
        for _ in range(self.most):
            miss = self.torso.at(moved(pull, points)) - value
            seen = np.isfinite(miss)
            if np.count_nonzero(seen) < _MIN_POINTS:
                return None
            scale = 4.0 * 1.4826 * float(np.median(np.abs(miss[seen]))) + 1e-3
            miss = np.nan_to_num(miss)
            weighted = jacobian * (seen * weight * np.clip(1.0 - (miss / scale) ** 2, 0.0, None) ** 2)[:, None]
            normal = np.einsum("ni,nj->ij", weighted, jacobian)
            normal[np.diag_indices(6)] = normal.diagonal() * (1.0 + 1e-6) + 1e-9
            change = np.linalg.solve(normal, np.einsum("ni,n->i", weighted, miss))
            pull = pull @ np.linalg.inv(_small(change, centre))
            if np.abs(change[3:]).max() < 1e-3 and np.abs(change[:3]).max() < 1e-5:
                break
        return pull


def register(upper: Volume, torso: Volume, where: object = "upper and torso scan") -> Registration:
    """Finds the rigid motion that takes the torso scan onto the upper scan, whatever the headers' frames.

    Args:
        where: names the pair in messages.

    Raises:
        CarmError: no placement brings enough of the bones near the spine to agree.
    """
    fine = [reduced(Image(v.hu, v.affine), 3.0) for v in (upper, torso)]
    coarse = [reduced(image, 6.0) for image in fine]
    spine = spine_of(coarse[0])
    first, second = (_Level(coarse[0], coarse[1], spine, step) for step in (_COARSE, _MIDDLE))
    best, pull = (0.0, 0.0), None
    for start in shifts(coarse[0], coarse[1], MIN_OVERLAP_MM - 20.0):
        found = first.fit(start)
        found = None if found is None else second.fit(found)
        agreement = (0.0, 0.0) if found is None else bone_agreement(second.upper, second.torso, found, spine)
        if agreement[0] > best[0]:
            best, pull = agreement, found
        if agreement[0] > _SURE and agreement[1] > _LONG_MM:
            break
    if pull is not None:
        third = _Level(fine[0], fine[1], spine, _FINE)
        pull = third.fit(pull)
        best = (0.0, 0.0) if pull is None else bone_agreement(third.upper, third.torso, pull, spine)
    least = float(np.interp(best[1], (_SHORT_MM, _LONG_MM), (SHORT_QUALITY, MIN_QUALITY)))
    if pull is None or best[0] < least or best[1] < _LEAST_MM:
        raise CarmError(
            f"{where}: the bones of the two agree to {best[0]:.2f} at best, over {best[1]:.0f} mm of the spine; want "
            f"{least:.2f} or more, scans of one person that share {MIN_OVERLAP_MM:.0f} mm or more, the upper one first"
        )
    return Registration(np.asarray(np.linalg.inv(pull), np.float64), best[0], _bend(third, pull, spine), spine)


def bone_agreement(upper: Image, torso: Image, pull: F64, spine_mm: F64) -> tuple[float, float]:
    """How well the bones within 80 mm of the spine cover each other, 0 to 1, and over how many mm along z.

    Dice's coefficient of what is brighter than 160 HU, in slabs of 50 mm along z; the mean of the better half of the
    slabs (of two at least), so that a trunk that lay differently bent, or an arm, does not count against the pair.
    Slabs with hardly any bone, or more than half of it, show no trunk and are left out.
    """
    index, points, _ = _near_spine(upper, spine_mm, _SPINE_MM)
    other = torso.at(moved(pull, points))
    seen = np.isfinite(other)
    if not seen.any():
        return 0.0, 0.0
    one, two = upper.data[tuple(index.T)][seen] > _BONE_HU, other[seen] > _BONE_HU
    z = points[seen, 2] - points[seen, 2].min()
    slab = (z / _SLAB_MM).astype(int)
    both, total = (np.bincount(slab, weights=w) for w in (one & two, one.astype(float) + two))
    trunk = (total > _LEAST_BONE) & (total < np.bincount(slab))
    dice = np.sort(2.0 * both[trunk] / total[trunk])
    return float(dice[-max(2, (len(dice) + 1) // 2) :].mean()) if len(dice) else 0.0, float(z.max())


def _near_spine(image: Image, spine_mm: F64, reach_mm: float) -> tuple[NDArray[np.intp], F64, F64]:
    """Voxels whose axial distance from the spine is below ``reach_mm``: indices and LPS mm [N, 3], distances [N]."""
    indices, points, distances = [], [], []
    columns = np.indices(image.data.shape[:2]).reshape(2, -1).T
    for k in range(image.data.shape[2]):
        index = np.column_stack([columns, np.full(len(columns), k)])
        at = moved(image.affine, index.astype(float))
        centre = [np.interp(at[:, 2], spine_mm[:, 2], spine_mm[:, i]) for i in range(2)]
        distance = np.hypot(at[:, 0] - centre[0], at[:, 1] - centre[1])
        keep = distance < reach_mm
        indices.append(index[keep])
        points.append(at[keep])
        distances.append(distance[keep])
    return np.concatenate(indices), np.concatenate(points), np.concatenate(distances)


def _bend(level: _Level, pull: F64, spine_mm: F64) -> float:
    """See ``Registration.bend_mm``."""
    held = spine_mm[level.torso.holds(moved(pull, spine_mm))]
    z = held[:, 2] if len(held) else np.zeros(1)
    worst = 0.0
    for low in np.arange(z.min(), z.max() - 0.5 * _STRETCH_MM, 0.5 * _STRETCH_MM):
        alone = level.fit(pull, (low, low + _STRETCH_MM))
        middle = held[np.abs(z - low - 0.5 * _STRETCH_MM).argmin()][None]
        if alone is not None:
            worst = max(worst, float(np.linalg.norm(moved(alone, middle) - moved(pull, middle))))
    return worst


def _slope(image: Image, index: NDArray[np.intp]) -> F64:
    """Central differences at voxels [N, 3], per mm along LPS axes."""
    parts = []
    for axis in range(3):
        ahead, behind = index.copy(), index.copy()
        ahead[:, axis] = np.minimum(index[:, axis] + 1, image.data.shape[axis] - 1)
        behind[:, axis] = np.maximum(index[:, axis] - 1, 0)
        rise = image.data[tuple(ahead.T)].astype(float) - image.data[tuple(behind.T)]
        parts.append(rise / np.maximum(ahead[:, axis] - behind[:, axis], 1))
    return np.stack(parts, axis=1) @ image.inverse_affine[:3, :3]


def _small(change: F64, centre: F64) -> F64:
    """The rigid motion of a rotation vector (change[:3]) about ``centre`` and a shift (change[3:])."""
    from scipy.spatial.transform import Rotation

    out = np.eye(4)
    out[:3, :3] = Rotation.from_rotvec(change[:3]).as_matrix()
    out[:3, 3] = centre + change[3:] - out[:3, :3] @ centre
    return out
