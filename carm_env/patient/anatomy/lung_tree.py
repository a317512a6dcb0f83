"""Branching trees that fill a lung: each branch leads to the middle of what it supplies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def grow(
    rng: np.random.Generator, root: F64, targets: F64, radius: float, power: float = 0.41, reach: float = 0.36
) -> F64:
    """Branches [K, 8] (start, end, radius at each) from ``root`` [3] to all ``targets`` [N, 3].

    Args:
        radius: of the trunk; a branch to n of N targets has radius * (n / N) ** power.
        reach: fraction of the way to its targets' centroid that a branch runs before it forks.
    """
    branches: list[list[float]] = []
    stack = [(np.asarray(root, float), np.asarray(targets, float), radius)]
    jitter = rng.normal(0.0, 1.0, (2 * len(targets) + 1, 4))
    for count in range(2 * len(targets)):
        if not stack:
            break
        start, rest, wide = stack.pop()
        here = radius * (len(rest) / len(targets)) ** power
        if len(rest) == 1:
            branches.append([*start, *rest[0], min(wide, here), 0.75 * here])
            continue
        way = rest.sum(0) / len(rest) - start
        far = float(np.sqrt(way @ way))
        end = start + way * min(0.8, reach * (1.0 + 0.2 * jitter[count, 0])) + 0.05 * far * jitter[count, 1:]
        branches.append([*start, *end, min(wide, 1.15 * here), here])
        for part in _split(rest):
            stack.append((end, part, here))
    return np.array(branches)


def _split(points: F64) -> Sequence[F64]:
    """Two halves along the coordinate that spreads most."""
    axis = int(np.argmax(points.max(0) - points.min(0)))
    order = np.argsort(points[:, axis])
    half = (len(points) + 1) // 2
    return points[order[:half]], points[order[half:]]
