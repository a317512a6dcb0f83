"""Carries out decisions: drives, swings plane B in, looks, waits for the estimate; then the next decision is due."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief, prior_of
from agents.rl.orders import Order, order_of
from agents.scripted.base import Scripted
from agents.scripted.checks import at_least
from agents.scripted.finish import EVEN, moved_axes
from agents.scripted.memory import Memory, Plan
from agents.scripted.view import View
from carm_env.machine.state import Z
from carm_env.sim.task import TOLERANCE_MM

F64 = NDArray[np.float64]


@dataclass
class Course(Memory):
    """A lane's memory with the order that is being carried out.

    Attributes:
        order: None when a decision is due; orders: so far.
        verified_mm: isocentre of the last verification with estimates of all planes, [3]; verifications: so far.
    """

    order: Order | None = None
    orders: int = 0
    verified_mm: F64 | None = None
    verifications: int = 0


class Waypoints(Scripted):
    """A policy that decides at waypoints only; in between the servo drives, as for scripts.

    Planar tasks have plane A only: there whatever looks, looks with it. After ``max_orders`` decisions it gives up.

    Args:
        max_orders: decisions of an episode; some four or five are enough as a rule.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(self, max_orders: int = 20, **scripted: Any) -> None:
        at_least("max_orders", max_orders, 1)
        super().__init__(**scripted)
        self.max_orders = max_orders

    def begin(self, lane: int, view: View) -> Course:
        return Course(lane, Belief(*prior_of(view.target, view.record), self.rules))

    @abstractmethod
    def choose(self, view: View, memory: Course) -> NDArray[np.int64]:
        """One index for each of ``orders.CHOICES``."""

    def sense(self, view: View, memory: Memory) -> None:
        super().sense(view, memory)
        assert isinstance(memory, Course)
        order = memory.order
        if order is None:
            return
        if _answered(order, view, memory):
            if order.verb == "verify" and view.valid.all():
                memory.verified_mm = view.position[:3]
            memory.verifications += order.verb == "verify"
            memory.order = None
        elif memory.retreat:
            memory.order = None
        memory.give_up |= memory.order is None and memory.orders >= self.max_orders

    def due(self, memory: Course) -> bool:
        """Whether a decision is due, after ``sense``."""
        return memory.order is None and not (memory.retreat or memory.give_up)

    def tell(self, choice: NDArray[np.int64], view: View, memory: Course) -> None:
        """Gives the next order."""
        target = self.reachable(memory.belief.mm)
        memory.order = order_of(choice, view.position[:3], target, self.may_declare(view, memory))
        memory.orders += 1

    def verified(self, view: View, memory: Course) -> bool:
        """Whether a verification was taken at this very pose, and everything rests."""
        at = memory.verified_mm
        return at is not None and view.resting and bool(np.abs(view.position[:3] - at).max() < 1e-4)

    def may_declare(self, view: View, memory: Course) -> bool:
        """Whether arrival may be declared: verified here, likelier a success than not, nothing that contradicts."""
        axes = moved_axes(view)
        likely = memory.belief.chance(view.position[:3], TOLERANCE_MM, axes) > EVEN
        return likely and not memory.belief.surprises and self.verified(view, memory)

    def decide(self, view: View, memory: Memory) -> Plan:
        assert isinstance(memory, Course)
        if memory.order is None:
            self.tell(self.choose(view, memory), view, memory)
        order = memory.order
        assert order is not None
        if order.look is None:
            return Plan(view.position[:3], deploy=True, declare=True)
        deploy = view.deployed or self.deploys(view, memory, memory.belief.mm)
        if not self._at_place(order, view):
            return Plan(order.goal_mm, deploy)
        ready = view.deployed or not order.planes[1]
        passing = order.left_mm is not None
        planes = (order.planes[0] or view.planar, order.planes[1] and view.deployed)
        expose = planes if ready or passing else (False, False)
        return Plan(order.goal_mm if passing else view.position[:3], deploy or not ready, expose, order.look)

    def _at_place(self, order: Order, view: View) -> bool:
        if order.left_mm is not None and abs(order.goal_mm[Z] - view.position[Z]) <= order.left_mm + 1e-6:
            return True
        return self.arrived(view, order.goal_mm)


def _answered(order: Order, view: View, memory: Course) -> bool:
    """Whether the exposure that was ordered has been taken."""
    wanted = np.array(order.planes[: len(memory.fresh)])
    if order.left_mm is not None or view.planar:
        return bool(memory.fresh.any())
    return bool((memory.fresh >= wanted).all())
