"""Where things are expected on the table before anything was seen: the prior of every policy.

The patient lies head-first supine: back's skin on the mattress, midline on the table's midline, vertex at a fixed z.
"""

from __future__ import annotations

MATTRESS_MM = 50.0
VERTEX_Z_MM = -100.0
"""Nominal vertex in the table frame (origin: table top, midline, head end)."""

PLACEMENT_SD_MM = (20.0, 20.0, 40.0)
PLACEMENT_YAW_SD_DEG = 2.0
HEIGHT_ERROR_SD_CM = 2.0
START_SPREAD_X_MM = 30.0
START_SPREAD_Z_MM = 60.0

MEAN_HEIGHT_CM = {"F": 161.0, "M": 175.0, None: 168.0}
"""Adult means used where no height is recorded (CDC NHANES 2015-2018, Vital Health Stat 3(46): 161.3 and 175.3 cm)."""

GROIN_HEIGHT_RATIO = 0.53
"""Hip joint above the floor over stature (Drillis and Contini 1966, after Winter)."""

SELLA_BELOW_VERTEX_MM = 115.0
SELLA_ABOVE_BACK_MM = 205.0
MID_DEPTH_MM = 110.0
"""Half the antero-posterior thickness of an adult trunk, rounded."""


def height_or_mean_cm(height_cm: float | None, sex: str | None) -> float:
    """The recorded height, else the mean of the sex."""
    return MEAN_HEIGHT_CM[sex] if height_cm is None else height_cm


def groin_below_vertex_mm(height_cm: float | None, sex: str | None) -> float:
    """Nominal distance from the vertex down to the hip joints."""
    return 10.0 * height_or_mean_cm(height_cm, sex) * (1.0 - GROIN_HEIGHT_RATIO)


def groin_mm(height_cm: float | None, sex: str | None) -> tuple[float, float, float]:
    """Nominal groin puncture level at mid-depth of the trunk, table frame."""
    return 0.0, -(MATTRESS_MM + MID_DEPTH_MM), VERTEX_Z_MM - groin_below_vertex_mm(height_cm, sex)


def sella_mm() -> tuple[float, float, float]:
    """Nominal sella, table frame."""
    return 0.0, -(MATTRESS_MM + SELLA_ABOVE_BACK_MM), VERTEX_Z_MM - SELLA_BELOW_VERTEX_MM
