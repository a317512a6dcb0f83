"""The final approach: find the depth, verify at rest with both planes, declare or correct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.scripted.base import Scripted
from agents.scripted.memory import LOW, NORMAL, Memory, Plan
from agents.scripted.view import View
from carm_env.machine.state import X, Y, Z

VERIFY_FIELD_MM = 150.5
"""A hair above the least field that counts as a verification, so that rounding cannot fall below."""


@dataclass(frozen=True)
class Finish:
    """Settings of the final approach.

    Attributes:
        tolerance_mm: believed root mean square error (offset and uncertainty) up to which arrival is declared.
        max_tries: verifications that may fail before it gives up.
        field_mm: field of verification exposures, mm at the isocentre, at least 150.
        depth_sd_mm: uncertainty of the depth above which plane B takes a look (preset low) before the verification.
    """

    tolerance_mm: float = 6.5
    max_tries: int = 4
    field_mm: float = VERIFY_FIELD_MM
    depth_sd_mm: float = 15.0

    def plan(self, policy: Scripted, view: View, memory: Memory) -> Plan:
        """The next step of the final approach; may set ``memory.give_up``."""
        if self._answered(view, memory):
            if memory.asked == "verify" and self._convinced(view, memory):
                return Plan(view.position[:3], deploy=True, declare=True)
            self._correct(view, memory)
        aim = memory.target.mm if memory.aim_mm is None else memory.aim_mm
        memory.aim_mm = aim
        move = Plan(aim, deploy=policy.deploys(view, memory, aim))
        if not (view.deployed and policy.arrived(view, aim)):
            return move
        if not view.planar and memory.target.sd_mm[Y] > self.depth_sd_mm:
            memory.asked = "depth"
            return Plan(aim, True, (False, True), self.field_mm, LOW)
        memory.asked = "verify"
        return Plan(aim, True, (True, True), self.field_mm, NORMAL)

    def _answered(self, view: View, memory: Memory) -> bool:
        """Whether the exposure that was asked for has been taken."""
        return bool(memory.fresh.all() if memory.asked == "verify" else memory.asked == "depth" and memory.fresh[-1])

    def _convinced(self, view: View, memory: Memory) -> bool:
        axes = [X, Z] if view.planar else [X, Y, Z]
        error_mm = np.append(memory.target.mm[axes] - view.position[axes], memory.target.sd_mm[axes])
        return bool(view.valid.all()) and float(np.linalg.norm(error_mm)) <= self.tolerance_mm

    def _correct(self, view: View, memory: Memory) -> None:
        memory.tries += memory.asked == "verify" or not view.valid[-1]
        memory.give_up = memory.tries >= self.max_tries
        memory.aim_mm, memory.asked = memory.target.mm, ""
