"""What a learned policy decides at a waypoint: where to look next and how, or that it has arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agents.scripted.finish import VERIFY_FIELD_MM
from agents.scripted.memory import FULL_MM, LOW, NORMAL, SCOUT, Look

F64 = NDArray[np.float64]
Verb = Literal["A", "B", "AB", "verify", "declare"]

VERBS: tuple[Verb, ...] = ("A", "B", "AB", "verify", "declare")
WAYS = (0.0, 0.3, 0.6, 0.85, 1.0)
"""Share of the way to the believed target at which to look."""
ASIDE_MM = (0.0, -40.0, 40.0)
"""Along the table, added to that place."""
FIELDS_MM = (100.0, VERIFY_FIELD_MM, 200.0, FULL_MM)
PRESETS = (SCOUT, LOW, NORMAL)
PACES = ("rest", "passing")
CHOICES: dict[str, int] = {
    "verb": len(VERBS), "way": len(WAYS), "aside": len(ASIDE_MM), "field": len(FIELDS_MM), "preset": len(PRESETS),
    "pace": len(PACES),
}  # fmt: skip
"""Numbers of alternatives of each part of a decision, in order."""


@dataclass(frozen=True)
class Order:
    """One decision, as it is carried out.

    Attributes:
        verb: look with plane A, with B or with both; verify; declare arrival.
        goal_mm: where to drive, table frame, [3].
        left_mm: distance from there, along the table, within which to look in passing; None to look at rest.
        look: field and preset, None to declare.
    """

    verb: Verb
    goal_mm: F64
    left_mm: float | None = None
    look: Look | None = None

    @property
    def planes(self) -> tuple[bool, bool]:
        """Planes that shall expose."""
        return self.verb != "B", self.verb not in ("A", "declare")


def order_of(choice: NDArray[np.int64], here_mm: F64, target_mm: F64, may_declare: bool) -> Order:
    """The order of a decision.

    A verification is always taken at rest at the believed target, with the field and preset that the task demands at
    least. Without one at this pose, to declare would be a false arrival whatever the truth, and where success is less
    likely than not it would cost more than it earns: then it means to verify.

    Args:
        choice: one index for each of ``CHOICES``.
        here_mm, target_mm: isocentre and believed target (within reach), [3]. may_declare: see above.
    """
    index = dict(zip(CHOICES, choice.tolist(), strict=True))
    verb = VERBS[index["verb"]]
    field_mm, preset = FIELDS_MM[index["field"]], PRESETS[index["preset"]]
    if verb == "declare" and may_declare:
        return Order("declare", here_mm)
    if verb in ("verify", "declare"):
        return Order("verify", target_mm, None, Look(max(field_mm, VERIFY_FIELD_MM), max(preset, NORMAL)))
    share, look = WAYS[index["way"]], Look(field_mm, preset)
    if PACES[index["pace"]] == "passing":
        return Order(verb, target_mm, (1.0 - share) * abs(float(target_mm[2] - here_mm[2])), look)
    goal = here_mm + share * (target_mm - here_mm) + np.array([0.0, 0.0, ASIDE_MM[index["aside"]]])
    return Order(verb, goal, None, look)


def thresholds(action: NDArray[np.floating]) -> NDArray[np.int64]:
    """The choices of actions in [-1, 1], [..., parts]: each part's range in equal bins."""
    count = np.array(list(CHOICES.values()))
    return np.clip(np.floor(0.5 * (np.asarray(action, float) + 1.0) * count), 0, count - 1).astype(np.int64)
