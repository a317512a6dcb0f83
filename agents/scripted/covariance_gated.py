"""Covariance-gated: drives on what it believes, and looks only when not knowing would matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.scripted.checks import at_least
from agents.scripted.finish import Finish
from agents.scripted.memory import FULL_MM, SCOUT, Look, Memory
from agents.scripted.search import Search
from agents.scripted.view import View
from carm_env.machine.state import Z


class CovarianceGated(Search):
    """No stops: it exposes while driving, once the uncertainty along the drive exceeds a share of the distance left.

    Far from the target an error costs nothing, because a later look corrects it on the way; so the gate opens near the
    target, or where the record tells little. Plane B looks too if it is swung in. Motion adds no uncertainty: encoders
    are exact, and the table carries the patient. At the target it looks at rest, if it still has to.

    Args:
        gate: standard deviation along the table over distance left, above which it looks.
        spacing_mm: least distance between looks on the move.
        field_mm, preset: of the search: side at the isocentre (mm; the full detector by default), dose preset (0 scout,
            1 low, 2 normal, 3 high).
        close_sd_mm: standard deviation of the target in x and z at which the search ends.
        refine_field_mm, refine_preset, refine_sd_mm: a closer look before the verification (see ``Finish``).
        tolerance_mm: believed root mean square error up to which arrival is declared.
        max_tries: verifications, and looks at nothing, before it gives up.
        scripted: ``device``, ``max_contacts``, ``deploy_within_mm``, ``shared_error`` of ``Scripted``.
    """

    def __init__(
        self,
        gate: float = 1.0,
        spacing_mm: float = 30.0,
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
        at_least("gate", gate, 0.0)
        at_least("spacing_mm", spacing_mm, 1.0)
        look, closer = Look(field_mm, preset), Look(refine_field_mm, refine_preset)
        finish = Finish(tolerance_mm, max_tries, depth=look, refine_sd_mm=refine_sd_mm, refine=closer)
        super().__init__(finish, look, close_sd_mm, both=True, **scripted)
        self.gate, self.spacing_mm = gate, spacing_mm

    def first_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return memory.belief.mm

    def next_stop(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return memory.belief.mm

    def due(self, view: View, memory: Memory) -> bool:
        left_mm = abs(memory.belief.mm[Z] - view.position[Z])
        before = memory.looked_mm
        apart = before is None or bool(np.linalg.norm(view.position[:3] - before) >= self.spacing_mm)
        return super().due(view, memory) or (apart and bool(memory.belief.sd_mm[Z] > self.gate * left_mm))
