"""The intracranial space: soft tissue with bone on all sides, and what lies at fixed places of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.grid import Mask
from carm_env.patient.estimate.tissue import Tissue, largest

F64 = NDArray[np.float64]

_REACH_MM = 130.0
_OPENING_MM = 9.0
_BRAIN_HU = (-60.0, 130.0)
_VAULT_HU = 250.0
_VOLUME_MM3 = (5e5, 2.4e6)
_LEAST_BONE_SHARE = 0.55
_CUT_MM2 = 400.0


@dataclass(frozen=True, eq=False)
class Cavity:
    """The intracranial space.

    Attributes:
        centroid: LPS mm [3]. cut: the CT ends within the cavity, so that the centroid is that of a part.
        points: LPS mm of its voxels, [K, 3].
    """

    centroid: F64
    cut: bool
    points: F64


def find_cavity(tissue: Tissue) -> Cavity | None:
    """The intracranial space, or None where the CT holds none; looked for on a coarser grid first."""
    grid = tissue.grid
    hard = (grid.smooth > _VAULT_HU) & tissue.body
    soft = (grid.smooth > _BRAIN_HU[0]) & (grid.smooth < _BRAIN_HU[1]) & tissue.body
    rough = _enclosed(_pooled(hard, 1), _pooled(soft, 6), 2.0 * grid.step_mm)
    if not rough.any():
        return None
    at = np.argwhere(rough) * 2
    margin = grid.voxels(36.0)
    low = np.maximum(at.min(0) - margin, 0)
    high = np.minimum(at.max(0) + margin, hard.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    mask = _enclosed(hard[box], soft[box], grid.step_mm)
    volume = np.count_nonzero(mask) * grid.step_mm**3
    if not _VOLUME_MM3[0] < volume < _VOLUME_MM3[1] or _bone_share(mask, hard[box]) < _LEAST_BONE_SHARE:
        return None
    voxels = np.argwhere(mask) + low
    ends = np.bincount(voxels[:, 2], minlength=hard.shape[2])[[0, -1]] * grid.step_mm**2
    return Cavity(grid.to_mm(voxels.mean(0)), bool((ends > _CUT_MM2).any()), grid.to_mm(voxels))


def _pooled(mask: Mask, least: int) -> Mask:
    """Whether at least so many of 2 x 2 x 2 voxels are set."""
    x, y, z = (n - n % 2 for n in mask.shape)
    blocks = mask[:x, :y, :z].reshape(x // 2, 2, y // 2, 2, z // 2, 2)
    return np.asarray(blocks.sum(axis=(1, 3, 5), dtype=np.int8) >= least, bool)


def _enclosed(hard: Mask, soft: Mask, step_mm: float) -> Mask:
    """The largest opened piece of soft tissue with bone to the left, right, front, back and above.

    The upper edge counts as bone: a vault that the CT cuts still encloses.
    """
    from scipy import ndimage

    reach = round(_REACH_MM / step_mm)
    capped = hard.copy()
    capped[:, :, -1] = True
    inside = soft & _bone_ahead(capped, 2, 1, reach)
    for axis, towards in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inside &= _bone_ahead(hard, axis, towards, reach)
    core = largest(np.asarray(ndimage.distance_transform_edt(inside) * step_mm > _OPENING_MM, bool))
    if not core.any():
        return core
    return np.asarray(ndimage.distance_transform_edt(~core) * step_mm <= _OPENING_MM, bool) & ~hard


def _bone_ahead(hard: Mask, axis: int, towards: int, reach: int) -> Mask:
    """Where bone follows within ``reach`` voxels along an axis."""
    length = hard.shape[axis]
    at = np.arange(length, dtype=np.int16).reshape([-1 if i == axis else 1 for i in range(3)])
    if towards > 0:
        next_bone = np.flip(np.minimum.accumulate(np.flip(np.where(hard, at, np.int16(10 * length)), axis), axis), axis)
        return np.asarray(next_bone - at <= reach, bool)
    last_bone = np.maximum.accumulate(np.where(hard, at, np.int16(-10 * length)), axis)
    return np.asarray(at - last_bone <= reach, bool)


def _bone_share(mask: Mask, hard: Mask) -> float:
    """Share of the surface within 6 mm of bone; the CT's upper edge does not count."""
    from scipy import ndimage

    rim = mask & ~np.asarray(ndimage.binary_erosion(mask), bool)
    rim[:, :, -2:] = False
    near = np.asarray(ndimage.binary_dilation(hard, iterations=3), bool)
    return float(np.count_nonzero(rim & near) / max(1, int(np.count_nonzero(rim))))
