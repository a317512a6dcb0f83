"""What a scripted policy remembers of an episode, and what it plans for the next step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief
from agents.scripted.view import View

F64 = NDArray[np.float64]

SCOUT, LOW, NORMAL = 0, 1, 2
"""Dose presets: indices into ``carm_env.xray.exposure.PRESETS``."""
FULL_MM = 250.0
"""A field larger than any detector's: all of it, and a finite number for records."""


@dataclass
class Memory:
    """One lane's memory. Its arrays are replaced, never changed in place, so that a shallow copy is a copy.

    Attributes:
        lane: index in the batch; steps: decisions so far; belief: where the target is.
        fresh: planes whose estimate came with the last step, bool [P].
        age_s, elapsed_s: of the last observation; goal_mm: isocentre goal of the last plan.
        contacts: so far; tilted: plane B keeps off the shoulders; driving: the table moved in the last step.
        retreat: steps of backing off left, towards ``retreat_mm``.
        give_up: stay in place and expose no more; inside: whether plane B then stays in, or parks.
        looked_mm: isocentre of the last exposure, [3].
        stop_mm, lost: of the search: the next stop, and looks that led no further.
        closing: the final approach has begun.
        aim_mm, asked, tries, refined: of the final approach (``finish``): where it shall end, the exposure that is
            awaited (``"verify"``, ``"refine"``, ``"depth"`` or nothing), attempts that did not convince, closer
            looks so far.
    """

    lane: int
    belief: Belief
    steps: int = 0
    fresh: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(2, bool))
    age_s: F64 | None = None
    elapsed_s: float = 0.0
    goal_mm: F64 | None = None
    contacts: int = 0
    tilted: bool = False
    driving: bool = False
    retreat: int = 0
    retreat_mm: F64 | None = None
    give_up: bool = False
    inside: bool | None = None
    looked_mm: F64 | None = None
    stop_mm: F64 | None = None
    lost: int = 0
    closing: bool = False
    aim_mm: F64 | None = None
    asked: str = ""
    tries: int = 0
    refined: int = 0

    def take_in(self, view: View) -> None:
        """Notes which estimates are new and updates the belief with them."""
        self.fresh = np.zeros(len(view.age_s), bool)
        if self.age_s is not None:
            self.fresh = view.age_s < self.age_s + (view.elapsed_s - self.elapsed_s) - 1e-3
        for plane in np.flatnonzero(self.fresh & view.valid).tolist():
            self.belief = self.belief.updated(view.evidence(plane))
        if self.fresh.any():
            self.looked_mm = view.position[:3]
        self.age_s, self.elapsed_s = view.age_s, view.elapsed_s


@dataclass(frozen=True)
class Look:
    """How to expose: side of the field at the isocentre (mm; infinite: the full detector), dose preset."""

    field_mm: float = np.inf
    preset: int = LOW


@dataclass(frozen=True)
class Plan:
    """What a policy wants next.

    Attributes:
        goal_mm: where the isocentre shall come to rest, table frame, [3] (y is ignored in planar tasks).
        deploy: swing plane B in; expose: planes A and B; look: field and preset of both.
        declare: say that it has arrived; speed_mm_s: greatest table speed.
    """

    goal_mm: F64
    deploy: bool = False
    expose: tuple[bool, bool] = (False, False)
    look: Look = Look()
    declare: bool = False
    speed_mm_s: float = np.inf
