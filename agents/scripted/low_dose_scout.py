"""Low-dose scout: fields and doses as small as the belief allows; more of either only when a look tells too little."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.checks import at_least
from agents.scripted.finish import Finish
from agents.scripted.memory import FULL_MM, NORMAL, SCOUT, Look, Memory
from agents.scripted.search import Search
from agents.scripted.view import View
from carm_env.sim.actions import MIN_FIELD_MM


class LowDoseScout(Search):
    """Straight to where the record puts the target; scout frames whose field just holds what the belief leaves open.

    The field reaches ``reach`` standard deviations of the belief to each side. Every look that leads no further makes
    the field half as large again and the dose one preset higher, up to normal. Before the verification it
    takes further scout frames for as long as the target is not known well enough.

    Args:
        reach: half of the field over the largest standard deviation of the target.
        least_field_mm: least field of the search, mm at the isocentre.
        close_sd_mm: standard deviation of the target in x and z at which the search ends.
        refine_field_mm, refine_preset, refine_sd_mm: closer looks before the verification (see ``Finish``).
        tolerance_mm: believed root mean square error up to which arrival is declared.
        max_tries: verifications, and looks at nothing, before it gives up.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(
        self,
        reach: float = 2.0,
        least_field_mm: float = 90.0,
        close_sd_mm: float = 10.0,
        refine_field_mm: float = FULL_MM,
        refine_preset: int = SCOUT,
        refine_sd_mm: float = 6.0,
        tolerance_mm: float = 6.5,
        max_tries: int = 4,
        **scripted: Any,
    ) -> None:
        at_least("reach", reach, 0.5)
        at_least("least_field_mm", least_field_mm, MIN_FIELD_MM)
        least, closer = Look(least_field_mm, SCOUT), Look(refine_field_mm, refine_preset)
        finish = Finish(
            tolerance_mm, max_tries, depth=Look(preset=SCOUT), refine_sd_mm=refine_sd_mm, refine=closer
        )
        super().__init__(finish, least, close_sd_mm, both=True, **scripted)
        self.reach = reach

    def first_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return memory.belief.mm

    def next_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return memory.belief.mm

    def look_at(self, view: View, memory: Memory) -> Look:
        field_mm = max(2.0 * self.reach * float(memory.belief.sd_mm.max()), self.look.field_mm)
        return Look(field_mm * 1.5**memory.lost, min(SCOUT + memory.lost, NORMAL))
