"""Step and shoot: stop, take one low-dose image, move by a spacing or straight to the target once it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.base import Scripted, near
from agents.scripted.checks import at_least, check_search
from agents.scripted.finish import Finish
from agents.scripted.memory import LOW, NORMAL, Memory, Plan
from agents.scripted.view import View
from carm_env.machine.state import X, Z
from carm_env.sim.actions import MIN_FIELD_MM

F64 = NDArray[np.float64]

SEARCH_OFFSETS = (0.0, 1.0, -1.0)
"""Where to look again, in half spacings along the table, when nothing was seen where the target should be."""


class StepAndShoot(Scripted):
    """Frontal stops on the way to the head, then the final approach with both planes.

    Each stop costs one exposure of plane A. The next stop is the believed target if it is known to ``direct_sd_mm``
    along the table, else ``spacing_mm`` further towards it. Known to ``close_sd_mm``, the search ends: plane B swings
    in and tells the depth, both planes verify, and arrival is declared or the pose corrected. Plane B swings in on the
    way already, but once it touched something only after the search.

    Args:
        spacing_mm: distance between stops.
        direct_sd_mm, close_sd_mm: standard deviations of the target in x and z at which to go straight, to finish.
        field_mm: field of the search, side at the isocentre, mm; the full detector by default.
        preset: dose preset of the search (0 scout, 1 low, 2 normal, 3 high).
        tolerance_mm: believed root mean square error up to which arrival is declared.
        max_tries: verifications, and looks at nothing, before it gives up.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm`` of ``Scripted``.
    """

    def __init__(
        self,
        spacing_mm: float = 150.0,
        direct_sd_mm: float = 30.0,
        close_sd_mm: float = 8.0,
        field_mm: float = np.inf,
        preset: int = LOW,
        tolerance_mm: float = 6.5,
        max_tries: int = 4,
        **scripted: Any,
    ) -> None:
        super().__init__(**scripted)
        at_least("spacing_mm", spacing_mm, 10.0)
        at_least("field_mm", field_mm, MIN_FIELD_MM)
        check_search(close_sd_mm, preset, tolerance_mm, max_tries)
        self.spacing_mm, self.direct_sd_mm, self.close_sd_mm = spacing_mm, direct_sd_mm, close_sd_mm
        self.field_mm, self.preset = field_mm, preset
        self.finish = Finish(tolerance_mm, max_tries)

    def decide(self, view: View, memory: Memory) -> Plan:
        memory.closing |= bool(memory.target.sd_mm[[X, Z]].max() <= self.close_sd_mm)
        if memory.closing:
            return self.finish.plan(self, view, memory)
        if memory.stop_mm is None:
            memory.stop_mm = view.position[:3]
        elif memory.fresh[0]:
            memory.stop_mm = self._next_stop(view, memory)
        untouched = memory.contacts == 0
        deploy = untouched and bool(memory.target.seen[Z]) and self.deploys(view, memory, memory.target.mm)
        look = self.arrived(view, memory.stop_mm)
        return Plan(memory.stop_mm, deploy, (look, False), self.field_mm, NORMAL if memory.lost else self.preset)

    def _next_stop(self, view: View, memory: Memory) -> F64:
        stop_mm, z_mm = memory.target.mm.copy(), view.position[Z]
        if memory.target.sd_mm[[X, Z]].max() > self.direct_sd_mm:
            stop_mm[Z] = z_mm + np.clip(stop_mm[Z] - z_mm, -self.spacing_mm, self.spacing_mm)
        if (abs(memory.target.mm[Z] - z_mm) < self.spacing_mm / 2 and not view.valid[0]) or near(view, stop_mm, 5.0):
            memory.lost += 1
            memory.give_up = memory.lost > self.finish.max_tries
            if not view.valid[0]:
                stop_mm[Z] += SEARCH_OFFSETS[memory.lost % len(SEARCH_OFFSETS)] * self.spacing_mm / 2
        return stop_mm
