"""Continuous fluoroscopy: the pedal stays down from the groin to the head; what is done where dose is no concern."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.scripted.base import Scripted, near
from agents.scripted.checks import at_least, check_search
from agents.scripted.finish import VERIFY_FIELD_MM, Finish
from agents.scripted.memory import NORMAL, Look, Memory, Plan
from agents.scripted.view import View
from carm_env.machine.state import X, Z

THERE_MM = 10.0
"""Distance from the believed target at which the pedal is released: it wanders with every estimate."""


class Continuous(Scripted):
    """The reference of the benchmarks: plane A, 7.5 pulses/s, preset normal, full field, 10 cm/s.

    It drives towards the believed target (the nominal sella until perception says otherwise) with plane A exposing in
    every step. At the target, the pedal is released; plane B swings in and tells the depth, both planes
    verify, and arrival is declared or the pose corrected.

    Args:
        speed_mm_s: greatest table speed.
        field_mm: field side at the isocentre, mm; the full detector by default.
        preset: dose preset (0 scout, 1 low, 2 normal, 3 high).
        close_sd_mm: standard deviation of the target in x and z at which the final approach begins.
        tolerance_mm: believed root mean square error up to which arrival is declared.
        max_tries: verifications that may fail before it gives up.
        patience: exposures at the target that tell too little before it gives up.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(
        self,
        speed_mm_s: float = 100.0,
        field_mm: float = np.inf,
        preset: int = NORMAL,
        close_sd_mm: float = 8.0,
        tolerance_mm: float = 6.5,
        max_tries: int = 4,
        patience: int = 15,
        **scripted: Any,
    ) -> None:
        super().__init__(**scripted)
        at_least("speed_mm_s", speed_mm_s, 1.0)
        at_least("field_mm", field_mm, VERIFY_FIELD_MM)
        self.speed_mm_s, self.look = speed_mm_s, Look(field_mm, preset)
        self.close_sd_mm, self.patience = close_sd_mm, patience
        self.finish = Finish(tolerance_mm, max_tries, Look(field_mm, NORMAL), depth=Look(field_mm))
        check_search(close_sd_mm, self.look, self.finish)

    def decide(self, view: View, memory: Memory) -> Plan:
        goal = memory.belief.mm
        there = near(view, goal, THERE_MM) and bool(memory.fresh[0])
        memory.closing |= there and bool(memory.belief.sd_mm[[X, Z]].max() <= self.close_sd_mm)
        if memory.closing:
            return self.finish.plan(self, view, memory)
        memory.lost += there
        memory.give_up = memory.lost > self.patience
        deploy = bool(memory.belief.seen[Z]) and self.deploys(view, memory, goal)
        return Plan(goal, deploy, (True, False), self.look, speed_mm_s=self.speed_mm_s)
