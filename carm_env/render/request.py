"""What can be asked of a renderer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.model import Patient

MAX_PIXELS_SIDE = 8192
MAX_DISTANCE_MM = 1e5


def check_request(patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> None:
    """Raises CarmError for a request that no renderer can serve."""
    if len(patients) != len(cameras):
        raise CarmError(f"render: {len(patients)} patients for {len(cameras)} cameras; one patient a camera is needed")
    if len(size) != 2 or not all(1 <= side <= MAX_PIXELS_SIDE for side in size):
        raise CarmError(f"render: image size {tuple(size)}; (rows, columns) from 1 to {MAX_PIXELS_SIDE} are needed")
    vectors = np.concatenate([cameras.source_mm, cameras.centre_mm, cameras.u, cameras.v], axis=1)
    good = (np.abs(vectors) <= MAX_DISTANCE_MM).all(axis=1) & (cameras.pitch_mm > 0) & np.isfinite(cameras.pitch_mm)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise CarmError(
            f"render: camera {row} has source {cameras.source_mm[row].tolist()}, centre "
            f"{cameras.centre_mm[row].tolist()} and pitch {cameras.pitch_mm[row]} mm; finite positions within "
            f"{MAX_DISTANCE_MM:.0f} mm and a positive pitch are needed"
        )


def rows_of_patients(patients: Sequence[Patient]) -> dict[str, list[int]]:
    """Which rows of a request belong to which patient, by id."""
    groups: dict[str, list[int]] = {}
    for row, patient in enumerate(patients):
        groups.setdefault(patient.id, []).append(row)
    return groups
