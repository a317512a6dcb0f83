"""The nominal drive: to where the head should be, one look, declare. Shows that the task needs perception."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.scripted.direct import Direct
from agents.scripted.memory import Memory
from agents.scripted.view import View
from carm_env.sim.nominal import sella_mm


class BlindCheck(Direct):
    """Drives to the nominal sella, verifies once, and declares without using any estimate.

    Args:
        device, max_contacts, deploy_within_mm: see ``Scripted``.
    """

    def destination(self, view: View, memory: Memory) -> NDArray[np.float64]:
        return np.array(sella_mm())
