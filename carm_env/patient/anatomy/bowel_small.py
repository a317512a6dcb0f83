"""Small bowel: loops that fill what the colon leaves, with the mesentery's vessels between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.abdomen_cavity import INSIDE, Cavity
from carm_env.patient.anatomy.bowel import WALL_MM, Colon
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import capsule, chain, half_space, vec
from carm_env.patient.anatomy.texture import FRACTAL

F64 = NDArray[np.float64]
_STEP_MM = 17.0
_TRIES = 14


def small_bowel_parts(build: Build, cavity: Cavity, colon: Colon) -> list[Part]:
    """Duodenum, loops of jejunum and ileum, gas here and there, and the vessels that feed them."""
    rng = build.rng("small bowel")
    count = int(rng.integers(125, 180))
    gassy, size = rng.beta(0.9, 4.0), rng.uniform(9.8, 13.0) * build.width
    start = build.vertebrae["L2"] + vec(24.0, -56.0 * build.width, 6.0)
    line = _wander(rng, cavity, colon, start, count, size)
    squeeze = np.where(rng.random(len(line)) < 0.12, rng.uniform(0.5, 0.8, len(line)), 1.0)
    radius = (
        size * squeeze * np.clip(1.0 + 0.16 * _drift(rng, len(line), 4.0) + rng.normal(0.0, 0.1, len(line)), 0.6, 1.5)
    )
    loops = chain(line, radius)
    loops += chain(_duodenum(build), [11.0, 12.0, 12.0, 12.0, 11.0, 10.0])
    parts = [tissue("vessel", _mesentery(rng, build, line), cavity.blood_hu, over=INSIDE)]
    parts.append(tissue("bowel", loops, rng.uniform(24.0, 38.0), grain=Grain(11.0, 2.5, FRACTAL), over=INSIDE))
    for _ in range(6):
        first, length, fill = int(rng.integers(0, count - 12)), int(rng.integers(2, 12)), rng.uniform(0.2, 0.9)
        if rng.random() > 0.25 + 1.5 * gassy:
            continue
        tube = chain(line[first : first + length + 1], radius[first : first + length + 1])
        low, high = (line[first : first + length, 1].min() - size, line[first : first + length, 1].max() + size)
        plane = half_space([0.0, low + fill * (high - low), 0.0], [0.0, 1.0, 0.0]).keep()
        parts.append(tissue("bowel_gas", [*tube, plane], -930.0, WALL_MM - 0.4, over=("bowel",)))
    return parts


def _drift(rng: np.random.Generator, count: int, length: float) -> F64:
    """Smooth noise [count] of standard deviation about 1."""
    white = rng.standard_normal(count + 40)
    k = np.exp(-0.5 * (np.arange(-12, 13) / length) ** 2)
    return np.convolve(white, k / np.sqrt((k**2).sum()), "same")[20 : 20 + count]


def _duodenum(build: Build) -> F64:
    w, (one, three) = build.width, (build.vertebrae["L1"], build.vertebrae["L3"])
    return np.array([
        one + vec(-28.0, -62.0 * w, 0.0), one + vec(-44.0, -46.0 * w, -8.0), three + vec(-44.0, -40.0 * w, 22.0),
        three + vec(-34.0, -42.0 * w, 2.0), three + vec(6.0, -50.0 * w, 2.0), three + vec(28.0, -52.0 * w, 26.0),
    ])  # fmt: skip


def _wander(
    rng: np.random.Generator, cavity: Cavity, colon: Colon, start: F64, count: int, size: float
) -> F64:  # fmt: skip
    """A winding path [count, 3] that stays off the walls, the spine, the colon and itself."""
    line = np.empty((count, 3))
    line[0] = start
    heading = vec(0.6, -0.5, -0.4)
    tries = rng.standard_normal((count, _TRIES, 3))
    floor = float(colon.centre[:, 2].min()) + 72.0
    roof = start[2] + 30.0
    for i in range(1, count):
        way = heading + 0.75 * tries[i]
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        goals = line[i - 1] + _STEP_MM * way
        wall, _ = cavity.rho(goals)
        x, y = cavity.from_spine(goals)
        penalty = np.maximum(wall + size + 4.0, 0.0) * 2.0 + np.maximum(y + 34.0 - 0.25 * np.abs(x), 0.0) * 1.5
        penalty += np.maximum(floor - goals[:, 2], 0.0) + np.maximum(goals[:, 2] - roof + 0.25 * np.abs(x - 30.0), 0.0)
        gap = np.linalg.norm(goals[:, None] - colon.centre, axis=2) - colon.radius - size
        penalty += np.maximum(-gap, 0.0).max(1) * 1.2
        if i > 3:
            own = np.linalg.norm(goals[:, None] - line[: i - 2], axis=2).min(1)
            penalty += np.maximum(2.2 * size - own, 0.0) * 1.6
        best = int(np.argmin(penalty))
        line[i], heading = goals[best], way[best]
    return line


def _mesentery(rng: np.random.Generator, build: Build, line: F64) -> list:  # type: ignore[type-arg]
    """Vessels from the root of the mesentery towards the loops."""
    top, low = build.vertebrae["L2"] + vec(4.0, -44.0, 0.0), build.vertebrae["L4"] + vec(-22.0, -48.0, 0.0)
    strands = chain([top, 0.5 * (top + low) + vec(0, -8.0, 0), low], [5.5, 4.5, 3.0])
    for i in rng.choice(len(line), 24, replace=False):
        root = top + (low - top) * rng.uniform(0.0, 1.0)
        mid = 0.5 * (root + line[i]) + rng.normal(0.0, 5.0, 3)
        strands += [capsule(root, mid, 2.6, 1.8), capsule(mid, line[i], 1.8, 1.2)]
    return strands
