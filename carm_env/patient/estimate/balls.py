"""Balls of bone the size of femoral and humeral heads, by votes of the bone's edges for centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.grid import Grid

F64 = NDArray[np.float64]

RADII_MM = (18.0, 20.0, 22.0, 24.0, 26.0, 28.0)
"""Femoral heads are 20 to 28 mm in radius, humeral heads 19 to 27 mm."""
SHARE_WEIGHT = 60.0
"""Of the share of a sphere that is seen in a ball's log-likelihood; a full femoral head shows 0.15 to 0.3."""
_INNER_MM = 14.0
_CLIP_HU = (-50.0, 500.0)
_EDGE_HU_PER_MM = 12.0
_APART_MM = 12.0


@dataclass(frozen=True)
class Ball:
    """Centre (LPS mm), radius, and the share of a full sphere's surface that voted for it.

    ``mean_hu``, ``sd_hu``: within 14 mm of the centre; a joint's head is dense throughout.
    """

    centre: F64
    radius_mm: float
    share: float
    mean_hu: float
    sd_hu: float

    def merit(self, even: float = 1.0) -> float:
        """Log-likelihood of being a joint's head, up to a constant: round, dense and even inside.

        ``even`` weighs the inside: 1 for femoral heads; less for humeral heads, which age leaves hollow.
        """
        uneven = min(6.0, (max(0.0, self.sd_hu - 50.0) / 40.0) ** 2)
        light = min(6.0, (max(0.0, 280.0 - self.mean_hu) / 60.0) ** 2)
        return SHARE_WEIGHT * self.share - even * (uneven + light)


def find_balls(grid: Grid, low_mm: F64, high_mm: F64, count: int) -> list[Ball]:
    """The best balls with centres in a box (LPS mm), best first, at least 15 mm from each other."""
    from scipy import ndimage

    reach = RADII_MM[-1] + 6.0
    low = np.clip(np.floor(grid.to_index(low_mm - reach)), 0, grid.hu.shape).astype(int)
    high = np.clip(np.ceil(grid.to_index(high_mm + reach)) + 1, 0, grid.hu.shape).astype(int)
    if (high - low < 5).any():
        return []
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    hu = ndimage.gaussian_filter(np.clip(grid.hu[box], *_CLIP_HU), 1.0)
    gradient = np.stack(list(np.gradient(hu)), axis=-1) / grid.step_mm
    size = np.linalg.norm(gradient, axis=-1)
    edges = np.argwhere(size > _EDGE_HU_PER_MM)
    if len(edges) == 0:
        return []
    at = tuple(edges.T)
    inward = gradient[at] / size[at][:, None]
    score, radius = np.zeros(hu.shape, np.float32), np.zeros(hu.shape, np.float32)
    for r in RADII_MM:
        votes = _votes(edges + inward * (r / grid.step_mm), np.minimum(size[at], 40.0) / 40.0, hu.shape)
        votes = ndimage.gaussian_filter(votes, 1.2) * (2.0 * np.pi) ** 1.5 * 1.2**3
        share = votes / (4.0 * np.pi * (r / grid.step_mm) ** 2 * 2.0)
        better = share > score
        score[better], radius[better] = share[better], r
    return _peaks(grid, score, radius, low, (low_mm, high_mm), count)


def _votes(centres: F64, weight: F64, shape: tuple[int, ...]) -> NDArray[np.float32]:
    nearest = np.rint(centres).astype(int)
    keep = ((nearest >= 0) & (nearest < shape)).all(axis=1)
    flat = np.ravel_multi_index(tuple(nearest[keep].T), shape)
    return np.bincount(flat, weight[keep], int(np.prod(shape))).reshape(shape).astype(np.float32)


def _peaks(
    grid: Grid, score: NDArray[np.float32], radius: NDArray[np.float32], low: NDArray[np.int64],
    box_mm: tuple[F64, F64], count: int,
) -> list[Ball]:  # fmt: skip
    from scipy import ndimage

    local = ndimage.maximum_filter(score, size=2 * grid.voxels(0.5 * _APART_MM) + 1) == score
    at = np.argwhere(local & (score > 0.05))
    at = at[np.argsort(-score[tuple(at.T)])]
    found: list[Ball] = []
    for voxel in at:
        window = tuple(slice(max(0, v - 1), v + 2) for v in voxel)
        weight = score[window].astype(float) ** 2
        centre = np.array([np.average(c, weights=weight) for c in np.indices(weight.shape)])
        centre += [s.start for s in window]
        point = grid.to_mm(centre + low)
        if (point < box_mm[0]).any() or (point > box_mm[1]).any():
            continue
        if all(np.linalg.norm(point - b.centre) > _APART_MM for b in found):
            found.append(Ball(point, float(radius[tuple(voxel)]), float(score[tuple(voxel)]), *_inside(grid, point)))
        if len(found) == count:
            break
    return found


def _inside(grid: Grid, point: F64) -> tuple[float, float]:
    """Mean and standard deviation of the HU around a point."""
    block = grid.near(point, _INNER_MM)
    axes = [grid.origin[i] + grid.step_mm * np.arange(s.start, s.stop) - point[i] for i, s in enumerate(block)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    hu = np.clip(grid.hu[block][x**2 + y**2 + z**2 < _INNER_MM**2], -100.0, 600.0)
    return (float(hu.mean()), float(hu.std())) if len(hu) else (0.0, 0.0)
