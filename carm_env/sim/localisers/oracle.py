"""Perception that is always right: the upper bound."""

from __future__ import annotations

import numpy as np

from carm_env.sim.localisers.rows import View, blank_estimate, distances_mm, is_empty
from carm_env.sim.perception import Context, Estimate, Frames

ORACLE_VARIANCE_MM2 = 1.0


class OracleLocaliser:
    """The true displacement along all three axes, and the true landmarks, of every frame that shows something."""

    name = "oracle"

    def estimate(self, frames: Frames, context: Context) -> Estimate:
        """Exact displacements with 1 mm2 of variance; a frame without anatomy is not valid."""
        out = blank_estimate(frames)
        for i in range(len(frames.lane)):
            if is_empty(frames, i):
                continue
            out.valid[i] = True
            out.displacement_mm[i] = context.target_mm[i] - frames.isocentre_mm[i]
            out.covariance_mm2[i] = ORACLE_VARIANCE_MM2 * np.eye(3)
            _tell_landmarks(out, i, frames, context)
        return out


def _tell_landmarks(out: Estimate, i: int, frames: Frames, context: Context) -> None:
    points = context.landmarks_mm[i]
    distance = distances_mm(points, frames.isocentre_mm[i])
    out.landmark_visible[i] = View.of(frames, i).outside_mm(points) == 0.0
    if np.isfinite(distance).any():
        out.landmark_nearest[i] = np.arange(len(distance)) == np.argmin(distance)
