"""Bones under the skin, which the outline must cover in the leanest: spinous processes, sacrum, hips, trochanters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import LEVELS, Build

F64 = NDArray[np.float64]
_SPINOUS_AT = [-2.0, -1.0, 0.0, 4.0, 7.0, 11.0, 13.0, 15.0, 16.0]
_SPINOUS = [36.0, 50.0, 61.0, 67.0, 60.0, 61.0, 65.0, 70.0, 72.0]
"""How far (mm) the spinous processes reach behind the vertebral centres, by T-levels (0: T1)."""
_ROUND_MM = 60.0
"""Radius (mm) of the skin over such a bone."""
_FALL_MM = 60.0
"""How far (mm) above and below such a bone it matters."""


def bones_under(build: Build, z: F64, centre: F64, turns: int) -> F64:
    """Radii [L, turns] from ``centre`` [L, 2] at heights ``z`` [L] that reach bone close to the skin; 0 elsewhere."""
    angles = np.linspace(0.0, 2.0 * np.pi, turns, endpoint=False)
    radii = np.zeros((len(z), len(angles)))
    for x, y, height in _points(build):
        near = np.abs(z - height) < _FALL_MM
        dx, dy = x - centre[near, 0], y - centre[near, 1]
        reach = np.hypot(dx, dy)[:, None]
        off = np.mod(angles[None] - np.arctan2(dy, dx)[:, None] + np.pi, 2.0 * np.pi) - np.pi
        drop = ((z[near] - height)[:, None] ** 2 + (off * reach) ** 2) / (2.0 * _ROUND_MM)
        radii[near] = np.maximum(radii[near], np.where(drop < 30.0, reach - drop, 0.0))
    return radii


def _points(build: Build) -> list[tuple[float, float, float]]:
    """Outermost points (mm) of those bones."""
    w, p, hip, low = build.width, build.pelvis, build.hip, build.y("L5")
    t1 = LEVELS.index("T1")
    points = [
        (float(build.vertebrae[name][0]), float(build.y(name) + w * np.interp(k - t1, _SPINOUS_AT, _SPINOUS)),
         build.z(name) - 8.0)
        for k, name in enumerate(LEVELS) if k >= t1 - 2
    ]  # fmt: skip
    points += [
        (0.0, low + y * w, hip[2] + z) for y, z in ((82, 105), (84, 70), (86, 40), (92, 12), (88, -18), (80, -42))
    ]
    for side in (-1.0, 1.0):
        points += [
            (side * 46.0 * p, hip[1] + 90.0 * w, hip[2] + 84.0),
            (side * 62.0 * p, hip[1] + 91.0 * w, hip[2] + 102.0),
            (side * 98.0 * p, hip[1] + 72.0 * w, hip[2] + 122.0),
            (side * 124.0 * p, hip[1] + 44.0 * w, hip[2] + 118.0),
            (side * 135.0 * p, hip[1] + 10.0 * w, hip[2] + 108.0),
            (side * 135.0 * p, hip[1] - 14.0 * w, hip[2] + 132.0),
            (side * 134.0 * p, hip[1] - 36.0 * w, hip[2] + 112.0),
            (side * 133.0 * p, hip[1] - 28.0 * w, hip[2] + 95.0),
            (side * 120.0 * p, hip[1] - 55.0 * w, hip[2] + 82.0),
            (side * (hip[0] + 60.0 * w), hip[1] + 14.0 * w, hip[2] + 2.0),
            (side * (hip[0] + 56.0 * w), hip[1] + 8.0 * w, hip[2] - 32.0),
        ]
    return points
