"""Perception that never knows anything: what is left without it."""

from __future__ import annotations

from carm_env.sim.localisers.rows import blank_estimate
from carm_env.sim.perception import Context, Estimate, Frames


class NoLocaliser:
    """Abstains on every frame."""

    name = "none"

    def estimate(self, frames: Frames, context: Context) -> Estimate:
        """The prior for every frame, never valid."""
        return blank_estimate(frames)
