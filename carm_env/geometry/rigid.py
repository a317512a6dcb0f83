"""Rigid motions in batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Rigid:
    """N rigid motions ``p -> rotation @ p + translation`` (rotation [N, 3, 3], translation_mm [N, 3])."""

    rotation: F64
    translation_mm: F64

    @classmethod
    def yaw(cls, yaw_deg: ArrayLike, translation_mm: ArrayLike) -> Rigid:
        """Rotation about +y (the vertical of a supine patient) by ``yaw_deg`` [N], then translation [N, 3]."""
        c, s = np.cos(np.radians(np.atleast_1d(yaw_deg))), np.sin(np.radians(np.atleast_1d(yaw_deg)))
        rotation = np.zeros((len(c), 3, 3))
        rotation[:, 0, 0], rotation[:, 0, 2] = c, s
        rotation[:, 1, 1] = 1.0
        rotation[:, 2, 0], rotation[:, 2, 2] = -s, c
        return cls(rotation, np.atleast_2d(np.asarray(translation_mm, float)))

    def __len__(self) -> int:
        return len(self.rotation)

    def __getitem__(self, rows: slice | ArrayLike) -> Rigid:
        if not isinstance(rows, slice):
            rows = np.atleast_1d(np.asarray(rows))
        return Rigid(self.rotation[rows], self.translation_mm[rows])

    def points(self, points_mm: ArrayLike) -> F64:
        """Moves one point a motion, [N, 3], or K points a motion, [N, K, 3]."""
        p = np.asarray(points_mm, float)
        shift = self.translation_mm if p.ndim == 2 else self.translation_mm[:, None]
        return self.directions(p) + shift

    def directions(self, vectors: ArrayLike) -> F64:
        """Rotates vectors, [N, 3] or [N, K, 3]."""
        return np.einsum("nij,n...j->n...i", self.rotation, np.asarray(vectors, float))

    def inverse(self) -> Rigid:
        back = np.swapaxes(self.rotation, -1, -2)
        return Rigid(back, -np.einsum("nij,nj->ni", back, self.translation_mm))
