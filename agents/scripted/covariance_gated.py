"""Covariance-gated: drives on what it believes, and looks only when not knowing would matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.checks import at_least
from agents.scripted.memory import Memory
from agents.scripted.scouting import Scouting
from agents.scripted.view import View
from carm_env.machine.state import Z


class CovarianceGated(Scouting):
    """No stops: it exposes while driving, once the uncertainty along the drive exceeds a share of the distance left.

    Far from the target an error costs nothing, because a later look corrects it on the way; so the gate opens near the
    target, or where the record tells little. Motion adds no uncertainty: encoders are exact, and the table carries the
    patient. At the target it looks at rest, if it still has to.

    Args:
        gate: standard deviation along the table over distance left, above which it looks.
        spacing_mm: least distance between looks on the move.
        scouting: settings of ``Scouting``.
    """

    def __init__(self, gate: float = 1.0, spacing_mm: float = 30.0, **scouting: Any) -> None:
        at_least("gate", gate, 0.0)
        at_least("spacing_mm", spacing_mm, 1.0)
        super().__init__(**scouting)
        self.gate, self.spacing_mm = gate, spacing_mm

    def first_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return memory.belief.mm

    def due(self, view: View, memory: Memory) -> bool:
        left_mm = abs(memory.belief.mm[Z] - view.position[Z])
        before = memory.looked_mm
        apart = before is None or bool(np.linalg.norm(view.position[:3] - before) >= self.spacing_mm)
        return super().due(view, memory) or (apart and bool(memory.belief.sd_mm[Z] > self.gate * left_mm))
