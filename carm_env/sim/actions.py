"""The action vector: its layout in each task and what its numbers mean in physical units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.machine.state import X, Z

F64 = NDArray[np.float64]
MIN_FIELD_MM = 60.0

FULL: dict[str, slice | int] = {
    "rates": slice(0, 7),
    "deploy": 7,
    "expose": slice(8, 10),
    "field": slice(10, 12),
    "preset": 12,
    "declare": 13,
}
PLANAR: dict[str, slice | int] = {
    "rates": slice(0, 2),
    "expose": slice(2, 3),
    "field": slice(3, 4),
    "preset": 4,
    "declare": 5,
}


def action_size(planar: bool) -> int:
    """6 in the planar tasks, 14 otherwise."""
    return 6 if planar else 14


@dataclass(frozen=True)
class Commands:
    """Decoded actions of N lanes and P planes.

    Attributes:
        rates: fractions of the axes' top rates, [N, 8] (the deploy axis is not used).
        deploy: swing plane B in (True) or out, [N].
        expose: [N, P]; field_mm: side at the isocentre, [N, P]; preset: int [N]; declare: [N].
    """

    rates: F64
    deploy: NDArray[np.bool_]
    expose: NDArray[np.bool_]
    field_mm: F64
    preset: NDArray[np.int64]
    declare: NDArray[np.bool_]


def field_mm(action: F64, full_mm: F64) -> F64:
    """Field side at the isocentre for an action in [-1, 1]: logarithmic from 60 mm to the full detector."""
    return MIN_FIELD_MM * (full_mm / MIN_FIELD_MM) ** ((action + 1.0) / 2.0)


def field_action(side_mm: F64 | float, full_mm: F64 | float) -> F64:
    """Inverse of ``field_mm``, clipped to [-1, 1]."""
    ratio = np.log(np.asarray(side_mm) / MIN_FIELD_MM) / np.log(np.asarray(full_mm) / MIN_FIELD_MM)
    return np.clip(2.0 * ratio - 1.0, -1.0, 1.0)


def preset_action(preset: int) -> float:
    """Middle of the bin of a dose preset (0 scout, 1 low, 2 normal, 3 high)."""
    return (preset + 0.5) / 2.0 - 1.0


def decode(action: NDArray[np.float32], planar: bool, full_field_mm: F64) -> Commands:
    """Physical commands of an action batch.

    Args:
        action: float32 [N, A] in [-1, 1]; values outside are taken as the nearest end.
        planar: layout of the planar tasks.
        full_field_mm: full field of each plane at the isocentre, [P].
    """
    a = np.clip(action.astype(np.float64), -1.0, 1.0)
    layout = PLANAR if planar else FULL
    rates = np.zeros((len(a), 8))
    if planar:
        rates[:, [X, Z]] = a[:, layout["rates"]]
        deploy = np.zeros(len(a), bool)
    else:
        rates[:, :7] = a[:, layout["rates"]]
        deploy = a[:, layout["deploy"]] > 0
    return Commands(
        rates=rates,
        deploy=deploy,
        expose=a[:, layout["expose"]] > 0,
        field_mm=field_mm(a[:, layout["field"]], full_field_mm),
        preset=np.minimum(((a[:, layout["preset"]] + 1.0) * 2.0).astype(np.int64), 3),
        declare=a[:, layout["declare"]] > 0,
    )
