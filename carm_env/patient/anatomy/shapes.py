"""Shape rows for the voxeliser, and bones as a cortical shell over a trabecular core."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy.voxelise import CAPSULE, COLUMNS, SUPERQUADRIC, TRIANGLE

F64 = NDArray[np.float64]
CORTICAL, TRABECULAR = 1200.0, 300.0
_MARGIN_MM = 4.0


def _row(kind: int, low: ArrayLike, high: ArrayLike, numbers: Sequence[float]) -> F64:
    row = np.zeros(COLUMNS)
    row[0] = kind
    row[3:6], row[6:9] = np.asarray(low) - _MARGIN_MM, np.asarray(high) + _MARGIN_MM
    row[9 : 9 + len(numbers)] = numbers
    return row


def vec(x: float, y: float, z: float) -> F64:
    """A point or offset [3]."""
    return np.array([x, y, z], float)


def capsule(a: ArrayLike, b: ArrayLike, radius: float, radius_b: float | None = None) -> F64:
    """A round-ended cone from ``a`` to ``b`` (mm); one radius, or one at each end."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    radius_b = radius if radius_b is None else radius_b
    most = max(radius, radius_b)
    return _row(CAPSULE, np.minimum(a, b) - most, np.maximum(a, b) + most, [*a, *b, radius, radius_b])


def chain(points: ArrayLike, radius: ArrayLike) -> list[F64]:
    """Capsules along a polyline [K, 3]; ``radius`` one number or one a point."""
    p = np.asarray(points, float)
    r = np.broadcast_to(np.asarray(radius, float), (len(p),))
    return [capsule(p[i], p[i + 1], float(r[i]), float(r[i + 1])) for i in range(len(p) - 1)]


def plate(a: ArrayLike, b: ArrayLike, c: ArrayLike, radius: float) -> F64:
    """A triangle with rounded rims, ``2 * radius`` thick."""
    p = np.array([a, b, c], float)
    return _row(TRIANGLE, p.min(0) - radius, p.max(0) + radius, [*p.ravel(), radius])


def ellipsoid(
    centre: ArrayLike,
    semi: ArrayLike,
    rotation: ArrayLike | None = None,
    power: float = 2.0,
    cut: float = 1e6,
) -> F64:
    """An ellipsoid (power 2) or, with a greater power, an elliptic cylinder with rounded rims along local z.

    Args:
        rotation: [3, 3], columns are the local axes. cut: keeps local z below this (mm).
    """
    centre, semi = np.asarray(centre, float), np.asarray(semi, float)
    turn = np.eye(3) if rotation is None else np.asarray(rotation, float)
    if power == 2.0:
        reach = np.sqrt(((turn * semi) ** 2).sum(1))
    else:
        reach = np.sqrt((turn[:, 0] * semi[0]) ** 2 + (turn[:, 1] * semi[1]) ** 2) + np.abs(turn[:, 2]) * semi[2]
    numbers = [*centre, *turn[:, 0], *turn[:, 1], *semi, power, cut]
    return _row(SUPERQUADRIC, centre - reach, centre + reach, numbers)


def tissue(shapes: Sequence[F64], hu: float, inset_mm: float = 0.0) -> F64:
    """The union of shapes, shrunk by ``inset_mm``, filled with one HU: rows [K, 24]."""
    rows = np.array(shapes, float).reshape(-1, COLUMNS)
    rows[:, 1], rows[:, 2] = hu, inset_mm
    return rows


def bone(shapes: Sequence[F64], shell_mm: float, core: float = TRABECULAR, cortical: float = CORTICAL) -> F64:
    """The union of shapes as one bone: cortical outside, ``core`` HU deeper than ``shell_mm``."""
    return np.concatenate([tissue(shapes, cortical), tissue(shapes, core, shell_mm)])
