"""The patient support in the beam: table top and mattress as a slab of soft tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Cameras

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def add_support(line_integrals: F32, cameras: Cameras, low_mm: F64, high_mm: F64, gcm2: float) -> None:
    """Adds the slab that each ray crosses to its soft tissue, in place.

    Args:
        line_integrals: soft and bone, g/cm2, [M, 2, H, W].
        cameras: in the table frame.
        low_mm, high_mm: opposite corners of the slab, [3].
        gcm2: of soft tissue along the slab's thickness (y); an oblique ray meets more.
    """
    from carm_env.xray import kernels

    if gcm2 <= 0 or len(cameras) == 0:
        return
    rows, columns = line_integrals.shape[2:]
    right, down = cameras.u * cameras.pitch_mm[:, None], cameras.v * cameras.pitch_mm[:, None]
    corner = cameras.centre_mm - (columns - 1) / 2 * right - (rows - 1) / 2 * down
    dense = per_mm(low_mm, high_mm, gcm2)
    kernels.add_slab(cameras.source_mm, corner, right, down, low_mm, high_mm, dense, line_integrals)


def per_mm(low_mm: F64, high_mm: F64, gcm2: float) -> float:
    """g/cm2 for each mm of a slab that holds ``gcm2`` along its thickness (y)."""
    return float(gcm2 / (high_mm[1] - low_mm[1]))
