"""Landmark ladder: from rung to rung of the body, by what is recognised instead of by how far it is said to be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.belief import prior_of
from agents.scripted.checks import at_least
from agents.scripted.memory import Memory
from agents.scripted.scouting import Scouting
from agents.scripted.view import View
from carm_env.machine.state import Z
from carm_env.patient.model import LANDMARKS

F64 = NDArray[np.float64]

RUNGS = ("pubic_symphysis", "L5", "T12", "carina", "T1", "skull")
"""Stops of the ladder; the hemidiaphragms lie too near to T12 to be one."""
SURE = 0.5
"""Probability from which a landmark counts as visible."""
_ARMS = [i for i, name in enumerate(LANDMARKS) if name.endswith(("elbow", "wrist"))]
"""They lie wherever the patient holds them."""


class LandmarkLadder(Scouting):
    """Each look tells the height on the body: that of the nearest landmark, a visible one if there is any.

    The next stop is the next rung towards the target that is at least ``stride_mm`` away, at the distance which the
    record makes most likely. Estimates of the displacement count only ``within_mm`` of the target's own height: there
    the belief takes over, and the search ends as in ``regress_jump``.

    Args:
        stride_mm: least distance between stops.
        within_mm: height on the body, from the target's, at which displacements are trusted.
        scouting: settings of ``Scouting``.
    """

    def __init__(self, stride_mm: float = 100.0, within_mm: float = 90.0, **scouting: Any) -> None:
        at_least("stride_mm", stride_mm, 10.0)
        at_least("within_mm", within_mm, 10.0)
        super().__init__(**scouting)
        self.stride_mm, self.within_mm = stride_mm, within_mm

    def found(self, view: View, memory: Memory) -> bool:
        return super().found(view, memory) and (memory.closing or self._at_target(view, memory))

    def go_on(self, view: View, memory: Memory) -> F64:
        """As every search; where a rung shows nothing it goes straight to where the record puts the target."""
        far = abs(memory.belief.mm[Z] - view.position[Z]) >= self.aside_mm
        memory.lost += int(far and not view.valid[0])
        return super().go_on(view, memory)

    def next_stop(self, view: View, memory: Memory) -> F64:
        stop_mm = memory.belief.mm.copy()
        if self._at_target(view, memory) or memory.lost:
            return stop_mm
        height_mm = _height_mm(view)
        if height_mm is None:
            ahead = stop_mm[Z] - view.position[Z]
            stop_mm[Z] = view.position[Z] + np.clip(ahead, -self.stride_mm, self.stride_mm)
            return stop_mm
        stop_mm[Z] = view.position[Z] + self._next_height_mm(view, memory, height_mm) - height_mm
        return stop_mm

    def _at_target(self, view: View, memory: Memory) -> bool:
        height_mm = _height_mm(view)
        return height_mm is not None and abs(memory.belief.prior_mm[Z] - height_mm) <= self.within_mm

    def _next_height_mm(self, view: View, memory: Memory, height_mm: float) -> float:
        """Nominal z of the next rung, the target being the last."""
        target_mm = float(memory.belief.prior_mm[Z])
        heights = np.array([prior_of(name, view.record)[0][Z] for name in RUNGS])
        up = np.sign(target_mm - height_mm)
        ahead = heights[((heights - height_mm) * up >= self.stride_mm) & ((target_mm - heights) * up >= 0)]
        return float(ahead[np.argmin(np.abs(ahead - height_mm))]) if len(ahead) else target_mm


def _height_mm(view: View) -> float | None:
    """Nominal z of the landmark nearest to the last frame of plane A; None where it recognised nothing."""
    if not view.valid[0]:
        return None
    chance = view.nearest[0] * (1.0 + (view.visible[0] > SURE))
    chance[_ARMS] = 0.0
    return float(prior_of(LANDMARKS[int(np.argmax(chance))], view.record)[0][Z])
