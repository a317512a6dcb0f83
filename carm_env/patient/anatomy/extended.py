"""Landmarks of extended shapes, which move as the whole shape does: middles of bodies, and tops of broad surfaces.

Where a top is flat its middle is meant, not whichever point is highest by a hair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Middle:
    """The centroid of a body: ``points`` in it, LPS mm [N, 3], and the ``volume`` [N] that each stands for."""

    points: F64
    volume: F64

    def moved(self, move: Callable[[F64], F64]) -> Middle:
        """The same of the body as ``move`` (points [K, 3] to points) takes it."""
        return replace(self, points=move(self.points))

    def point(self) -> F64:
        """The landmark [3]."""
        return np.asarray(self.volume @ self.points / self.volume.sum())


@dataclass(frozen=True)
class BesideHeart:
    """How much a place on a dome of the diaphragm counts as under the lung beside the heart, without a sharp line.

    Attributes:
        side: -1 right, +1 left. outline: the lungs' outline about the domes, LPS mm [N, 2 or more], whose extents give
            the chest's middle, half width and half depth.
    """

    side: float
    outline: F64

    def share(self, points: F64) -> F64:
        """0 to 1 for points [K, 3]."""
        low, high = self.outline[:, :2].min(axis=0), self.outline[:, :2].max(axis=0)
        out, back = ((points[:, :2] - 0.5 * (low + high)) / (0.5 * (high - low))).T
        behind = _fall(back, 0.51, 0.85)
        if self.side < 0.0:
            return np.asarray(behind * (1.0 - _fall(-out, 0.3, 0.66)))
        return np.asarray(behind * (1.0 - _fall(out, 0.3, 0.6)) * (1.0 - _fall(out + 0.72 * back, 0.5, 0.9)))


@dataclass(frozen=True)
class Summit:
    """A landmark at the top of a surface.

    Attributes:
        surface: points on it, LPS mm [N, 3], evenly spread. depth_mm: how far below the top its cap reaches.
        power: of the height within the cap as a weight (1 on a surface, more where the surface narrows upwards).
        sink_mm: how far below the top the landmark lies; None: on the surface, amid the cap.
        beside: how much each point counts; the top is sought where it is at least a half. None: all count.
    """

    surface: F64
    depth_mm: float
    power: float = 1.0
    sink_mm: float | None = None
    beside: BesideHeart | None = None

    def moved(self, move: Callable[[F64], F64]) -> Summit:
        """The same on the body as ``move`` (points [K, 3] to points) takes it."""
        beside = self.beside and BesideHeart(self.beside.side, move(self.beside.outline))
        return replace(self, surface=move(self.surface), beside=beside)

    def point(self) -> F64:
        """The landmark [3].

        Raises:
            ValueError: no point counts.
        """
        share = np.ones(len(self.surface)) if self.beside is None else self.beside.share(self.surface)
        if not (share > 0.0).any():
            raise ValueError("no point of the surface counts")
        z = self.surface[:, 2]
        top = z[share >= min(0.5, share.max())].max()
        weight = share * np.maximum(np.minimum(z, top) - top + self.depth_mm, 0.0) ** self.power
        x, y = (self.surface[:, :2] * weight[:, None]).sum(axis=0) / weight.sum()
        counts = share > 0.0
        nearest = z[counts][np.argmin(np.hypot(*(self.surface[counts, :2] - [x, y]).T))]
        return np.array([x, y, nearest if self.sink_mm is None else top - self.sink_mm])


def _fall(at: F64, begin: float, end: float) -> F64:
    """1 up to ``begin``, 0 from ``end`` on."""
    return np.clip((end - at) / (end - begin), 0.0, 1.0)
