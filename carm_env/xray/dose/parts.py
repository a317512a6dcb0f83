"""Parts of an episode that doses are told for: all of it, its phases, its planes."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from carm_env.xray.dose.irradiation import Irradiations

F64 = NDArray[np.float64]

Part = Literal["total", "search", "verification", "plane_a", "plane_b"]
PARTS: tuple[Part, ...] = get_args(Part)
PHASES: tuple[Part, ...] = ("total", "search", "verification")
_PHASE: dict[Part, int] = {"search": 0, "verification": 1}
_PLANE: dict[Part, int] = {"plane_a": 0, "plane_b": 1}


def share_of(doses: F64, part: Part) -> F64:
    """The doses of a part, [...], from doses by phase (search, verification) and plane (A, B), [2, 2, ...]."""
    phases = [_PHASE[part]] if part in _PHASE else [0, 1]
    planes = [_PLANE[part]] if part in _PLANE else [0, 1]
    return np.asarray(doses[phases][:, planes].sum(axis=(0, 1)))


def rows_of(irradiations: Irradiations, part: Part) -> NDArray[np.bool_]:
    """Which irradiations belong to a part, [K]."""
    if part in _PHASE:
        return np.asarray(irradiations.verification == bool(_PHASE[part]))
    if part in _PLANE:
        return np.asarray(irradiations.plane == _PLANE[part])
    return np.ones(len(irradiations), bool)
