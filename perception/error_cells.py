"""Errors of a localiser by plane and region, what they depend on, and what frames of a patient have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]

EDGES_MM = (-15.0, 0.0, 50.0, 150.0, 400.0)
"""Bounds of the regions: distance of the target from the field's edge at the isocentre's depth, negative inside."""
REGIONS = ("inside", "edge", "outside 0-50", "outside 50-150", "outside 150-400", "outside 400")
PLANES, AXES, FOUND = 2, 2, 2
"""Planes A and B; image axes u and v; regions in which the target is found, in the others it is inferred."""
KNOTS = np.linspace(-3.0, 3.0, 25)
"""Standard normal deviates at which distributions are tabulated."""
CHANNELS = ("sd_u", "sd_v", "error_u", "error_v")
REGRESSORS = ("quanta", "field", "outside", "offset", "tilt")
REACHES = np.array([50.0, 50.0, 10.0])
"""Millimetres, millimetres and degrees at which the growing regressors become logarithmic: estimates."""
FIELD_MM = 60.0
"""Of ``place_mm``: over 200 poses of 5 phantoms, four fifths of a field correlate as a move by 10 to 20 mm does."""


@dataclass(frozen=True)
class Cell:
    """Errors of one plane and region.

    Attributes:
        views: that it rests on; valid: share of frames that tell anything.
        low, high: range of ``regressors`` in them, [5]; beyond it they are clipped.
        sd: coefficients of the log standard deviation (mm) in u and v: a constant, then the regressors, [2, 6].
        together: correlation of both axes' residuals of that, as normal deviates.
        spread: its residuals at ``KNOTS``, [2, 25].
        scale: slopes of the logarithm of error over reported standard deviation, [2, 5]; score: the rest, [2, 25].
    """

    views: float
    valid: float
    low: F64
    high: F64
    sd: F64
    together: float
    spread: F64
    scale: F64
    score: F64


@dataclass(frozen=True)
class Share:
    """What frames of one patient and plane have in common of each of ``CHANNELS``'s deviates.

    Attributes:
        patient: share of the variance that all of them have in common, [4].
        length_mm: distance (see ``place_mm``) over which the correlation of the rest falls to 1 / e, [4].
    """

    patient: F64
    length_mm: F64


def regressors(
    quanta: ArrayLike, field_mm: ArrayLike, outside_mm: ArrayLike, offset_mm: ArrayLike, tilt_deg: ArrayLike
) -> F64:
    """What the log standard deviation depends on, [..., 5].

    Args:
        quanta: per mm2 of detector; field_mm: side at the isocentre; outside_mm: distance of the target from the
            field, 0 inside; offset_mm: from the isocentre, at right angles to the beam; tilt_deg: see ``tilt_deg``.
    """
    shares = np.array([np.maximum(quanta, 1.0) / 1000.0, np.divide(field_mm, 200.0)])
    growing = np.array([outside_mm, offset_mm, tilt_deg]).T / REACHES
    return np.concatenate([np.log(shares).T, np.log1p(growing)], axis=-1)


def tilt_deg(primary_deg: ArrayLike, secondary_deg: ArrayLike, plane: ArrayLike) -> F64:
    """How far a view is from the frontal (plane A) or lateral one (plane B), degrees."""
    return np.hypot(np.subtract(primary_deg, np.multiply(plane, 90.0)), secondary_deg)


def place_mm(isocentre_mm: F64, field_mm: ArrayLike) -> F64:
    """Where a frame was taken, [..., 4]: the nearer two frames of a patient, the more alike are their errors.

    Args:
        isocentre_mm: [..., 3]; field_mm: side, a change of which by a factor e counts as a move by ``FIELD_MM``.
    """
    return np.concatenate([isocentre_mm, FIELD_MM * np.log(field_mm)[..., None]], axis=-1)


def outside_mm(across_mm: ArrayLike, along_mm: ArrayLike) -> F64:
    """Distance of a point from a square field, negative inside, from how far it lies beyond the edge along u and v."""
    inside = np.maximum(across_mm, along_mm)
    return np.where(inside <= 0, inside, np.hypot(np.maximum(across_mm, 0.0), np.maximum(along_mm, 0.0)))
