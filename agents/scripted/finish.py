"""The final approach: find the depth, verify at rest with both planes, declare or correct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.scripted.base import Scripted
from agents.scripted.memory import FULL_MM, LOW, NORMAL, SCOUT, Look, Memory, Plan
from agents.scripted.view import View
from carm_env.machine.state import X, Y, Z
from carm_env.sim.task import TOLERANCE_MM

F64 = NDArray[np.float64]

VERIFY_FIELD_MM = 150.5
"""A hair above the least field that counts as a verification, so that rounding cannot fall below."""
VERIFY = Look(VERIFY_FIELD_MM, NORMAL)
DEPTH = Look(FULL_MM, LOW)
CLOSER = Look(FULL_MM, SCOUT)
PLANES = {"depth": (False, True), "refine": (True, True), "verify": (True, True)}
ASIDE = (0.0, -1.0, 1.0)
"""Where along the table closer looks are taken, in ``aside_mm`` from the target, one after the other: views from
different places share less of their error."""
LIKELY = 0.8
"""Chance of success at the best place in reach below which it looks closer."""
EVEN = 0.5
"""Chance of success from which to declare earns more than to give up: +1 against -1."""
GAIN = 0.1
"""Growth of that chance that is worth another verification: about 4 mGy cm2 and two seconds, 0.2 of reward."""


@dataclass(frozen=True)
class Finish:
    """Settings of the final approach.

    Closer looks are cheap: a scout frame of the full detector costs a seventh of a verification, and where anatomy is
    hard to read it tells more, because it shows more. So all of them are spent before it settles for less than
    ``tolerance_mm``. After that it declares wherever success is likelier than not and correcting the pose would gain
    less than it costs; and gives up where not even the best place in reach is such a place.

    Attributes:
        tolerance_mm: believed root mean square error (offset and uncertainty) up to which arrival is declared.
        max_tries: verifications that may fail before it gives up.
        verify: verification exposures: at least 150 mm and preset normal.
        depth_sd_mm: uncertainty of the depth above which plane B takes a look before the verification.
        depth: that look.
        refine_sd_mm: uncertainty, all axes together, above which it looks closer before it verifies: with plane B alone
            if the depth is the greater part of it.
        refine: that look.
        max_refines: closer looks and looks for the depth, all together.
        aside_mm: see ``ASIDE``; once something was touched all are taken at the target.
    """

    tolerance_mm: float = 6.5
    max_tries: int = 4
    verify: Look = VERIFY
    depth_sd_mm: float = 15.0
    depth: Look = DEPTH
    refine_sd_mm: float = 6.5
    refine: Look = CLOSER
    max_refines: int = 5
    aside_mm: float = 40.0

    def plan(self, policy: Scripted, view: View, memory: Memory) -> Plan:
        """The next step of the final approach; may set ``memory.give_up``.

        It exposes where it rests, not where the belief has shifted by a hair: a verification counts for its own pose.
        """
        best = policy.reachable(memory.belief.mm)
        if self._answered(memory):
            if memory.asked == "verify" and self._declares(view, memory, best):
                return Plan(view.position[:3], deploy=True, declare=True)
            self._correct(view, memory, best)
        target = best if memory.aim_mm is None else memory.aim_mm
        memory.aim_mm, asks = target, self._next(view, memory, target)
        aim = target + self._aside(asks, memory)
        if not (view.deployed and policy.arrived(view, aim)):
            return Plan(aim, deploy=policy.deploys(view, memory, target))
        memory.asked = asks
        return Plan(view.position[:3], True, PLANES[asks], getattr(self, asks))

    def _next(self, view: View, memory: Memory, target: F64) -> str:
        """The exposure to take next."""
        if not self._open(view, memory, target):
            return "verify"
        variance = np.diag(memory.belief.covariance_mm2)
        deep = not view.planar and variance[Y] > 0.5 * variance.sum()
        return "depth" if deep else "refine"

    def _open(self, view: View, memory: Memory, target: F64) -> bool:
        """Whether another closer look is due before the verification at ``target`` [3]."""
        if memory.refined >= self.max_refines:
            return False
        sd_mm = memory.belief.sd_mm
        wide = not view.planar and sd_mm[Y] > self.depth_sd_mm
        unlikely = _chance(view, memory, target) < LIKELY
        return bool(wide or unlikely or np.linalg.norm(sd_mm[moved_axes(view)]) > self.refine_sd_mm)

    def _aside(self, asks: str, memory: Memory) -> F64:
        at_target = asks == "verify" or memory.contacts > 0
        return np.array([0.0, 0.0, 0.0 if at_target else self.aside_mm * ASIDE[memory.refined % len(ASIDE)]])

    def _answered(self, memory: Memory) -> bool:
        """Whether the exposure that was asked for has been taken."""
        return bool(memory.asked) and bool(memory.fresh[-1] if memory.asked == "depth" else memory.fresh.all())

    def _declares(self, view: View, memory: Memory, best: F64) -> bool:
        """Whether to declare on a verification that was just taken."""
        if not _trusted(view, memory):
            return False
        axes, belief = moved_axes(view), memory.belief
        error_mm = np.append(belief.mm[axes] - view.position[axes], belief.sd_mm[axes])
        if float(np.linalg.norm(error_mm)) <= self.tolerance_mm:
            return True
        here, there = (_chance(view, memory, place) for place in (view.position[:3], best))
        settled = memory.tries + 1 >= self.max_tries or not (self._open(view, memory, best) or there - here > GAIN)
        return settled and here > EVEN

    def _correct(self, view: View, memory: Memory, best: F64) -> None:
        verified, memory.aim_mm = memory.asked == "verify", best
        memory.refined += not verified
        memory.tries += verified or not view.valid[-1]
        vain = verified and _trusted(view, memory) and not self._open(view, memory, best)
        memory.give_up = memory.tries >= self.max_tries or (vain and _chance(view, memory, best) <= EVEN)
        memory.asked = ""


def _trusted(view: View, memory: Memory) -> bool:
    return bool(view.valid.all()) and not memory.belief.surprises


def _chance(view: View, memory: Memory, place: F64) -> float:
    """Believed chance that arrival at a place would be a success."""
    return memory.belief.chance(place, TOLERANCE_MM, moved_axes(view))


def moved_axes(view: View) -> list[int]:
    """Axes of the table along which the task moves."""
    return [X, Z] if view.planar else [X, Y, Z]
