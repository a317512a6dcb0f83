"""What the built-in localisers share: the abstention, and what a frame truly shows.

Frames are handled one by one, so that a frame's numbers do not depend on the size of the batch, not even in the last
bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.model import LANDMARKS
from carm_env.sim.perception import PRIOR_SD_MM, Estimate, Frames

F64 = NDArray[np.float64]

BLOCK_PX = 8
FLAT_LOG_SD = 0.01
"""Standard deviation of the log signal of 8 x 8 blocks below which a field holds no anatomy: skin lines, ribs and the
slope of a limb's edge give several times as much."""


def blank_estimate(frames: Frames) -> Estimate:
    """An abstention for every frame: displacement 0, the prior's covariance, uniform nearest, nothing visible."""
    m, k = len(frames.lane), len(LANDMARKS)
    return Estimate(
        lane=frames.lane.copy(),
        plane=frames.plane.copy(),
        displacement_mm=np.zeros((m, 3)),
        covariance_mm2=np.tile(np.diag(np.square(PRIOR_SD_MM)), (m, 1, 1)),
        landmark_nearest=np.full((m, k), 1.0 / k),
        landmark_visible=np.zeros((m, k)),
        valid=np.zeros(m, bool),
    )


@dataclass(frozen=True)
class View:
    """One frame's geometry. Unit vectors ``u`` (columns), ``v`` (rows) and ``beam`` (source to detector), [3] each."""

    u: F64
    v: F64
    beam: F64
    source_mm: F64
    isocentre_mm: F64
    half_field_mm: float

    @classmethod
    def of(cls, frames: Frames, i: int) -> View:
        """The view of frame ``i``."""
        cameras = frames.cameras
        beam = cameras.centre_mm[i] - cameras.source_mm[i]
        return cls(
            cameras.u[i],
            cameras.v[i],
            beam / np.sqrt((beam * beam).sum()),
            cameras.source_mm[i],
            frames.isocentre_mm[i],
            0.5 * float(frames.field_mm[i]),
        )

    def outside_mm(self, points_mm: F64) -> F64:
        """How far points lie outside of the square field, scaled to the isocentre's depth; 0 inside.

        Args:
            points_mm: [K, 3] in the cameras' frame.

        Returns:
            [K]; NaN where the point is NaN, infinite where it lies behind the source.
        """
        across, along = self.beyond_mm(points_mm)
        return np.hypot(np.maximum(across, 0.0), np.maximum(along, 0.0))

    def beyond_mm(self, points_mm: F64) -> tuple[F64, F64]:
        """How far points lie beyond the field's edge along u and v, negative inside, [K] each; see ``outside_mm``."""
        ray = points_mm - self.source_mm
        depth = (ray * self.beam).sum(axis=1)
        sod = ((self.isocentre_mm - self.source_mm) * self.beam).sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(depth > 0, sod / depth, np.where(np.isnan(depth), np.nan, np.inf))
            across = np.abs((ray * self.u).sum(axis=1) * scale) - self.half_field_mm
            along = np.abs((ray * self.v).sum(axis=1) * scale) - self.half_field_mm
        return across, along


def is_empty(frames: Frames, i: int) -> bool:
    """Whether frame ``i`` shows nothing: collimated away, or flat but for quantum noise."""
    rows, columns = (n // BLOCK_PX * BLOCK_PX for n in frames.mask[i].shape)
    whole = _blocks(frames.mask[i][:rows, :columns]).all(axis=(1, 3))
    if not whole.any():
        return True
    mean = _blocks(frames.signal[i][:rows, :columns]).mean(axis=(1, 3), dtype=np.float64)[whole]
    if mean.min() <= 0:
        return bool(mean.max() <= 0)
    quanta = max(float(frames.quanta[i]) * float(frames.cameras.pitch_mm[i]) ** 2 * BLOCK_PX**2, 1.0)
    return bool(np.log(mean).var() < FLAT_LOG_SD**2 + 2.0 / quanta)


def _blocks(image: NDArray) -> NDArray:
    rows, columns = image.shape
    return image.reshape(rows // BLOCK_PX, BLOCK_PX, columns // BLOCK_PX, BLOCK_PX)


def distances_mm(points_mm: F64, isocentre_mm: F64) -> F64:
    """Distances of landmarks [K, 3] from the isocentre, [K]; infinite where a landmark is missing."""
    distance = np.sqrt(np.square(points_mm - isocentre_mm).sum(axis=1))
    return np.where(np.isnan(distance), np.inf, distance)
