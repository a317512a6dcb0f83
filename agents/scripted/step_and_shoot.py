"""Step and shoot: stop, take one low-dose image, move by a spacing or straight to the target once it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.checks import at_least
from agents.scripted.finish import Finish
from agents.scripted.memory import LOW, Look, Memory
from agents.scripted.search import Search
from agents.scripted.view import View
from carm_env.machine.state import X, Z


class StepAndShoot(Search):
    """Frontal stops on the way to the head, then the final approach with both planes.

    The next stop is the believed target if it is known to ``direct_sd_mm`` along the table, else ``spacing_mm`` further
    towards it. Known to ``close_sd_mm``, the search ends: plane B swings in and tells the depth, both planes verify,
    and arrival is declared or the pose corrected.

    Args:
        spacing_mm: distance between stops.
        direct_sd_mm, close_sd_mm: standard deviations of the target in x and z at which to go straight, to finish.
        field_mm: field of the search, side at the isocentre, mm; the full detector by default.
        preset: dose preset of the search (0 scout, 1 low, 2 normal, 3 high).
        tolerance_mm: believed root mean square error up to which arrival is declared.
        max_tries: verifications, and looks at nothing, before it gives up.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(
        self,
        spacing_mm: float = 150.0,
        direct_sd_mm: float = 30.0,
        close_sd_mm: float = 8.0,
        field_mm: float = np.inf,
        preset: int = LOW,
        tolerance_mm: float = 6.5,
        max_tries: int = 4,
        **scripted: Any,
    ) -> None:
        at_least("spacing_mm", spacing_mm, 10.0)
        finish = Finish(tolerance_mm, max_tries)
        super().__init__(finish, Look(field_mm, preset), close_sd_mm, aside_mm=spacing_mm / 2, **scripted)
        self.spacing_mm, self.direct_sd_mm = spacing_mm, direct_sd_mm

    def next_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        stop_mm, z_mm = memory.belief.mm.copy(), view.position[Z]
        if memory.belief.sd_mm[[X, Z]].max() > self.direct_sd_mm:
            stop_mm[Z] = z_mm + np.clip(stop_mm[Z] - z_mm, -self.spacing_mm, self.spacing_mm)
        return stop_mm
