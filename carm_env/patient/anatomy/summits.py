"""Tops of broad surfaces: where a top is flat its middle is meant, not whichever point is highest by a hair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Summit:
    """A landmark at the top of a surface.

    Attributes:
        surface: points on it, LPS mm [N, 3], evenly spread. depth_mm: how far below the top its cap reaches.
        power: of the height within the cap as a weight (1 on a surface, more where the surface narrows upwards).
        sink_mm: how far below the top the landmark lies; None: on the surface, amid the cap.
        share: how much each point counts [N], 0 to 1; the top is sought where it is at least a half. None: all count.
    """

    surface: F64
    depth_mm: float
    power: float = 1.0
    sink_mm: float | None = None
    share: F64 | None = None

    def point(self, surface: F64 | None = None) -> F64:
        """The landmark [3], of the surface as it is or as it was moved to."""
        points = self.surface if surface is None else surface
        share = np.ones(len(points)) if self.share is None else self.share
        z = points[:, 2]
        top = z[share >= min(0.5, share.max())].max()
        weight = share * np.maximum(np.minimum(z, top) - top + self.depth_mm, 0.0) ** self.power
        x, y = (points[:, :2] * weight[:, None]).sum(axis=0) / weight.sum()
        nearest = z[np.argmin(np.hypot(points[:, 0] - x, points[:, 1] - y))]
        return np.array([x, y, nearest if self.sink_mm is None else top - self.sink_mm])


def beside_heart(side: float, out: F64, back: F64) -> F64:
    """How much a place on a dome counts as under the lung beside the heart, 0 to 1, without a sharp line.

    Args:
        side: -1 right, +1 left. out, back: to the left and to the back of the chest's middle, in half widths and half
            depths.
    """
    behind = _fall(back, 0.6, 1.0)
    if side < 0.0:
        return np.asarray(behind * (1.0 - _fall(-out, 0.3, 0.66)))
    return np.asarray(behind * (1.0 - _fall(out, 0.3, 0.6)) * (1.0 - _fall(out + 0.6 * back, 0.5, 0.9)))


def _fall(at: F64, begin: float, end: float) -> F64:
    """1 up to ``begin``, 0 from ``end`` on."""
    return np.clip((end - at) / (end - begin), 0.0, 1.0)
