"""Where the scene is looked at from: a perspective that holds all given points, and where it puts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]

ANGLE_DEG = 22.0
"""Of view, from top to bottom."""

_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Lookout:
    """A camera in the table frame, mm.

    Attributes:
        eye: its place, [3]; axes: right, up and forward, orthonormal rows [3, 3].
        size: of the picture, (width, height) px.
    """

    eye: F64
    axes: F64
    size: tuple[int, int]

    @classmethod
    def over(cls, points_mm: ArrayLike, towards: ArrayLike, size: tuple[int, int], margin: float = 0.04) -> Lookout:
        """Looks along ``towards`` [3] (not vertical) from where all points [K, 3] are in the picture.

        Args:
            margin: least share of the picture's side that stays free at each edge.
        """
        points, axes = np.atleast_2d(np.asarray(points_mm, float)), _axes(np.asarray(towards, float))
        focus, far = points.mean(axis=0), 4.0 * float(np.ptp(points, axis=0).max() + 1.0)
        limit = (1 - 2 * margin) * np.array(size)
        for _ in range(_ROUNDS):
            view = cls(focus - far * axes[2], axes, size)
            seen = view.project(points)
            low, high = seen.min(axis=0), seen.max(axis=0)
            per_mm = size[1] / (2 * far * np.tan(np.radians(ANGLE_DEG / 2)))
            shift = ((low + high) / 2 - np.array(size) / 2) / per_mm
            focus = focus + shift[0] * axes[0] - shift[1] * axes[1]
            far *= float(((high - low) / limit).max())
        return cls(focus - far * axes[2], axes, size)

    def project(self, points_mm: ArrayLike) -> F64:
        """Pixels (column, row) of points [..., 3] in front of the eye, [..., 2]; (0, 0) is the upper left corner."""
        seen = (np.asarray(points_mm, float) - self.eye) @ self.axes.T
        scale = self.size[1] / 2 / np.tan(np.radians(ANGLE_DEG / 2))
        flat = scale * seen[..., :2] / seen[..., 2:]
        return np.asarray(np.array(self.size) / 2 + flat * [1.0, -1.0])

    def aim(self, camera: Any) -> None:
        """Sets a ``pyvista.Camera`` to this view."""
        camera.position = tuple(self.eye)
        camera.focal_point = tuple(self.eye + 1000.0 * self.axes[2])
        camera.up = tuple(self.axes[1])
        camera.view_angle = ANGLE_DEG
        camera.is_set = True


def _axes(towards: F64) -> F64:
    """Right, up and forward with the picture's up as near as can be to anterior (-y)."""
    forward = towards / np.linalg.norm(towards)
    right = np.cross(forward, [0.0, -1.0, 0.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(right, forward), forward])
