"""Rule for the domes of the diaphragm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.domes import CAP_MM
from carm_env.patient.anatomy.extended import BesideHeart, Summit
from carm_env.patient.segmented.found import Found, Masks, Unfit
from carm_env.patient.segmented.mask import Mask, coarser, merged

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
_OUTLINE_MM = (-40.0, -10.0)
"""From the domes: where the lungs' outline is taken."""
_SMOOTH_MM = 3.0
_ROUGH_MM = 5.0
_ORGANS = {"right": ("liver",), "left": ("stomach", "spleen")}
_ORGAN_MM = (-12.0, 70.0)
"""How far the highest organ under a dome may lie below it."""


def hemidiaphragm(masks: Masks, side: str) -> Found:
    """Top of the dome beside the heart, on the lung's lower surface.

    The chest is measured in the outline of both lungs from 40 to 10 mm below the domes. The lower surface, smoothed
    over 3 mm and without its rim of 6 mm, counts as ``BesideHeart`` says; the middle of its highest 12 mm, where higher
    columns weigh more, is the point. The highest organ below (liver; stomach or spleen) must fit.
    """
    lungs = {each: _lung(masks, each) for each in ("right", "left")}
    surfaces = {each: _lower_surface(lung) for each, lung in lungs.items()}
    tops: dict[str, F64] = {}
    level = float(np.mean([_low_part(lung) for lung in lungs.values()])) + 25.0
    for _ in range(3):
        outline = _outline(lungs, level)
        tops = {each: _top(surface, outline, each) for each, surface in surfaces.items()}
        level = float(np.mean([top[2] for top in tops.values()]))
    point = tops[side]
    if lungs[side].cut_near(point, 8.0):
        raise Unfit(f"the {side} lung is cut by the edge of the CT")
    _check_organs(masks, side, point)
    return Found(point, 7.0)


@dataclass(frozen=True, eq=False)
class _Surface:
    """A lung's lower surface: points [X, Y, 3] of its lowest voxels' lower faces, smoothed, and where it holds."""

    points: F64
    holds: Bools


def _lung(masks: Masks, side: str) -> Mask:
    lobes = [m for name, m in masks.items() if name.startswith("lung_") and name.endswith(f"_{side}")]
    if not lobes:
        raise Unfit(f"no mask of the {side} lung")
    return coarser(merged(lobes))


def _low_part(lung: Mask) -> float:
    """Height of the lung's lowest third, LPS z."""
    return float(lung.to_mm([0.0, 0.0, 0.33 * lung.voxels.shape[2]])[2])


def _lower_surface(lung: Mask) -> _Surface:
    from scipy import ndimage

    voxels, spacing = lung.voxels, lung.grid.spacing_mm
    holds: Bools = np.asarray(voxels.any(axis=2))
    low = voxels.argmax(axis=2)
    if lung.start[2] == 0:
        holds &= low > 0
    usual = ndimage.median_filter(np.where(holds, low, 0), size=7).astype(float)
    smooth = holds & (np.abs(low - usual) * spacing[2] < _ROUGH_MM)
    width = _SMOOTH_MM / spacing[:2]
    weight = ndimage.gaussian_filter(smooth.astype(float), width)
    height = ndimage.gaussian_filter(np.where(smooth, low, 0.0), width) / np.maximum(weight, 1e-6)
    rim = ndimage.binary_erosion(holds, iterations=max(1, round(6.0 / float(spacing[:2].mean()))))
    x, y = np.meshgrid(*(np.arange(n) for n in low.shape), indexing="ij")
    return _Surface(lung.to_mm(np.stack([x, y, height - 0.5], axis=-1)), rim & (weight > 0.3))


def _outline(lungs: dict[str, Mask], level: float) -> F64:
    """The lungs from above [N, 3], a little below the domes."""
    outlines = {}
    for side, lung in lungs.items():
        heights = lung.to_mm(np.multiply.outer(np.arange(lung.voxels.shape[2]), [0.0, 0.0, 1.0]))[:, 2]
        near = (heights >= level + _OUTLINE_MM[0]) & (heights <= level + _OUTLINE_MM[1])
        places = np.argwhere(lung.voxels[:, :, near].any(axis=2))
        outlines[side] = lung.to_mm(np.column_stack([places, np.zeros(len(places))]))
    if min(map(len, outlines.values())) < 20:
        raise Unfit("the lungs are cut below the domes")
    both = np.concatenate(list(outlines.values()))
    width, depth = np.ptp(both[:, :2], axis=0)
    if outlines["left"][:, 0].max() - outlines["right"][:, 0].min() < 120.0 or depth < 80.0:
        raise Unfit(f"the chest is cut or the lungs are mislabelled ({width:.0f} mm wide, {depth:.0f} mm deep)")
    return both


def _top(surface: _Surface, outline: F64, side: str) -> F64:
    beside = BesideHeart(-1.0 if side == "right" else 1.0, outline)
    points = surface.points[surface.holds]
    if not (beside.share(points) > 0.0).any():
        raise Unfit(f"no lower surface of the {side} lung beside the heart")
    return Summit(points, CAP_MM, beside=beside).point()


def _check_organs(masks: Masks, side: str, point: F64) -> None:
    """Raises ``Unfit`` where the highest organ under a dome is not right below it."""
    organs = [masks[name] for name in _ORGANS[side] if name in masks]
    tops = [float(organ.to_mm(np.subtract(organ.voxels.shape, 1))[2]) for organ in organs]
    if tops and not _ORGAN_MM[0] <= point[2] - max(tops) <= _ORGAN_MM[1]:
        names = " and ".join(_ORGANS[side])
        raise Unfit(f"the {side} dome lies {point[2] - max(tops):.0f} mm above the top of {names}")
