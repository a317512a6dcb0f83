"""Rule for the carina."""

from __future__ import annotations

import numpy as np

from carm_env.patient.segmented.found import Found, Masks, Unfit, need, uncut
from carm_env.patient.segmented.geometry import largest
from carm_env.patient.segmented.mask import Mask

_LEAST_TUBE = 0.25
_LEAST_ABOVE_MM = 25.0
_TRACHEA_MM = (12.0, 45.0)
"""Above the split: where the trachea's own section is measured."""
_WIDER = 1.5


def carina(masks: Masks) -> Found:
    """Air of the trachea just above its fork: middle of the section that is 1.5 times the trachea's.

    From the highest section in which the airway is two tubes (each at least a quarter of the usual section; 25 mm or
    more below the mask's upper end) upwards to where the tube is 1.5 times the median section 12 to 45 mm above the
    split.
    """
    mask = need(masks, "trachea")
    sections = _sections(mask)
    levels = np.arange(len(sections))
    heights = mask.to_mm(np.stack([np.zeros(len(levels)), np.zeros(len(levels)), levels], axis=-1))[:, 2]
    usual = float(np.median([sum(areas) for areas in sections]))
    splits = [k for k in range(len(sections)) if _is_split(sections[max(k - 1, 0) : k + 1], usual)]
    split = max((k for k in splits if heights[-1] - heights[k] > _LEAST_ABOVE_MM), default=-1)
    above = heights - heights[split]
    tube = np.array([max(areas, default=0.0) for areas in sections])
    trachea = tube[(above > _TRACHEA_MM[0]) & (above < _TRACHEA_MM[1])]
    if split < 0 or not len(trachea) or np.median(trachea) <= 0.0:
        raise Unfit("trachea does not reach from 25 mm above its fork to below it")
    wide = _WIDER * float(np.median(trachea))
    level = split + 1
    while tube[level] >= wide:
        level += 1
    places = np.argwhere(largest(mask.voxels[:, :, level])).mean(axis=0)
    back = float(np.clip((wide - tube[level]) / max(tube[level - 1] - tube[level], 1.0), 0.0, 1.0))
    point = mask.to_mm([places[0], places[1], level - back])
    return Found(uncut(masks, "trachea", point, 10.0), 4.0)


def _sections(mask: Mask) -> list[list[float]]:
    """Areas of the tubes of each slice, in voxels, largest first."""
    from scipy import ndimage

    found = []
    for k in range(mask.voxels.shape[2]):
        labels, _ = ndimage.label(mask.voxels[:, :, k], np.ones((3, 3)))
        found.append(sorted((float(n) for n in np.bincount(labels.ravel())[1:]), reverse=True))
    return found


def _is_split(both: list[list[float]], usual: float) -> bool:
    """Whether there are two tubes of some size in a slice and in the one below, if there is one."""
    return all(len(areas) > 1 and areas[1] >= _LEAST_TUBE * usual for areas in both)
