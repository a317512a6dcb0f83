"""From what a frame holds to what networks read: one way for data sets and for frames in the loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

CONTEXT: tuple[str, ...] = (
    "sin_primary", "cos_primary", "sin_secondary", "flipped", "plane_b", "field_mm", "pixel_mm", "log_quanta",
    "sex", "age_years", "height_cm", "weight_kg", "arms_raised",
    "sex_known", "age_known", "height_known", "weight_known", "arms_known",
)  # fmt: skip
"""What a network is told beside the pixels, in this order."""
DEMOGRAPHIC_MIDDLE = np.array([0.5, 60.0, 168.0, 80.0, 0.3])
DEMOGRAPHIC_SCALE = np.array([0.5, 18.0, 11.0, 18.0, 0.5])


def centred(logarithm: F32, mask: NDArray[np.bool_]) -> F32:
    """Two channels [2, H, W]: log signal less its mean inside the field (0 outside), and the field.

    Args:
        logarithm: natural logarithm of the raw signal, [H, W]; mask: inside the field, bool [H, W].
    """
    count = max(int(mask.sum()), 1)
    mean = np.float32(logarithm[mask].sum(dtype=np.float64) / count)
    return np.stack([np.where(mask, logarithm - mean, np.float32(0.0)), mask.astype(np.float32)])


def context(
    angles_deg: F64, flipped: NDArray[np.bool_], plane: NDArray[np.int64], field_mm: F64, pixel_mm: F64, quanta: F64,
    demographics: F64,
) -> F32:
    """What goes with M images, float32 [M, len(CONTEXT)]; missing demographics are 0 with 0 in their ``known``.

    Args:
        angles_deg: primary and secondary, [M, 2]; flipped: columns are mirrored for display, [M]; plane: [M].
        field_mm: side of the field at the isocentre; pixel_mm: pixel size at the isocentre; quanta: per mm2, [M].
        demographics: sex, age, height, weight, arms raised; NaN where unknown, [M, 5].
    """
    primary, secondary = np.radians(angles_deg).T
    known = np.isfinite(demographics)
    scaled = (np.where(known, demographics, 0.0) - DEMOGRAPHIC_MIDDLE) / DEMOGRAPHIC_SCALE
    machine = [
        np.sin(primary), np.cos(primary), np.sin(secondary), flipped, plane == 1,
        field_mm / 200.0, pixel_mm, np.log(np.maximum(quanta, 1.0)) / 6.0,
    ]  # fmt: skip
    columns = [np.stack(machine, axis=1).astype(float), np.where(known, scaled, 0.0), known]
    return np.concatenate(columns, axis=1).astype(np.float32)
