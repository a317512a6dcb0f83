"""What strategies share that stop, look and go on: when the search is over, and what to do when it leads nowhere."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.base import Scripted, near
from agents.scripted.checks import check_search
from agents.scripted.finish import Finish
from agents.scripted.memory import NORMAL, Look, Memory, Plan
from agents.scripted.view import View
from carm_env.machine.state import X, Z

F64 = NDArray[np.float64]

SEARCH_OFFSETS = (0.0, 1.0, -1.0)
"""Where to look again, in ``aside_mm`` along the table, when nothing was seen where the target should be."""
REOPENED = 4.0
"""Growth of the uncertainty beyond ``close_sd_mm`` at which a final approach becomes a search again."""


class Search(Scripted):
    """Stops, each with one exposure of plane A, until the target is known to ``close_sd_mm`` in x and z.

    Then the final approach takes over. A look that leads no further (nothing recognised where the target should be, or
    the next stop is this one) is repeated aside, with preset normal; after as many of them as the final approach may
    fail, it gives up. Plane B swings in on the way already, but once it touched something only after the search.

    Args:
        finish: the final approach. look: field and preset of the search.
        close_sd_mm: standard deviation of the target in x and z at which the search ends.
        aside_mm: how far aside to look again, and how near the target a frame must recognise something.
        both: plane B looks too wherever it is swung in.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(
        self,
        finish: Finish,
        look: Look,
        close_sd_mm: float,
        aside_mm: float = 75.0,
        both: bool = False,
        **scripted: Any,
    ) -> None:
        super().__init__(**scripted)
        check_search(close_sd_mm, look, finish)
        self.finish, self.look, self.close_sd_mm, self.aside_mm, self.both = finish, look, close_sd_mm, aside_mm, both

    def first_stop(self, view: View, memory: Memory) -> F64:
        """Where to look first, [3]: here."""
        return view.position[:3]

    @abstractmethod
    def next_stop(self, view: View, memory: Memory) -> F64:
        """Where to look next after a look of plane A, [3]."""

    def look_at(self, view: View, memory: Memory) -> Look:
        """How to look at the present stop."""
        return Look(self.look.field_mm, NORMAL) if memory.lost else self.look

    def decide(self, view: View, memory: Memory) -> Plan:
        memory.closing = self.found(view, memory)
        return self.finish.plan(self, view, memory) if memory.closing else self.seek(view, memory)

    def found(self, view: View, memory: Memory) -> bool:
        """Whether the search is over; a final approach is given up only for a belief that has become much worse."""
        sd_mm = memory.belief.sd_mm[[X, Z]].max()
        return bool(sd_mm <= self.close_sd_mm * (REOPENED if memory.closing else 1.0))

    def seek(self, view: View, memory: Memory) -> Plan:
        """The next step of the search: drive to the stop, look."""
        if memory.stop_mm is None:
            memory.stop_mm = self.first_stop(view, memory)
        elif memory.fresh[0]:
            memory.stop_mm = self.go_on(view, memory)
        deploy = memory.contacts == 0 and self.deploys(view, memory, memory.belief.mm)
        look = self.due(view, memory)
        return Plan(memory.stop_mm, deploy, (look, look and view.deployed and self.both), self.look_at(view, memory))

    def due(self, view: View, memory: Memory) -> bool:
        """Whether to look now: at rest at the stop."""
        return memory.stop_mm is not None and self.arrived(view, memory.stop_mm)

    def go_on(self, view: View, memory: Memory) -> F64:
        """The stop after a look, [3]; counts looks that led no further."""
        stop_mm = self.next_stop(view, memory)
        blind = not view.valid[0] and abs(memory.belief.mm[Z] - view.position[Z]) < self.aside_mm
        if not (blind or near(view, stop_mm, 5.0)):
            return stop_mm
        memory.lost += 1
        memory.give_up = memory.lost >= self.finish.max_tries
        offset = 0.0 if view.valid[0] else SEARCH_OFFSETS[memory.lost % len(SEARCH_OFFSETS)]
        return stop_mm + np.array([0.0, 0.0, offset * self.aside_mm])
