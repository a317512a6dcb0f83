"""What the lungs show: their tops, and the domes of the diaphragm below them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.grid import Grid, Mask
from carm_env.patient.estimate.tissue import Tissue

F64 = NDArray[np.float64]

SIDES = {"right": -1.0, "left": 1.0}
_LEAST_SIDE_MM3 = 5e4
_MEDIASTINUM_MM = 22.0
_HEART_MM = 38.0
_WALL_MM = 9.0
_LEAST_AREA_MM2 = 700.0
_RECESS_MM = 105.0
_TOO_HIGH_MM = 15.0
_MOST_CUT = 0.35
_LEAST_FILLED = 0.5
_LEFT_FROM_FRONT = 0.42
_FLAT_MM = 15.0
_STEEPEST = 1.1


@dataclass(frozen=True, eq=False)
class Chest:
    """The lungs' middle plane and extents, LPS mm.

    Attributes:
        midline_x: between the lungs' outer edges. back_y, front_y: of both lungs (1st and 99th percentile).
        top_z, bottom_z: highest and lowest lung. top_cut, bottom_cut: the CT ends within a lung there.
        domes: highest points of the hemidiaphragms [3] by side, where they are seen.
    """

    midline_x: float
    front_y: float
    back_y: float
    top_z: float
    bottom_z: float
    top_cut: bool
    bottom_cut: bool
    domes: dict[str, F64]


def find_chest(tissue: Tissue) -> Chest | None:
    """What the lungs tell, or None where the CT holds none."""
    grid, lungs = tissue.grid, tissue.lungs
    per_slice = lungs.sum(axis=(0, 1)) * grid.step_mm**2
    wide = np.flatnonzero(per_slice > _LEAST_AREA_MM2)
    if len(wide) == 0:
        return None
    at = np.argwhere(lungs)
    middle = _midline(lungs[:, :, wide])
    front, back = np.percentile(grid.to_mm(at)[:, 1], [1.0, 99.0])
    low, high = _both_ends(lungs, grid)
    last = grid.hu.shape[2] - 1
    domes = {}
    for name, side in SIDES.items():
        dome = _dome(lungs, grid, middle, side)
        if dome is not None:
            domes[name] = dome
    x = float(grid.to_mm([middle, 0, 0])[0])
    z = grid.z_mm([low, high])
    return Chest(x, float(front), float(back), float(z[1]), float(z[0]), high >= last - 1, low <= 1, domes)


def _midline(lungs: Mask) -> float:
    """Index halfway between the outer edges of the lungs, median over slices that show both."""
    columns = np.asarray(lungs.any(axis=1), bool)
    first = np.argmax(columns, axis=0)
    last = columns.shape[0] - 1 - np.argmax(columns[::-1], axis=0)
    width = last - first
    return float(np.median((0.5 * (first + last))[width >= 0.7 * width.max()]))


def _both_ends(lungs: Mask, grid: Grid) -> tuple[int, int]:
    """First and last slice of the run, around the widest one, that shows more lung than a windpipe."""
    area = lungs.sum(axis=(0, 1)) * grid.step_mm**2
    gaps = np.flatnonzero(area <= _LEAST_AREA_MM2)
    most = int(np.argmax(area))
    return int(max(gaps[gaps < most], default=-1)) + 1, int(min(gaps[gaps > most], default=len(area))) - 1


def _dome(lungs: Mask, grid: Grid, middle: float, side: float) -> F64 | None:
    """Highest flat place of the lower surface of one lung, away from mediastinum, heart and chest wall."""
    from scipy import ndimage

    x = (np.arange(lungs.shape[0]) - middle) * grid.step_mm * side
    half = lungs & (x > 0.0)[:, None, None]
    if np.count_nonzero(half) * grid.step_mm**3 < _LEAST_SIDE_MM3:
        return None
    footprint = np.asarray(half.any(axis=2), bool)
    lowest = np.argmax(half, axis=2).astype(float)
    inner = ndimage.distance_transform_edt(ndimage.binary_fill_holes(footprint)) * grid.step_mm > _WALL_MM
    inner &= footprint & (x > (_MEDIASTINUM_MM if side < 0 else _HEART_MM))[:, None]
    if not inner.any():
        return None
    if np.count_nonzero(inner & (lowest <= 1)) > _MOST_CUT * np.count_nonzero(inner):
        return None
    surface = ndimage.median_filter(np.where(footprint, lowest, lungs.shape[2]), size=5)
    surface = ndimage.gaussian_filter(surface, 1.0)
    gradient = ndimage.gaussian_gradient_magnitude(surface, grid.voxels(_FLAT_MM) / 3.0)
    flat = inner & (gradient < _STEEPEST) & (lowest > 1)
    area = half.sum(axis=(0, 1)) * grid.step_mm**2
    base = int(np.flatnonzero(area > 0.05 * area.max())[0])
    flat &= surface < base + _RECESS_MM / grid.step_mm
    if side > 0:
        depth = np.flatnonzero(footprint.any(axis=0))
        flat[:, : int(depth[0] + _LEFT_FROM_FRONT * (depth[-1] - depth[0]))] = False
    if np.count_nonzero(flat) < 20:
        return None
    height = np.where(flat, surface, -1.0)
    top = np.percentile(height[flat], 99.0)
    near_top = flat & (height > top - 1.5)
    labels, _ = ndimage.label(near_top)
    i = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    where = np.argwhere(labels == i).mean(0)
    if not _filled(half[:, :, -1]) or (half[:, :, -1].any() and top > lungs.shape[2] - grid.voxels(_TOO_HIGH_MM)):
        return None
    return grid.to_mm([where[0], where[1], top - 0.5])


def _filled(lung: Mask) -> bool:
    """Whether a slice of a lung, if there is any, fills its frame: below the dome it is a crescent around the liver."""
    at = np.argwhere(lung)
    return len(at) == 0 or bool(len(at) > _LEAST_FILLED * np.prod(np.ptp(at, axis=0) + 1))
