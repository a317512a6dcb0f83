"""The column of vertebral bodies, followed from slice to slice near where it is expected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import LEVELS
from carm_env.patient.estimate.grid import F32, Grid
from carm_env.patient.estimate.prior import Belief

F64 = NDArray[np.float64]

_CLIP_HU = (-100.0, 350.0)
_BODY_MM = 8.0
_AROUND_MM = 30.0
_ARCH_MM = 39.0
_WINDOW_MM = 45.0
_LEAST_SD_MM = 8.0
_CONTRAST_WEIGHT = 0.05
_BEND_WEIGHT = 0.35


@dataclass(frozen=True, eq=False)
class Column:
    """Centres of the vertebral column, one per slice: LPS mm [K, 3], from low to high.

    ``contrast``: how much denser than its sides and front the column is there, HU [K].
    """

    centres: F64
    contrast: F64

    def at(self, z_mm: float) -> F64:
        """The centre at a height, LPS mm [3]."""
        x, y = (np.interp(z_mm, self.centres[:, 2], self.centres[:, i]) for i in range(2))
        return np.array([x, y, z_mm])


def expected(belief: Belief, z_mm: F64) -> tuple[F64, F64]:
    """Where the column is expected at heights: x and y [K, 2], and their standard deviations [K, 2], mm."""
    mean = np.array([belief.at(level) for level in LEVELS])[::-1]
    sd = np.array([belief.sd(level) for level in LEVELS])[::-1]
    where = np.stack([np.interp(z_mm, mean[:, 2], mean[:, i]) for i in range(2)], axis=1)
    spread = np.stack([np.interp(z_mm, mean[:, 2], sd[:, i]) for i in range(2)], axis=1)
    return where, np.maximum(spread, _LEAST_SD_MM)


def find_column(grid: Grid, belief: Belief) -> Column | None:
    """The column between the lower end of L5 and C2, as far as the CT holds it; None where it holds none of it."""
    low, high = belief.at("L5")[2] - 20.0, belief.at("C2")[2]
    ends = np.clip(grid.to_index([[0.0, 0.0, low], [0.0, 0.0, high]])[:, 2], 0, grid.hu.shape[2]).astype(int)
    ks = np.arange(*ends)
    if len(ks) * grid.step_mm < 30.0:
        return None
    where, spread = expected(belief, grid.z_mm(ks))
    at = np.rint((where - grid.origin[:2]) / grid.step_mm).astype(int)
    half = grid.voxels(_WINDOW_MM)
    steps = np.arange(-half, half + 1)
    contrast = _contrast(grid, ks, at, half)
    off = (at * grid.step_mm + grid.origin[:2] - where)[:, :, None] + steps * grid.step_mm
    unlikely = 0.5 * (off / spread[:, :, None]) ** 2
    cost = -_CONTRAST_WEIGHT * contrast + unlikely[:, 0, :, None] + unlikely[:, 1, None, :]
    path = _cheapest(cost.astype(np.float32), at)
    chosen = np.array([contrast[i, a, b] for i, (a, b) in enumerate(path)])
    voxels = np.column_stack([at + path - half, ks])
    return Column(_smoothed(grid.to_mm(voxels), grid.step_mm), chosen)


def _contrast(grid: Grid, ks: NDArray[np.int64], at: NDArray[np.int64], half: int) -> F32:
    """Density of a vertebral body against right, left and front of it, HU [K, 2 half + 1, 2 half + 1].

    The arch behind counts in favour: without it the laminae, as dense and as narrow, would do as well.
    """
    from scipy import ndimage

    aside = grid.voxels(_AROUND_MM)
    pad = half + aside
    low = np.maximum(at.min(axis=0) - pad, 0)
    high = np.minimum(at.max(axis=0) + pad + 1, grid.hu.shape[:2])
    block = np.clip(grid.hu[low[0] : high[0], low[1] : high[1], ks[0] : ks[-1] + 1], *_CLIP_HU)
    sigma = _BODY_MM / grid.step_mm
    soft = ndimage.gaussian_filter(block, (sigma, sigma, 0.5 * sigma))
    soft = np.pad(soft, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    middle = soft[aside:-aside, aside:-aside]
    sides = 0.5 * (soft[: -2 * aside, aside:-aside] + soft[2 * aside :, aside:-aside])
    front = soft[aside:-aside, : -2 * aside]
    behind = np.empty_like(middle)
    arch = grid.voxels(_ARCH_MM)
    behind[:, :-arch], behind[:, -arch:] = middle[:, arch:], _CLIP_HU[0]
    contrast = middle - 0.6 * sides - 0.3 * front + 0.4 * behind
    out = np.full((len(ks), 2 * half + 1, 2 * half + 1), -500.0, np.float32)
    for i, (x, y) in enumerate(at - low + pad - aside - half):
        part = contrast[max(0, x) : x + 2 * half + 1, max(0, y) : y + 2 * half + 1, i]
        out[i, max(0, -x) : max(0, -x) + part.shape[0], max(0, -y) : max(0, -y) + part.shape[1]] = part
    return out


def _cheapest(cost: F32, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices [K, 2] into the windows along the cheapest path that moves by at most one voxel per slice."""
    moves = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    total = cost[0]
    back = np.zeros(cost.shape, np.int8)
    for k in range(1, len(cost)):
        shift = at[k] - at[k - 1]
        options = np.stack([_shifted(total, shift + m) + _BEND_WEIGHT * np.abs(m).sum() for m in moves])
        back[k] = np.argmin(options, axis=0)
        total = cost[k] + np.take_along_axis(options, back[k][None].astype(np.int64), axis=0)[0]
    path = [np.array(np.unravel_index(int(np.argmin(total)), total.shape))]
    for k in range(len(cost) - 1, 0, -1):
        move = np.array(moves[back[k][tuple(path[-1])]])
        path.append(np.clip(path[-1] + at[k] - at[k - 1] + move, 0, np.array(total.shape) - 1))
    return np.array(path[::-1])


def _shifted(values: F32, by: NDArray[np.int64]) -> F32:
    """``values`` moved so that entry i holds what stood at i + by; large where nothing stood."""
    out = np.full(values.shape, np.float32(1e6))
    (x, y), (w, h) = by, values.shape
    if abs(x) >= w or abs(y) >= h:
        return out
    from_x, from_y = slice(max(0, x), w + min(0, x)), slice(max(0, y), h + min(0, y))
    out[max(0, -x) : w - max(0, x), max(0, -y) : h - max(0, y)] = values[from_x, from_y]
    return out


def _smoothed(centres: F64, step_mm: float) -> F64:
    from scipy import ndimage

    out = centres.copy()
    out[:, :2] = ndimage.gaussian_filter1d(centres[:, :2], 12.0 / step_mm, axis=0, mode="nearest")
    return out
