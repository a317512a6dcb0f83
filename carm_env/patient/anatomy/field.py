"""The body's irregularity: a smooth displacement of everything, and where it takes a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from carm_env.patient.anatomy.texture import smooth_field

F64 = NDArray[np.float64]
STEP_MM = 12.0
SCALES = [(110.0, 2.6), (36.0, 1.1)]
"""Length and standard deviation (mm) of each octave; steep enough to look grown, gentle enough to stay invertible."""


@dataclass(frozen=True)
class Field:
    """Displacements (mm) [I, J, K, 3] on nodes ``step_mm`` apart from ``low_mm``: the body's point at x is the
    undisturbed body's point at x + displacement(x)."""

    nodes: NDArray[np.float32]
    low_mm: F64
    step_mm: float

    @property
    def reach_mm(self) -> float:
        """The longest displacement along an axis."""
        return float(np.abs(self.nodes).max())

    def displacement(self, points_mm: F64) -> F64:
        """Displacements at points [K, 3], trilinear as in the painter."""
        at = ((points_mm - self.low_mm) / self.step_mm).T
        parts = [ndimage.map_coordinates(self.nodes[..., i], at, order=1, mode="nearest") for i in range(3)]
        return np.stack(parts, axis=-1).astype(float)

    def moved(self, points_mm: F64) -> F64:
        """Where points [K, 3] of the undisturbed body come to lie."""
        points = np.asarray(points_mm, float)
        x = points.copy()
        for _ in range(40):
            x = points - self.displacement(x)
        return x


def draw_field(rng: np.random.Generator, low_mm: F64, high_mm: F64) -> Field:
    """A field over a box."""
    return Field(smooth_field(rng, high_mm - low_mm, STEP_MM, SCALES), np.asarray(low_mm, float), STEP_MM)
