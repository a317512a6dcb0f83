"""Regress and jump: one look where it is, straight to where the target must be, one look there, verify."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.finish import Finish
from agents.scripted.memory import FULL_MM, SCOUT, Look, Memory
from agents.scripted.search import Search
from agents.scripted.view import View


class RegressJump(Search):
    """As few looks as possible: every one is taken where the belief puts the target.

    The first is taken at the start (or skipped). After each look it jumps to the believed target; plane B looks too
    wherever it is swung in. Known to ``close_sd_mm`` in x and z, it looks closer where that is needed, which costs a
    tenth of a verification that fails; then both planes verify.

    Args:
        look_first: take a look at the start; without, the record alone says where to jump.
        field_mm, preset: of the looks while jumping: side at the isocentre (mm; the full detector by default), dose
            preset (0 scout, 1 low, 2 normal, 3 high).
        close_sd_mm: standard deviation of the target in x and z at which jumping ends.
        refine_field_mm, refine_preset: of the closer look.
        refine_sd_mm: uncertainty, all axes together, above which it is taken.
        tolerance_mm: believed root mean square error up to which arrival is declared.
        max_tries: verifications, and looks at nothing, before it gives up.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(
        self,
        look_first: bool = True,
        field_mm: float = np.inf,
        preset: int = SCOUT,
        close_sd_mm: float = 10.0,
        refine_field_mm: float = FULL_MM,
        refine_preset: int = SCOUT,
        refine_sd_mm: float = 5.0,
        tolerance_mm: float = 6.5,
        max_tries: int = 4,
        **scripted: Any,
    ) -> None:
        look = Look(field_mm, preset)
        closer = Look(refine_field_mm, refine_preset)
        finish = Finish(tolerance_mm, max_tries, depth=look, refine_sd_mm=refine_sd_mm, refine=closer)
        super().__init__(finish, look, close_sd_mm, both=True, **scripted)
        self.look_first = look_first

    def first_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return view.position[:3] if self.look_first else memory.belief.mm

    def next_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return memory.belief.mm
