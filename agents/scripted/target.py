"""Where a scripted policy believes the target to be: one Gaussian an axis, fed by perception's estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.sim.nominal import sella_mm
from carm_env.sim.perception import UNSEEN_SD_MM

F64 = NDArray[np.float64]

PRIOR_SD_MM = (30.0, 30.0, 60.0)
"""Of the nominal sella: the placement's spread and the anatomy's."""
ANYWHERE_SD_MM = (100.0, 100.0, 500.0)
FLOOR_SD_MM = 1.0
FORGET_MM2_PER_MM = 1.0
"""Variance gained per millimetre of travel: estimates made from afar share errors that averaging does not remove."""


@dataclass(frozen=True)
class Target:
    """Position in the table frame ``mm`` [3] with standard deviations ``sd_mm`` [3].

    ``seen``: axes that some estimate told anything of, bool [3].
    """

    mm: F64
    sd_mm: F64
    seen: NDArray[np.bool_]

    @classmethod
    def prior(cls, anywhere: bool) -> Target:
        """Before any image: the nominal sella, or (``anywhere``) a goal that may be any landmark."""
        sd = ANYWHERE_SD_MM if anywhere else PRIOR_SD_MM
        return cls(np.array(sella_mm()), np.array(sd), np.zeros(3, bool))

    def aged(self, travel_mm: float) -> Target:
        """After a travel of the isocentre."""
        return Target(self.mm, np.sqrt(self.sd_mm**2 + FORGET_MM2_PER_MM * travel_mm), self.seen)

    def updated(self, mm: F64, sd_mm: F64) -> Target:
        """Fused with an estimate by inverse variance; axes that the view could not see are left alone."""
        tells = sd_mm < UNSEEN_SD_MM
        theirs, ours = 1.0 / np.maximum(sd_mm, FLOOR_SD_MM) ** 2, 1.0 / self.sd_mm**2
        fused = (mm * theirs + self.mm * ours) / (theirs + ours)
        sd = np.maximum(1.0 / np.sqrt(theirs + ours), FLOOR_SD_MM)
        return Target(np.where(tells, fused, self.mm), np.where(tells, sd, self.sd_mm), self.seen | tells)
