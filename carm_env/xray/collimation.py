"""The square collimated field on the detector: pixels, sides and area (millimetres)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from carm_env.errors import CarmError

IRP_OFFSET_MM = 150.0
"""The interventional reference point lies this far from the isocentre, towards the source (IEC 60601-2-43)."""


@dataclass(frozen=True)
class Field:
    """A collimated field clipped to the detector.

    Attributes:
        r0, r1, c0, c1: pixels whose centres it holds: rows r0 to r1 - 1, columns c0 to c1 - 1.
        height_mm, width_mm: its sides at the detector.
    """

    r0: int
    r1: int
    c0: int
    c1: int
    height_mm: float
    width_mm: float

    def central(self, share: float) -> tuple[int, int, int, int]:
        """Pixel bounds of the middle part with ``share`` of each side (at least one pixel)."""
        rows, columns = self.r1 - self.r0, self.c1 - self.c0
        h, w = max(1, round(rows * share)), max(1, round(columns * share))
        top, left = self.r0 + (rows - h) // 2, self.c0 + (columns - w) // 2
        return top, top + h, left, left + w

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        return self.r0, self.r1, self.c0, self.c1


def _span(pixels: int, pitch_mm: float, side_mm: float) -> tuple[int, int]:
    half = side_mm / pitch_mm / 2.0
    centre = (pixels - 1) / 2.0
    return max(0, math.ceil(centre - half - 1e-9)), min(pixels, math.floor(centre + half + 1e-9) + 1)


def collimate(size: tuple[int, int], pitch_mm: float, magnification: float, field_mm: float) -> Field:
    """The field of side ``field_mm`` at the isocentre on a detector of ``size`` (rows, columns) pixels.

    Args:
        magnification: SID over SOD.

    Raises:
        CarmError: a field so small that it holds no pixel centre.
    """
    side = field_mm * magnification
    (r0, r1), (c0, c1) = _span(size[0], pitch_mm, side), _span(size[1], pitch_mm, side)
    if r1 <= r0 or c1 <= c0:
        least = f"{pitch_mm / magnification:.3g} mm"
        raise CarmError(f"field {field_mm} mm at the isocentre holds no pixel: want 0 (closed) or at least {least}")
    return Field(r0, r1, c0, c1, min(side, size[0] * pitch_mm), min(side, size[1] * pitch_mm))


def kap_gycm2(ka_r_mgy: float, field: Field, sod_mm: float, sid_mm: float) -> float:
    """Kerma-area product from the kerma at the reference point and the field there (constant along the beam)."""
    scale = (sod_mm - IRP_OFFSET_MM) / sid_mm
    return ka_r_mgy / 1000.0 * field.height_mm * field.width_mm * scale**2 / 100.0
