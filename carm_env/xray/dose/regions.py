"""Regions of the body along its axis: their bounds from landmarks, and where a field lies among them.

A landmark that is missing is put where the known ones on either side of it leave it in proportion; beyond the last
known one, the mean person's lengths go on.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.model import Patient
from carm_env.xray.dose.config import DoseConfig

F64 = NDArray[np.float64]

Region = Literal["pelvis", "abdomen", "thorax", "neck", "head"]
REGIONS: tuple[Region, ...] = get_args(Region)
"""From the feet up."""
Side = Literal["back", "front", "left", "right", "top", "bottom"]

_LEVELS: dict[str, float] = {
    "pubic_symphysis": 0.0,
    "femoral_head": 0.031,
    "L5": 0.211,
    "iliac_crest": 0.246,
    "T12": 0.447,
    "hemidiaphragm": 0.565,
    "carina": 0.720,
    "T1": 0.805,
    "sella": 1.0,
    "skull": 1.056,
}
"""Levels as shares of the way from the symphysis up to the sella; right and left ones in the mean. Means over twelve
phantoms, sd 0.005 to 0.012 (hemidiaphragms 0.03)."""
_VERTEX = 1.16
_LENGTH_PER_HEIGHT = 0.424
_LENGTH_MM = 704.0
"""Symphysis to sella, over the body's height, and where that is not known; the same phantoms."""


def bounds_mm(patient: Patient, config: DoseConfig) -> F64:
    """LPS z of the four bounds between ``REGIONS``, rising: iliac crests, hemidiaphragms, T1, and C2."""
    wanted = np.array([_LEVELS["iliac_crest"], _LEVELS["hemidiaphragm"], _LEVELS["T1"], config.head_share])
    known = _known(patient)
    if not known:
        low, high = patient.volume.z_range_mm()
        return np.asarray(low + wanted / _VERTEX * (high - low))
    levels, z = np.array(sorted(known)).T
    z = np.maximum.accumulate(z)
    height_cm = patient.demographics.height_cm
    length = _LENGTH_MM if height_cm is None else 10.0 * height_cm * _LENGTH_PER_HEIGHT
    beyond = np.minimum(wanted - levels[0], 0.0) + np.maximum(wanted - levels[-1], 0.0)
    return np.asarray(np.interp(wanted, levels, z) + length * beyond)


def _known(patient: Patient) -> list[tuple[float, float]]:
    """(level, LPS z) of the landmarks that the patient has."""
    points = patient.targets | patient.landmarks
    out = []
    for name, level in _LEVELS.items():
        z = [float(points[n][2]) for n in (name, f"right_{name}", f"left_{name}") if n in points]
        if z:
            out.append((level, float(np.mean(z))))
    return out


def shares(bounds: F64, low_mm: ArrayLike, high_mm: ArrayLike) -> F64:
    """How much of each stretch from ``low_mm`` to ``high_mm`` [K] lies in each region, [K, 5]; rows add up to 1."""
    low, high = np.asarray(low_mm, float)[:, None], np.asarray(high_mm, float)[:, None]
    edges = np.concatenate([[-np.inf], bounds, [np.inf]])
    lengths = np.diff(np.clip(edges[None], low, high), axis=1)
    return np.asarray(lengths / (high - low))


def region_at(bounds: F64, z_mm: float) -> Region:
    """The region of a level."""
    return REGIONS[int(np.searchsorted(bounds, z_mm))]


def side_of(normal: ArrayLike) -> Side:
    """Which way an outward normal of the skin (LPS) mainly points."""
    n = np.asarray(normal, float)
    axis = int(np.argmax(np.abs(n)))
    sides: tuple[tuple[Side, Side], ...] = (("right", "left"), ("front", "back"), ("bottom", "top"))
    return sides[axis][int(n[axis] > 0)]
