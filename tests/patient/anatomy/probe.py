"""Looks at single points of a body without building its whole CT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.field import Field
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.painter import STILL
from carm_env.patient.anatomy.part import Part
from carm_env.patient.phantom import paint

NAMES = list(LABELS)


def cube(
    build: Build,
    parts: Sequence[Part],
    point: NDArray[np.float64],
    field: Field = STILL,
    half: int = 1,
    step: float = 1.0,
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """HU and label ids in a cube of (2 * half + 1) voxels about a point, painted as in the CT."""
    size = (2 * half + 1,) * 3
    hu, labels = np.full(size, -1000, np.int16), np.zeros(size, np.uint8)
    paint(build, list(parts), field, np.asarray(point, float) - half * step, step, hu, labels)
    return hu, labels


def organ(build: Build, parts: Sequence[Part], point: NDArray[np.float64], field: Field = STILL) -> str:
    """Name of the label at a point."""
    return NAMES[cube(build, parts, point, field, 0)[1][0, 0, 0]]
