"""What can be asked of a renderer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.model import Patient, Volume

MAX_PIXELS_SIDE = 8192
MAX_DISTANCE_MM = 1e5
MAX_VOXELS = 2**31 - 1
"""Kernels index with 32 bits."""


def check_request(patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> None:
    """Raises CarmError for a request that no renderer can serve: numbers of patients and cameras differ, a camera is
    not finite or out of range, or the size or a CT cannot be rendered."""
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
    for patient in {patient.id: patient for patient in patients}.values():
        _check_volume(patient.volume, f"patient {patient.id}")


def _check_volume(volume: Volume, name: str) -> None:
    """Raises CarmError where ``hu`` is not a filled int16 [X, Y, Z], too large, or the affine cannot be inverted."""
    hu, affine = np.asarray(volume.hu), np.asarray(volume.affine, float)
    if hu.ndim != 3 or 0 in hu.shape or hu.dtype != np.int16:
        raise CarmError(f"{name}: the CT is {hu.dtype} {list(hu.shape)}; a non-empty int16 [X, Y, Z] is needed")
    if hu.size > MAX_VOXELS // 2:
        raise CarmError(f"{name}: the CT has {hu.size} voxels; at most {MAX_VOXELS // 2} can be rendered, resample it")
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or np.linalg.cond(affine[:3, :3]) > 1e8:
        raise CarmError(f"{name}: the CT's affine {affine.tolist()} cannot be inverted; a regular [4, 4] is needed")


def rows_of_patients(patients: Sequence[Patient]) -> dict[str, list[int]]:
    """Which rows of a request belong to which patient, by id."""
    groups: dict[str, list[int]] = {}
    for row, patient in enumerate(patients):
        groups.setdefault(patient.id, []).append(row)
    return groups
