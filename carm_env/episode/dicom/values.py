"""Numbers and moments as DICOM writes them (PS3.5 section 6.2), and the table's position in DICOM's terms."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

DS_LENGTH = 16
"""Most characters of a decimal string."""


def decimal(value: float) -> str:
    """The decimal string with the most digits that fit: at least 10 significant ones for values above 1e-99."""
    value = float(value) + 0.0
    if not math.isfinite(value):
        raise ValueError(f"{value} is no decimal string")
    texts = (f"{value:.{digits}g}" for digits in range(DS_LENGTH, 0, -1))
    return next(text for text in texts if len(text) <= DS_LENGTH)


def decimals(values: ArrayLike) -> list[str]:
    """Decimal strings of an array, [K]."""
    return [decimal(value) for value in np.asarray(values, float).ravel()]


def date(moment: datetime) -> str:
    """DA."""
    return moment.strftime("%Y%m%d")


def time(moment: datetime) -> str:
    """TM, to the microsecond."""
    return moment.strftime("%H%M%S.%f")


def offset(moment: datetime) -> str:
    """Offset from UTC as ``+HHMM``; empty where the moment does not know it."""
    return moment.strftime("%z")[:5]


def date_time(moment: datetime) -> str:
    """DT, to the microsecond; the file's Timezone Offset From UTC, where there is one, holds for it too."""
    return date(moment) + time(moment)


def principal(angle_deg: ArrayLike) -> NDArray[np.float64]:
    """Angles brought into (-180, 180] degrees, the range of positioner angles (PS3.3 C.8.7.5.1.2)."""
    return 180.0 - (180.0 - np.asarray(angle_deg, float)) % 360.0


def table_mm(position: ArrayLike) -> NDArray[np.float64]:
    """Longitudinal, lateral and vertical position of the table, [K, 3] (mm).

    Args:
        position: of the machine, [K, 8]; its first three entries are the isocentre in the table frame (LPS: x to
            patient left, y down, z to the head; origin on the table top's midline at the head end).

    The terms are those of an operator at the table's side (PS3.3 C.8.7.4.1 and C.8.19.6.11, patient head first supine):
    longitudinal + is a motion of the table to the patient's left (LAO), lateral + to the head (CRA), vertical + down.
    Zero is where the table frame's origin lies at the isocentre. With the isocentre at p the origin is at -p from it,
    so the three are (-x, -z, -y); they are also the table reference point's X, Z and Y position to the isocentre (PS3.3
    C.8.19.6.13.1.3).
    """
    isocentre = np.atleast_2d(np.asarray(position, float))[:, :3]
    return 0.0 - isocentre[:, [0, 2, 1]]
