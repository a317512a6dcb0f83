"""Capsules: segments with a radius, the collision shapes of gantry and patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry.rigid import Rigid

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Capsules:
    """K capsules: segment ends ``a_mm`` and ``b_mm`` [K, 3], ``radius_mm`` [K]."""

    a_mm: F64
    b_mm: F64
    radius_mm: F64

    def __len__(self) -> int:
        return len(self.a_mm)

    def moved(self, motion: Rigid) -> Capsules:
        """The same capsules after one rigid motion (a ``Rigid`` of length 1)."""
        return Capsules(motion.points(self.a_mm[None])[0], motion.points(self.b_mm[None])[0], self.radius_mm)
