"""Straight to a place, one verification, declare: whatever the images say."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from agents.scripted.base import Scripted
from agents.scripted.finish import VERIFY
from agents.scripted.memory import Memory, Plan
from agents.scripted.view import View

F64 = NDArray[np.float64]


class Direct(Scripted):
    """Drives to ``destination``, takes one verification exposure of each plane and declares in the next step."""

    @abstractmethod
    def destination(self, view: View, memory: Memory) -> F64:
        """Where the isocentre shall be, table frame, [3]."""

    def decide(self, view: View, memory: Memory) -> Plan:
        goal = self.destination(view, memory)
        if memory.asked and memory.fresh.all():
            return Plan(view.position[:3], deploy=True, declare=True)
        if not (view.deployed and self.arrived(view, goal)):
            return Plan(goal, self.deploys(view, memory, goal))
        memory.asked = "verify"
        return Plan(goal, True, (True, True), VERIFY)
