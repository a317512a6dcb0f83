"""The eight axes of a biplane, their state and what a motion step reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

AXES: tuple[str, ...] = ("x", "y", "z", "a_primary", "a_secondary", "b_primary", "b_secondary", "b_deploy")
"""Isocentre in the table frame (mm), angles of both planes (deg), swing of plane B (deg, 0 parked)."""

X, Y, Z, A1, A2, B1, B2, DEPLOY = range(8)


@dataclass
class MachineState:
    """Pose and velocity of N lanes, both [N, 8] in the order of ``AXES`` (mm or deg, per second)."""

    position: F64
    velocity: F64


@dataclass(frozen=True)
class MotionReport:
    """What a step did beyond the state: all per lane.

    Attributes:
        at_limit: axes that a travel limit stopped in this step, bool [N, 8].
        contact: a collision stopped the motion, bool [N].
        contact_pair: index into ``PAIRS`` of what touched, -1 for none, int [N].
        path_mm: path of the isocentre in this step, [N].
    """

    at_limit: NDArray[np.bool_]
    contact: NDArray[np.bool_]
    contact_pair: NDArray[np.int64]
    path_mm: F64


PAIRS: tuple[str, ...] = ("A-patient", "A-table", "B-patient", "B-table", "A-B")
