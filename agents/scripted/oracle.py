"""The privileged policy: it knows where the target is, so it pays for nothing but the mandatory verification."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.scripted.direct import Direct
from agents.scripted.memory import Memory
from agents.scripted.view import View
from carm_env.errors import CarmError


class Oracle(Direct):
    """Drives straight to the true target; one exposure of each plane, preset normal, least allowed field.

    ``privileged``: a runner calls ``inform`` after each reset.

    Args:
        device, max_contacts, deploy_within_mm: see ``Scripted``.
    """

    privileged = True

    def __init__(self, **scripted: Any) -> None:
        super().__init__(**scripted)
        self.target_mm: NDArray[np.float64] | None = None

    def inform(self, target_mm: ArrayLike) -> None:
        """Tells the true target in the table frame: [3], or [N, 3] for the lanes of a batch."""
        self.target_mm = np.asarray(target_mm, float).reshape(-1, 3)

    def destination(self, view: View, memory: Memory) -> NDArray[np.float64]:
        if self.target_mm is None or memory.lane >= len(self.target_mm) > 1:
            raise CarmError("policy oracle was not told the target; call inform(target_mm) after each reset")
        return self.target_mm[min(memory.lane, len(self.target_mm) - 1)]
