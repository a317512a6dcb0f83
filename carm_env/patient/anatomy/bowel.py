"""Large bowel: its course, its haustra and what fills them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.abdomen_cavity import INSIDE, Cavity
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, ellipsoid, frame, half_space, spline, vec
from carm_env.patient.anatomy.texture import FRACTAL, RIDGED

F64 = NDArray[np.float64]
EMPTY, STOOL, GAS, LEVEL = 0, 1, 2, 3
"""What a haustrum holds: nothing, stool, gas, or gas over a level of fluid."""
WALL_MM = 2.4
RECTUM = 0.93
"""Where the rectum begins, as a share of the length."""


@dataclass(frozen=True)
class Colon:
    """Haustra from the caecum to the rectum.

    Attributes:
        centre [K, 3], along [K, 3] (unit), radius [K]: of each. holds [K]: see ``EMPTY``. part: 0 at the caecum to 1 at
        the anus, [K].
    """

    centre: F64
    along: F64
    radius: F64
    holds: NDArray[np.int64]
    part: F64


def draw_colon(build: Build, cavity: Cavity) -> Colon:
    """The colon's course and content; wide and full of gas in some people, empty in others."""
    rng = build.rng("colon")
    path = _course(build, cavity, rng)
    line = spline(path, 400)
    step = np.linalg.norm(np.diff(line[:, :3], axis=0), axis=1)
    far = np.concatenate([[0.0], np.cumsum(step)])
    distension = float(np.exp(rng.normal(0.0, 0.16)))
    gas, stool = rng.beta(1.0, 1.4), rng.beta(1.6, 1.6)
    at, holds = [6.0], list[int]()
    dice = rng.random((160, 3))
    for roll in dice:
        part = at[-1] / far[-1]
        holds.append(_content(part, holds[-1] if holds else STOOL, gas, stool, roll))
        r = float(np.interp(at[-1], far, line[:, 3])) * distension
        at.append(at[-1] + (0.72 + 0.5 * roll[2]) * r * (0.8 if holds[-1] == EMPTY else 1.0))
        if at[-1] > far[-1] - 4.0:
            break
    s = np.array(at[:-1])
    kinds = np.array(holds)
    p = np.stack([np.interp(s, far, line[:, i]) for i in range(4)], axis=1)
    swell = np.select([kinds == EMPTY, kinds == STOOL], [0.62, 0.95], 1.0 + 0.22 * gas)
    swell = 0.7 * swell + 0.15 * np.roll(swell, 1) + 0.15 * np.roll(swell, -1)
    radius = p[:, 3] * distension * swell * rng.uniform(0.76, 1.2, 160)[: len(p)]
    along = np.gradient(p[:, :3], axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    return Colon(p[:, :3], along, radius, kinds, s / far[-1])


def _course(build: Build, cavity: Cavity, rng: np.random.Generator) -> F64:
    """Knots [K, 4]: centre and radius of an average colon's lumen."""
    w, l5 = build.width, build.z("L5")
    q = rng.normal(0.0, 1.0, (24, 3)) * [5.0, 5.0, 6.0]
    sag, redundancy = rng.beta(1.3, 1.8), rng.beta(1.2, 1.6)
    left_top = cavity.tops[1][2] - rng.uniform(48.0, 85.0)
    right_top = build.z("L1") + rng.normal(-22.0, 12.0)
    caecum = l5 - rng.uniform(5.0, 50.0) * w
    droop = left_top - 20.0 - sag * (left_top - l5 - 10.0)
    knots: list[tuple[F64, float]] = []

    def gutter(u: float, v: float, z: float, r: float) -> None:
        knots.append((cavity.at(u, v, z) + q[len(knots)], r))

    def front(x: float, z: float, r: float) -> None:
        knots.append((cavity.front(x * w, z, r + 5.0) + q[len(knots)] * [1.0, 0.6, 1.0], r))

    gutter(-0.56, -0.35, caecum - 14.0, 23.0)
    gutter(-0.62, -0.25, caecum + 22.0, 27.0)
    gutter(-0.70, -0.02, build.z("L4") + 8.0, 24.0)
    gutter(-0.74, 0.1, build.z("L3") + 6.0, 22.0)
    gutter(-0.66, 0.0, right_top, 22.0)
    front(-58.0, right_top - 18.0 - 0.2 * sag * 60.0, 22.0)
    front(-30.0, 0.5 * right_top + 0.5 * droop, 22.0)
    front(4.0, droop, 22.0)
    front(42.0, 0.45 * left_top + 0.55 * droop, 22.0)
    gutter(0.62, -0.5, left_top - 24.0, 21.0)
    gutter(0.78, 0.0, left_top, 20.0)
    gutter(0.82, 0.2, build.z("L1") - 8.0, 16.0)
    gutter(0.80, 0.18, build.z("L3"), 15.0)
    gutter(0.76, 0.05, build.z("L4") - 8.0, 15.0)
    gutter(0.68, -0.15, l5 - 22.0, 15.0)
    gutter(0.4, -0.35, l5 - 62.0 * w, 16.0)
    high = l5 - 55.0 + 85.0 * redundancy
    front(26.0, 0.5 * (l5 - 60.0) + 0.5 * high, 17.0)
    front(-14.0 - 20.0 * redundancy, high, 18.0)
    low = build.vertebrae["L5"]
    for x, y, z, r in ((-26, -22, -58, 17), (4, 20, -76, 17), (8, 38, -98, 19), (2, 42, -122, 20), (0, 34, -144, 14)):
        knots.append((low + np.array([x, y, z]) * w + 0.6 * q[len(knots)], r))
    knots.append((np.array([0.0, build.symphysis[1] + 92.0 * w, build.symphysis[2] - 26.0 * w]), 8.0))
    return np.array([[*point, radius] for point, radius in knots])


def _content(part: float, before: int, gas: float, stool: float, roll: F64) -> int:
    """Content of the next haustrum; neighbours are alike, gas gathers in front (transverse and sigmoid colon)."""
    if roll[0] < 0.62:
        return before
    in_front = 0.28 < part < 0.55 or 0.74 < part < 0.9
    weights = np.array([
        0.25 + (0.5 if 0.55 < part < 0.92 else 0.0) * (1.1 - stool),
        stool * (1.3 if part < 0.3 else 0.8 if part < 0.75 else 0.5),
        gas * (1.5 if in_front else 0.3 if part > RECTUM else 0.5),
        gas * (0.4 if part < 0.3 or in_front else 0.2),
    ])  # fmt: skip
    return int(np.searchsorted(np.cumsum(weights) / weights.sum(), roll[1] * 0.999))


def colon_parts(build: Build, colon: Colon) -> list[Part]:
    """Wall, stool and gas."""
    rng = build.rng("colon content")
    pouches = [
        _pouches(rng, c, t, r, k)
        for c, t, r, k in zip(colon.centre, colon.along, colon.radius, colon.holds, strict=True)
    ]
    drunk, dense = rng.random(), rng.uniform(120.0, 450.0)
    contrast = dense if drunk < 0.04 else 0.0
    mottle, cell = rng.uniform(40.0, 160.0), rng.uniform(1.3, 2.6)
    stool_hu = rng.uniform(20.0, 60.0) - 1.15 * mottle
    parts = []
    for low_end in (False, True):
        here = (colon.part > RECTUM) == low_end
        over = (*INSIDE, "muscle") if low_end else INSIDE
        stool = _of(pouches, here & (colon.holds == STOOL))
        if stool:
            texture = Grain(mottle, cell, RIDGED)
            parts.append(
                Part(
                    "bowel_content",
                    tuple(stool),
                    36.0,
                    WALL_MM,
                    stool_hu + contrast,
                    grain=texture,
                    over=frozenset(over),
                )
            )
        plain = _of(pouches, here & (colon.holds != STOOL))
        if plain:
            parts.append(
                Part(
                    "bowel",
                    tuple(plain),
                    36.0,
                    WALL_MM,
                    28.0 + contrast,
                    grain=Grain(9.0, 2.5, FRACTAL),
                    over=frozenset(over),
                )
            )
    for first, end in _runs(colon.holds):
        group = [s for shapes in pouches[first:end] for s in shapes]
        fill = rng.uniform(0.15, 0.75)
        if colon.holds[first] == LEVEL:
            low = (colon.centre[first:end, 1] - colon.radius[first:end]).min()
            high = (colon.centre[first:end, 1] + colon.radius[first:end]).max()
            group = [*group, half_space([0.0, low + fill * (high - low), 0.0], [0.0, 1.0, 0.0]).keep()]
        parts.append(tissue("bowel_gas", group, -940.0, WALL_MM - 0.6, over=("bowel",)))
    return parts


def _of(pouches: list[list[Shape]], chosen: NDArray[np.bool_]) -> list[Shape]:
    """The shapes of the chosen haustra."""
    return [s for group, wanted in zip(pouches, chosen, strict=True) if wanted for s in group]


def _runs(holds: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and end of each run of haustra with gas."""
    edges = [0, *(np.flatnonzero(np.diff(holds)) + 1).tolist(), len(holds)]
    return [(a, b) for a, b in pairwise(edges) if holds[a] in (GAS, LEVEL)]


def _pouches(rng: np.random.Generator, centre: F64, along: F64, radius: float, holds: int) -> list[Shape]:
    """Two sacculations beside the axis, staggered; a single one where the bowel is empty."""
    turn = frame(along, vec(0.3, -1.0, 0.2))
    angle0, jitter = rng.uniform(0.0, 6.3), rng.uniform(-1.0, 1.0, (2, 3))
    if holds == EMPTY:
        return [ellipsoid(centre, [radius, 0.8 * radius, 1.05 * radius], turn)]
    shapes = []
    for i in range(2):
        angle = angle0 + 3.0 * i + 0.5 * jitter[i, 0]
        offset = vec(
            0.27 * radius * np.cos(angle),
            0.27 * radius * np.sin(angle),
            radius * (0.26 * (2 * i - 1) + 0.14 * jitter[i, 1]),
        )
        r = radius * (0.84 + 0.08 * jitter[i, 2])
        shapes.append(ellipsoid(centre + turn @ offset, [r, r, radius * (0.64 + 0.08 * jitter[i, 2])], turn))
    return shapes
