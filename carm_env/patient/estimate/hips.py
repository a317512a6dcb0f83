"""Femoral heads as a pair of balls, then what the hip bones show above and between them."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.balls import Ball, find_balls
from carm_env.patient.estimate.grid import Grid, Mask
from carm_env.patient.estimate.prior import Belief, Sighting
from carm_env.patient.estimate.tissue import Tissue

F64 = NDArray[np.float64]

LEAST_SHARE = 0.08
HEAD_SD_MM, CUT_SD_MM, POOR_SD_MM = 3.0, 10.0, 10.0
_PLAIN_MERIT = 6.0
_WHOLE_MM = 20.0
_SEARCH_SD = 3.5
_MOST = 40
_CREST_REACH_MM = 55.0
_ABOVE_HIP_MM = 60.0
_ROOT_MM, _ROOT_MM3 = 30.0, 6e3
_CREST_MM2 = 60.0
WING_MM2, SMALL_WING_MM2, _MOST_WING_MM2 = 1450.0, 1100.0, 6000.0
"""Of a section of the hip bone 25 to 75 mm below the crest: ribs and vertebrae show less. The small one is for where
other findings tell where the pelvis is."""
_CREST_SD_MM = (7.0, 7.0, 5.0)


def search_box(grid: Grid, belief: Belief, names: tuple[str, ...]) -> tuple[F64, F64]:
    """Where points may be (3.5 standard deviations), clipped to the CT, LPS mm."""
    mean, sd = np.array([belief.at(n) for n in names]), np.array([belief.sd(n) for n in names])
    end = grid.to_mm(np.array(grid.hu.shape) - 1)
    low = np.maximum((mean - _SEARCH_SD * sd).min(axis=0), grid.origin)
    return low, np.minimum((mean + _SEARCH_SD * sd).max(axis=0), end)


def find_femoral_heads(grid: Grid, belief: Belief) -> list[Sighting]:
    """Both femoral heads, or none: of all pairs of balls the one that is roundest and lies as hips do."""
    names = ("right_femoral_head", "left_femoral_head")
    low, high = search_box(grid, belief, names)
    if (high <= low).any():
        return []
    balls = [b for b in find_balls(grid, low, high, _MOST) if b.share > LEAST_SHARE]
    best, chosen = -np.inf, []
    for one, two in product(balls, balls):
        if one.centre[0] >= two.centre[0] - 80.0 or abs(one.centre[2] - two.centre[2]) > 60.0:
            continue
        seen = [sighting(name, b, grid) for name, b in zip(names, (one, two), strict=True)]
        even = [Sighting(x.name, x.at, np.full(3, HEAD_SD_MM), x.source) for x in seen]
        score = one.merit() + two.merit() + belief.log_likelihood(even)
        if score > best:
            best, chosen = score, seen
    return chosen


def sighting(name: str, ball: Ball, grid: Grid, even: float = 1.0) -> Sighting:
    """A ball taken for a joint's head; less sure where the CT may cut it or the ball is not round or even."""
    ends = grid.z_mm([0, grid.hu.shape[2] - 1])
    cut = np.abs(ends - ball.centre[2]).min() < _WHOLE_MM
    sd = POOR_SD_MM if ball.merit(even) < _PLAIN_MERIT else CUT_SD_MM if cut else HEAD_SD_MM
    return Sighting(name, ball.centre, np.full(3, sd), name.split("_", 1)[1])


def find_crest(tissue: Tissue, belief: Belief, side: str, least_mm2: float = WING_MM2) -> Sighting | None:
    """The highest place of a hip bone: the piece of bone that rises from above the hip joint, beside the spine.

    ``least_mm2``: of its section 25 to 75 mm below the crest.
    """
    from scipy import ndimage

    grid, name = tissue.grid, f"{side}_iliac_crest"
    crest, sd, hip = belief.at(name), belief.sd(name), belief.at(f"{side}_femoral_head")
    reach = np.array([_CREST_REACH_MM, _CREST_REACH_MM, 0.0])
    low, high = crest - reach, crest + reach + [0.0, 0.0, _SEARCH_SD * sd[2] + 12.0]
    low[2] = hip[2] + _ABOVE_HIP_MM
    bounds = np.clip(np.rint(grid.to_index([low, high])), 0, grid.hu.shape).astype(int)
    box = tuple(slice(a, b) for a, b in bounds.T)
    bone = tissue.bone[box]
    if min(bone.shape) < 4:
        return None
    labels, count = ndimage.label(bone)
    if count == 0:
        return None
    lowest = labels[:, :, : grid.voxels(_ROOT_MM)]
    sizes = np.bincount(lowest.ravel(), minlength=count + 1)[1:]
    piece = labels == 1 + int(np.argmax(sizes))
    area = piece.sum(axis=(0, 1)) * grid.step_mm**2
    slices = np.flatnonzero(area > _CREST_MM2)
    if sizes.max() * grid.step_mm**3 < _ROOT_MM3 or len(slices) == 0 or slices[-1] >= bone.shape[2] - 1:
        return None
    top = int(slices[-1])
    wing = [_widest(piece[:, :, k]) for k in range(max(0, top - grid.voxels(75.0)), max(1, top - grid.voxels(25.0)))]
    if not least_mm2 < np.median(wing) * grid.step_mm**2 < _MOST_WING_MM2:
        return None
    where = np.argwhere(piece[:, :, max(0, top - 1) : top + 1].any(axis=2)).mean(axis=0)
    at = grid.to_mm([where[0] + bounds[0, 0], where[1] + bounds[0, 1], top + bounds[0, 2]])
    return Sighting(name, at, np.array(_CREST_SD_MM), name)


def _widest(bone: Mask) -> int:
    """Voxels of the largest connected piece of a slice."""
    from scipy import ndimage

    labels, _ = ndimage.label(bone)
    return int(np.bincount(labels.ravel())[1:].max(initial=0))
