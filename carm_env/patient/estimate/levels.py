"""Which vertebra is which: pedicles and foramina alternate beside the canal; the belief says roughly where each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import LEVELS
from carm_env.patient.estimate.grid import Grid
from carm_env.patient.estimate.prior import Belief, Sighting
from carm_env.patient.estimate.spine import Column

F64 = NDArray[np.float64]

CHAIN = tuple(level for level in LEVELS[::-1] if LEVELS.index(level) >= LEVELS.index("C7"))
"""From L5 up to C7."""
TOLD = ("L5", "L3", "T12", "T8", "T4", "T1")
"""Levels handed on: neighbours' errors go together, so all of them would count one finding too often."""
SOURCE = "levels"

_FORAMINA_MM = [(side * x, y) for side in (-1, 1) for x in (12, 15, 18) for y in (15, 18, 21, 24)]
"""Places beside the canal, from the centre of the column: bone at a pedicle's height, fat and nerve between two."""
_CLIP_HU = (-100.0, 500.0)
_STEP_MM = 1.5
_TREND_MM = 14.0
_LEAST_SWING_HU = 40.0
_SCALES = np.linspace(0.85, 1.15, 7)
_REACH_SD = 2.7
_WINDOW_MM = 18.0
_ROOM_MM = 40.0
_GAP_SD = 0.07
_PHASE_WEIGHT = 0.8
_ONE_LEVEL_MM = 14.0
_SURE, _UNSURE_SD_MM = 2.0, 25.0
_PLACE_SD_MM = (4.0, 5.0, 4.0)


@dataclass(frozen=True, eq=False)
class Chain:
    """Heights of the foramina between neighbours of ``CHAIN`` (mm) and what they cost."""

    heights: F64
    cost: float


@dataclass(frozen=True, eq=False)
class Line:
    """The column's course: heights (mm), arc lengths (mm) and the swing of density beside the canal, all [K].

    The swing runs from about -1.5 (foramen) to 1.5 (pedicle). Vertebrae follow each other along the arc: a bent back
    brings them closer in height.
    """

    z: F64
    arcs: F64
    swing: F64

    def arc(self, z_mm: float) -> float:
        """Arc length at a height; beyond the column straight on."""
        inside = float(np.clip(z_mm, self.z[0], self.z[-1]))
        return float(np.interp(inside, self.z, self.arcs)) + z_mm - inside

    def height(self, arc_mm: F64) -> F64:
        """Heights at arc lengths; beyond the column straight on."""
        inside = np.clip(arc_mm, self.arcs[0], self.arcs[-1])
        return np.asarray(np.interp(inside, self.arcs, self.z) + arc_mm - inside, np.float64)


def find_levels(grid: Grid, column: Column, belief: Belief) -> list[Sighting]:
    """Centres of vertebral bodies that the column holds, with their doubt about being one level off.

    Chains are fitted for several scales and several heights of their middle; the belief then judges each as a whole.
    """
    line = _line(grid, column)
    low, high = column.centres[[0, -1], 2]
    centres = np.array([belief.at(level) for level in CHAIN])
    known = 0.5 * (centres[1:, 2] + centres[:-1, 2])
    pivot = int(np.argmin(np.abs(known - 0.5 * (low + high))))
    reach = _REACH_SD * float(belief.sd(CHAIN[pivot])[2]) + _WINDOW_MM
    tries = np.arange(-np.ceil(reach / _WINDOW_MM), np.ceil(reach / _WINDOW_MM) + 1) * _WINDOW_MM
    middle = float(line.arc(known[pivot]))
    lengths = np.linalg.norm(np.diff(centres, axis=0)[:, 1:], axis=1)
    fits = [_fit(line, 0.5 * (lengths[1:] + lengths[:-1]) * s, pivot, middle + t) for s in _SCALES for t in tries]
    judged = [Chain(f.heights, f.cost - belief.log_likelihood(_heights(f))) for f in fits if np.isfinite(f.cost)]
    best = min(judged, key=lambda c: c.cost)
    others = [c.cost for c in judged if abs(c.heights[pivot] - best.heights[pivot]) > _ONE_LEVEL_MM]
    margin = min(others, default=np.inf) - best.cost
    doubt = _UNSURE_SD_MM * float(np.exp(-margin / _SURE))
    z = _centres(best.heights)
    sd = np.array([*_PLACE_SD_MM[:2], np.hypot(_PLACE_SD_MM[2], doubt)])
    return [
        Sighting(level, column.at(float(z[CHAIN.index(level)])), sd, SOURCE)
        for level in TOLD
        if low < z[CHAIN.index(level)] < high
    ]


