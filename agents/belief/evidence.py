"""What one frame says about the target's position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.sim.perception import UNSEEN_SD_MM

F64 = NDArray[np.float64]

FLOOR_SD_MM = 1.0
"""No frame is taken to be better than this."""
_ALMOST = 0.999
_EVEN = 1e-3
"""Weight of equal variances along rows and columns, which decides where the reported ones leave it open."""


@dataclass(frozen=True)
class Evidence:
    """One valid estimate: it comes from ``plane`` at ``isocentre_mm`` [3] and puts the target at ``mm`` [3].

    ``information`` [3, 3], 1/mm2, is the inverse of its covariance, 0 along directions that the view cannot see.
    """

    plane: int
    isocentre_mm: F64
    mm: F64
    information: F64

    @classmethod
    def of(cls, plane: int, isocentre_mm: F64, angles_deg: F64, displacement_mm: F64, sd_mm: F64) -> Evidence:
        """From an observation.

        Args:
            isocentre_mm: at exposure, table frame, [3].
            angles_deg: primary and secondary angle of the plane, [2].
            displacement_mm: target minus isocentre, [3].
            sd_mm: standard deviations along the table's axes, [3]; 100 mm or more along a direction means unseen.
        """
        axes = view_axes(*np.radians(angles_deg))
        inverse = 1.0 / np.maximum(_variances(axes, np.square(sd_mm)), FLOOR_SD_MM**2)
        inverse[inverse * (_ALMOST * UNSEEN_SD_MM) ** 2 <= 1.0] = 0.0
        return cls(plane, isocentre_mm, isocentre_mm + displacement_mm, (axes.T * inverse) @ axes)


def view_axes(primary: float, secondary: float) -> F64:
    """Unit vectors along image columns, rows and towards the detector, [3, 3] by rows; angles in radians.

    DESIGN section 4, after DICOM XA: primary +LAO, secondary +CRA.
    """
    (sa, ca), (sb, cb) = (np.sin(primary), np.cos(primary)), (np.sin(secondary), np.cos(secondary))
    return np.array([[ca, sa, 0.0], [sa * sb, -ca * sb, -cb], [sa * cb, -ca * cb, sb]])


def _variances(axes: F64, variance_mm2: F64) -> F64:
    """Variances along a view's axes [3] (by rows of ``axes``) of which those along the table's axes [3] are told."""
    mix = np.vstack([np.square(axes).T, [_EVEN, -_EVEN, 0.0]])
    return np.linalg.lstsq(mix, np.append(variance_mm2, 0.0), rcond=None)[0]
