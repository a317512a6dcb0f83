"""The final approach: find the depth, verify at rest with both planes, declare or correct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.scripted.base import Scripted
from agents.scripted.memory import NORMAL, Look, Memory, Plan
from agents.scripted.view import View
from carm_env.machine.state import X, Y, Z

VERIFY_FIELD_MM = 150.5
"""A hair above the least field that counts as a verification, so that rounding cannot fall below."""
VERIFY = Look(VERIFY_FIELD_MM, NORMAL)
CLOSER = Look(VERIFY_FIELD_MM)
PLANES = {"depth": (False, True), "refine": (True, True), "verify": (True, True)}


@dataclass(frozen=True)
class Finish:
    """Settings of the final approach.

    Attributes:
        tolerance_mm: believed root mean square error (offset and uncertainty) up to which arrival is declared.
        max_tries: verifications that may fail before it gives up.
        verify: verification exposures: at least 150 mm and preset normal.
        depth_sd_mm: uncertainty of the depth above which plane B takes a look before the verification.
        depth: that look.
        refine_sd_mm: uncertainty, all axes together, above which both planes look at the target before they verify:
            a cheaper frame than a verification that fails.
        refine: that look.
        max_refines: how often.
    """

    tolerance_mm: float = 6.5
    max_tries: int = 4
    verify: Look = VERIFY
    depth_sd_mm: float = 15.0
    depth: Look = CLOSER
    refine_sd_mm: float = np.inf
    refine: Look = CLOSER
    max_refines: int = 1

    def plan(self, policy: Scripted, view: View, memory: Memory) -> Plan:
        """The next step of the final approach; may set ``memory.give_up``."""
        if self._answered(memory):
            if memory.asked == "verify" and self._convinced(view, memory):
                return Plan(view.position[:3], deploy=True, declare=True)
            self._correct(view, memory)
        aim = memory.belief.mm if memory.aim_mm is None else memory.aim_mm
        memory.aim_mm = aim
        if not (view.deployed and policy.arrived(view, aim)):
            return Plan(aim, deploy=policy.deploys(view, memory, aim))
        memory.asked = self._next(view, memory)
        return Plan(aim, True, PLANES[memory.asked], getattr(self, memory.asked))

    def _next(self, view: View, memory: Memory) -> str:
        """The exposure to take at the aim."""
        sd_mm = memory.belief.sd_mm[_axes(view)]
        if not view.planar and memory.belief.sd_mm[Y] > self.depth_sd_mm:
            return "depth"
        if np.linalg.norm(sd_mm) > self.refine_sd_mm and memory.refined < self.max_refines:
            return "refine"
        return "verify"

    def _answered(self, memory: Memory) -> bool:
        """Whether the exposure that was asked for has been taken."""
        return bool(memory.asked) and bool(memory.fresh[-1] if memory.asked == "depth" else memory.fresh.all())

    def _convinced(self, view: View, memory: Memory) -> bool:
        axes = _axes(view)
        error_mm = np.append(memory.belief.mm[axes] - view.position[axes], memory.belief.sd_mm[axes])
        trusted = bool(view.valid.all()) and not memory.belief.surprises
        return trusted and float(np.linalg.norm(error_mm)) <= self.tolerance_mm

    def _correct(self, view: View, memory: Memory) -> None:
        memory.refined += memory.asked == "refine"
        memory.tries += memory.asked == "verify" or not view.valid[-1]
        memory.give_up = memory.tries >= self.max_tries
        memory.aim_mm, memory.asked = memory.belief.mm, ""


def _axes(view: View) -> list[int]:
    return [X, Z] if view.planar else [X, Y, Z]