def _heights(chain: Chain) -> list[Sighting]:
    """The heights of a chain's levels, for the belief to judge."""
    sd = np.array([np.inf, np.inf, _PLACE_SD_MM[2]])
    z = _centres(chain.heights)
    return [Sighting(n, np.array([0.0, 0.0, h]), sd, SOURCE) for n, h in zip(CHAIN, z, strict=True)]


def _centres(heights: F64) -> F64:
    """Heights of the bodies of ``CHAIN``: halfway between foramina; the ends as far beyond as their neighbours tell."""
    inner = 0.5 * (heights[1:] + heights[:-1])
    gaps = np.diff(heights)
    return np.concatenate([[heights[0] - 0.52 * gaps[0]], inner, [heights[-1] + 0.48 * gaps[-1]]])


def _line(grid: Grid, column: Column) -> Line:
    """The column's course and the swing of density beside the canal along it."""
    from scipy import ndimage

    z = np.arange(column.centres[0, 2], column.centres[-1, 2], _STEP_MM)
    centres = np.array([column.at(h) for h in z])
    slope = np.gradient(ndimage.gaussian_filter1d(centres[:, 1], 15.0 / _STEP_MM, mode="nearest"), _STEP_MM)
    backwards = np.stack([np.zeros(len(z)), np.ones(len(z)), -slope], axis=1) / np.hypot(1.0, slope)[:, None]
    total = np.zeros(len(z))
    hu = np.clip(grid.hu, *_CLIP_HU)
    for dx, dy in _FORAMINA_MM:
        at = centres + [dx, 0.0, 0.0] + dy * backwards
        total += ndimage.map_coordinates(hu, grid.to_index(at).T, order=1, mode="nearest")
    values = total / len(_FORAMINA_MM)
    swing = values - ndimage.gaussian_filter1d(values, _TREND_MM / _STEP_MM)
    size = np.sqrt(ndimage.gaussian_filter1d(swing**2, 2.5 * _TREND_MM / _STEP_MM))
    arcs = np.concatenate([[0.0], np.cumsum(_STEP_MM * np.hypot(1.0, slope)[1:])])
    return Line(z, arcs, np.clip(swing / np.maximum(size, _LEAST_SWING_HU), -1.6, 1.6))


def _fit(line: Line, gaps: F64, pivot: int, at_mm: float) -> Chain:
    """The cheapest heights of the foramina for given distances, the one numbered ``pivot`` near an arc length."""
    expected = np.concatenate([[0.0], np.cumsum(gaps)])
    expected += at_mm - expected[pivot]
    s = np.arange(expected[0] - _ROOM_MM, expected[-1] + _ROOM_MM, _STEP_MM)
    swing = np.interp(s, line.arcs, line.swing, left=0.0, right=0.0)
    unary = np.tile(_PHASE_WEIGHT * swing, (len(expected), 1))
    unary[pivot, np.abs(s - at_mm) > 0.5 * _WINDOW_MM] = np.inf
    total, back = unary[0], []
    for i, gap in enumerate(gaps):
        steps = np.arange(round(0.75 * gap / _STEP_MM), round(1.25 * gap / _STEP_MM) + 1)
        options = np.full((len(steps), len(s)), np.inf)
        for j, n in enumerate(steps):
            pedicle = np.interp(s[n:] - 0.5 * n * _STEP_MM, s, swing)
            strain = 0.5 * ((n * _STEP_MM / gap - 1.0) / _GAP_SD) ** 2
            options[j, n:] = total[: len(s) - n] + strain - _PHASE_WEIGHT * pedicle
        choice = np.argmin(options, axis=0)
        back.append(steps[choice])
        total = options[choice, np.arange(len(s))] + unary[i + 1]
    k = int(np.argmin(total))
    path = [k]
    for steps_back in back[::-1]:
        path.append(max(0, path[-1] - int(steps_back[path[-1]])))
    return Chain(line.height(s[np.array(path[::-1])]), float(total[k]))
