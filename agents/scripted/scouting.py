"""What strategies share that search and look closer with scout frames of the full detector."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.finish import Finish
from agents.scripted.memory import FULL_MM, SCOUT, Look, Memory
from agents.scripted.search import Search
from agents.scripted.view import View


class Scouting(Search):
    """A search that goes where the belief puts the target; plane B looks too wherever it is swung in.

    Args:
        field_mm, preset: of the search: side at the isocentre (mm; the full detector by default), dose preset (0 scout,
            1 low, 2 normal, 3 high).
        close_sd_mm: standard deviation of the target in x and z at which the search ends.
        refine_field_mm, refine_preset: of closer looks before the verification (see ``Finish``).
        refine_sd_mm: uncertainty, all axes together, above which they are taken.
        tolerance_mm: believed root mean square error up to which arrival is declared.
        max_tries: verifications, and looks at nothing, before it gives up.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(
        self,
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
        look, closer = Look(field_mm, preset), Look(refine_field_mm, refine_preset)
        finish = Finish(tolerance_mm, max_tries, depth=look, refine_sd_mm=refine_sd_mm, refine=closer)
        super().__init__(finish, look, close_sd_mm, both=True, **scripted)

    def next_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return memory.belief.mm
