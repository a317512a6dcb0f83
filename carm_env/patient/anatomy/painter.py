"""Paints parts of a body into a CT and its labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import kernels, texture
from carm_env.patient.anatomy.field import Field
from carm_env.patient.anatomy.part import Packed, Part, pack

F64 = NDArray[np.float64]
STILL = Field(np.zeros((2, 2, 2, 3), np.float32), np.zeros(3), 1e4)
"""No irregularity."""


def paint(
    parts: Sequence[Part],
    field: Field,
    origin: ArrayLike,
    spacing_mm: float,
    hu: NDArray[np.int16],
    labels: NDArray[np.uint8],
    grain_offset_mm: ArrayLike = (0.0, 0.0, 0.0),
) -> None:
    """Paints parts in order into ``hu`` and ``labels`` [X, Y, Z], whose first voxel is centred on ``origin``.

    Args:
        field: how the body is bent. spacing_mm: isotropic. grain_offset_mm: shifts the textures.
    """
    paint_packed(
        pack(parts, field, spacing_mm, np.asarray(grain_offset_mm, float)), field, origin, spacing_mm, hu, labels
    )


def paint_packed(
    packed: Packed,
    field: Field,
    origin: ArrayLike,
    spacing_mm: float,
    hu: NDArray[np.int16],
    labels: NDArray[np.uint8],
) -> None:
    """The same for parts packed before, with the same field and spacing."""
    kernels.paint(
        hu,
        labels,
        np.asarray(origin, float),
        float(spacing_mm),
        packed.parts,
        packed.rows,
        packed.table,
        packed.guards,
        texture.tiles(),
        field.nodes,
        np.asarray(field.low_mm, float),
        float(field.step_mm),
    )
