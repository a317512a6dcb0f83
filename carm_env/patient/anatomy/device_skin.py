"""Where the skin is: the flesh of a build painted coarsely, and rays through it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.painter import STILL, paint
from carm_env.patient.anatomy.part import Part
from carm_env.patient.anatomy.shapes import unit

F64 = NDArray[np.float64]
STEP_MM = 9.0
SKIN_HU = -540.0
_MARCH_MM = 2.5


class Skin:
    """The outer surface of the undisturbed body, as far as ``parts`` (the flesh) make it."""

    def __init__(self, build: Build, parts: list[Part]) -> None:
        rows = np.array([s.row for part in parts for s in part.shapes if s.row[1] == 0.0])
        rows = rows[np.abs(rows[:, 3:9]).max(1) < 5000.0]
        self.low = rows[:, 3:6].min(0) - STEP_MM
        self.low[2] = max(self.low[2], build.symphysis[2] - 220.0)
        size = np.ceil((rows[:, 6:9].max(0) + STEP_MM - self.low) / STEP_MM).astype(int) + 1
        self.hu, labels = np.full(size, -1000, np.int16), np.zeros(size, np.uint8)
        paint(parts, STILL, self.low, STEP_MM, self.hu, labels)

    def at(self, points: ArrayLike) -> F64:
        """HU at points [K, 3], trilinear."""
        index = ((np.asarray(points, float) - self.low) / STEP_MM).T
        return np.asarray(ndimage.map_coordinates(self.hu, index, np.float64, order=1, mode="constant", cval=-1000.0))

    def exit(self, start: ArrayLike, direction: ArrayLike, most_mm: float = 400.0) -> F64 | None:
        """Where a ray from inside the body first leaves it; None: not within ``most_mm``, or it starts outside."""
        start, d = np.asarray(start, float), unit(direction)
        t = np.arange(0.0, most_mm, _MARCH_MM)
        values = self.at(start + t[:, None] * d)
        outside = np.flatnonzero(values < SKIN_HU)
        if not outside.size or outside[0] == 0:
            return None
        k = int(outside[0])
        share = (values[k - 1] - SKIN_HU) / (values[k - 1] - values[k])
        return np.asarray(start + (t[k - 1] + share * _MARCH_MM) * d)

    def normal(self, point: ArrayLike) -> F64:
        """Unit normal [3] out of the body at a point of the skin."""
        p = np.asarray(point, float)
        ends = np.concatenate([p + 8.0 * np.eye(3), p - 8.0 * np.eye(3)])
        values = self.at(ends)
        slope = values[3:] - values[:3]
        length = float(np.linalg.norm(slope))
        return slope / length if length > 1.0 else np.array([0.0, -1.0, 0.0])

    def on(self, start: ArrayLike, direction: ArrayLike, above_mm: float, most_mm: float = 400.0) -> F64 | None:
        """A point ``above_mm`` over the skin that a ray from inside meets; None as in ``exit``."""
        point = self.exit(start, direction, most_mm)
        return None if point is None else point + above_mm * self.normal(point)

    def back(self, z_low: float, z_high: float) -> float:
        """Greatest y of the skin between two heights."""
        k = np.clip(((np.array([z_low, z_high]) - self.low[2]) / STEP_MM).astype(int), 0, self.hu.shape[2] - 1)
        columns = np.flatnonzero((self.hu[:, :, k[0] : k[1] + 1] > SKIN_HU).any(axis=(0, 2)))
        return float(self.low[1] + STEP_MM * columns[-1]) if columns.size else float(self.low[1])
