"""The carina: the windpipe followed downwards until it forks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.chest import Chest
from carm_env.patient.estimate.grid import F32, Grid, Mask
from carm_env.patient.estimate.tissue import Tissue

F64 = NDArray[np.float64]

_AREA_MM2 = (60.0, 900.0)
_OFF_MIDLINE_MM = 40.0
_STEP_MM = 12.0
_LEAST_LENGTH_MM = 24.0
_ABOVE_BASE_MM = 70.0
_LUMEN_HU = (-500.0, -650.0, -750.0, -850.0, -900.0)


def find_carina(tissue: Tissue, chest: Chest) -> F64 | None:
    """LPS mm of the fork of the windpipe, or None where it is not seen."""
    grid = tissue.grid
    top = int(np.clip(grid.to_index([0, 0, chest.top_z + 30.0])[2], 0, grid.hu.shape[2] - 1))
    if chest.top_z - chest.bottom_z < _ABOVE_BASE_MM and not chest.bottom_cut:
        return None
    low = int(max(0, grid.to_index([0, 0, chest.top_z - 190.0])[2]))
    best: list[F64] = []
    fork: F64 | None = None
    for start in range(top, max(low, top - grid.voxels(110.0)), -grid.voxels(9.0)):
        for seed in _seeds(tissue, chest, start):
            path, end = _follow(grid, tissue.body, seed, start, low)
            if end is not None and len(path) > len(best):
                best, fork = path, end
    if fork is None or (fork[2] < chest.bottom_z + _ABOVE_BASE_MM and not chest.bottom_cut):
        return None
    return fork


def _seeds(tissue: Tissue, chest: Chest, k: int) -> list[F64]:
    """Centres (voxels) of round pieces of air near the midline of a slice."""
    from scipy import ndimage

    grid = tissue.grid
    labels, count = ndimage.label((grid.hu[:, :, k] < -600.0) & tissue.body[:, :, k])
    found = []
    for i in range(1, count + 1):
        at = np.argwhere(labels == i)
        area = len(at) * grid.step_mm**2
        spread = np.ptp(at, axis=0) + 1
        x = grid.to_mm([*at.mean(0), k])[0]
        round_ = spread.max() <= 2.2 * spread.min() and area > 0.5 * np.prod(spread) * grid.step_mm**2
        if _AREA_MM2[0] < area < 500.0 and round_ and abs(x - chest.midline_x) < _OFF_MIDLINE_MM:
            found.append(at.mean(0))
    return found


def _follow(grid: Grid, body: Mask, seed: F64, start: int, low: int) -> tuple[list[F64], F64 | None]:
    """The centres per slice downwards from a seed, and the fork, if one is met."""
    path: list[F64] = [seed]
    areas: list[float] = []
    for k in range(start - 1, low - 1, -1):
        typical = float(np.median(areas[-12:])) if areas else 250.0
        ahead = path[-1] + 0.5 * (path[-1] - path[-6]) / 5.0 if len(path) > 5 else path[-1]
        lumen = _lumen(grid.hu[:, :, k], body[:, :, k], ahead, max(2.0 * typical, 350.0), grid.step_mm)
        if lumen is None:
            return path, None
        halves = _halves(lumen, grid.step_mm)
        if halves is not None and len(path) * grid.step_mm >= _LEAST_LENGTH_MM:
            return path, grid.to_mm([*halves, k + 0.5])
        path.append(np.argwhere(lumen).mean(0))
        areas.append(np.count_nonzero(lumen) * grid.step_mm**2)
    return path, None


def _lumen(hu: F32, body: Mask, at: F64, most_mm2: float, step_mm: float) -> Mask | None:
    """Air around a place of a slice: the highest threshold that keeps it apart from the lungs."""
    from scipy import ndimage

    reach = int(45.0 / step_mm)
    x, y = (max(0, int(v) - reach) for v in at)
    window = (slice(x, x + 2 * reach), slice(y, y + 2 * reach))
    crop = hu[window]
    for threshold in _LUMEN_HU:
        labels, count = ndimage.label((crop < threshold) & body[window], structure=np.ones((3, 3)))
        if count == 0:
            return None
        pieces = np.argwhere(labels > 0)
        distance = np.linalg.norm(pieces + (np.array([x, y]) - at), axis=1)
        near = np.unique(labels[tuple(pieces[distance * step_mm < _STEP_MM].T)])
        keep = [i for i in near if np.count_nonzero(labels == i) * step_mm**2 > 20.0]
        if not keep:
            return None
        sizes = [np.count_nonzero(labels == i) * step_mm**2 for i in keep]
        keep = [i for i, size in zip(keep, sizes, strict=True) if size <= most_mm2]
        if keep and len(keep) == len(sizes):
            out = np.zeros(hu.shape, bool)
            out[window] = np.isin(labels, keep)
            return out
    return None


def _halves(lumen: Mask, step_mm: float) -> F64 | None:
    """The point between the two largest pieces of a lumen, if they lie beside each other."""
    from scipy import ndimage

    labels, count = ndimage.label(lumen)
    if count >= 2:
        sizes = np.bincount(labels.ravel())[1:] * step_mm**2
        a, b = np.argsort(sizes)[-2:] + 1
        one, two = np.argwhere(labels == a).mean(0), np.argwhere(labels == b).mean(0)
        apart = np.abs(one - two) * step_mm
        if sizes[a - 1] > 40.0 and apart[0] > 12.0 and apart[0] > apart[1]:
            return np.asarray(0.5 * (one + two), float)
    return None
