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
    """

    surface: F64
    depth_mm: float
    power: float = 1.0
    sink_mm: float | None = None

    def point(self, surface: F64 | None = None) -> F64:
        """The landmark [3], of the surface as it is or as it was moved to."""
        points = self.surface if surface is None else surface
        top = points[:, 2].max()
        weight = np.maximum(points[:, 2] - top + self.depth_mm, 0.0) ** self.power
        x, y = (points[:, :2] * weight[:, None]).sum(axis=0) / weight.sum()
        nearest = points[np.argmin(np.hypot(points[:, 0] - x, points[:, 1] - y)), 2]
        return np.array([x, y, nearest if self.sink_mm is None else top - self.sink_mm])
