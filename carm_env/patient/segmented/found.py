"""What a rule makes of masks: a point with its uncertainty, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.segmented.mask import Mask, coarser, pieces

F64 = NDArray[np.float64]
Masks = Mapping[str, Mask]
"""Class (see ``classes``) to mask."""


@dataclass(frozen=True, eq=False)
class Found:
    """A point [3] in LPS mm and the standard deviation of its error (mm, over the three axes together)."""

    point_mm: F64
    sd_mm: float


class Unfit(Exception):  # noqa: N818 - a reason, not an error
    """Masks do not give a point; the text says why."""


Rule = Callable[[Masks], Found]


def need(masks: Masks, name: str) -> Mask:
    """The largest connected piece of a class, thinned to the spacing at which shapes are measured.

    Raises:
        Unfit: the class is missing.
    """
    if name not in masks:
        raise Unfit(f"no mask {name}")
    return pieces(coarser(masks[name]))[0]


def uncut(masks: Masks, name: str, point_mm: F64, reach_mm: float) -> F64:
    """The point itself.

    Raises:
        Unfit: the CT's edge cuts the class nearer to the point [3] than ``reach_mm``.
    """
    if masks[name].cut_near(point_mm, reach_mm):
        raise Unfit(f"{name} is cut by the edge of the CT")
    return point_mm
