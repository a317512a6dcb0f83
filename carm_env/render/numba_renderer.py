"""The default renderer: two-material line integrals on the CPU."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Cameras
from carm_env.patient.model import Patient
from carm_env.render import kernels
from carm_env.render.levels import FULL, Factors, bone_shift_hu, coarser, footprints_mm, level_of
from carm_env.render.model import Model, model_of
from carm_env.render.packing import PackedVolume, crop_to_body, pack_volume
from carm_env.render.request import check_request, rows_of_patients
from carm_env.xray.materials import CT_ENERGY_KEV, mixture

F64 = NDArray[np.float64]
_NOT_TURNED = np.zeros(0, np.uint16)

class NumbaRenderer:
    """Joseph's method on packed volumes (see ``kernels``), the ``Renderer`` named ``numba``.

    Pixels that see several voxels side by side get a coarser level of the CT (``levels``). What is packed is kept by
    ``patient.id`` and level, the least recently used dropped beyond ``cache_bytes`` (2 bytes a voxel of the body's box,
    4 once a view ran along z; the newest is always kept). Packed scans are memory-mapped: one copy for all processes.
    """

    name = "numba"

    def __init__(
        self, cache_bytes: int = 2**30, ct_energy_kev: float = CT_ENERGY_KEV, coarse_levels: bool = True
    ) -> None:
        self.cache_bytes = cache_bytes
        self.coarse_levels = coarse_levels
        self._mixture = mixture(ct_energy_kev)
        self._cache: OrderedDict[tuple[str, Factors], tuple[PackedVolume, Model]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """What packed volumes occupy now."""
        return sum(packed.nbytes for packed, _ in self._cache.values())

    def render(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> NDArray[np.float32]:
        """Line integrals (soft, bone) in g/cm2, float32 [M, 2, H, W]; see ``protocol.Renderer``.

        Raises:
            CarmError: numbers of patients and cameras differ, a camera is not finite or out of range, or the size or
                a CT cannot be rendered.
        """
        check_request(patients, cameras, size)
        images = np.zeros((len(patients), 2, *size), np.float32)
        for rows in rows_of_patients(patients).values():
            patient = patients[rows[0]]
            for level, some in self._levels(patient, cameras, rows).items():
                packed, model = self._packed(patient, level)
                images[some] = _project(packed, cameras[some], size, model)
        return images

    def close(self) -> None:
        """Forgets what is packed."""
        with self._lock:
            self._cache.clear()

    def _levels(self, patient: Patient, cameras: Cameras, rows: list[int]) -> dict[Factors, list[int]]:
        """Which rows want which level of a patient's CT."""
        if not self.coarse_levels:
            return {FULL: rows}
        levels: dict[Factors, list[int]] = {}
        for row, footprint in zip(rows, footprints_mm(patient.volume, cameras[rows]), strict=True):
            levels.setdefault(level_of(patient.volume.spacing_mm, footprint), []).append(row)
        return levels

    def _packed(self, patient: Patient, level: Factors) -> tuple[PackedVolume, Model]:
        with self._lock:
            packed = self._cache.pop((patient.id, level), None)
            if packed is None:
                packed = self._pack(patient, level)
            self._cache[patient.id, level] = packed
            while len(self._cache) > 1 and self.held_bytes > self.cache_bytes:
                self._cache.popitem(last=False)
            return packed

    def _pack(self, patient: Patient, level: Factors) -> tuple[PackedVolume, Model]:
        key = f"{patient.id} {level}" if patient.is_scan else None
        if level == FULL:
            return pack_volume(patient.volume, key), model_of(self._mixture)
        volume = crop_to_body(patient.volume)
        coarse = coarser(volume, level)
        return pack_volume(coarse, key), model_of(self._mixture, bone_shift_hu(volume, coarse, self._mixture))


def _project(
    packed: PackedVolume, cameras: Cameras, size: tuple[int, int], model: Model
) -> NDArray[np.float32]:
    linear, offset = packed.to_index[:3, :3], packed.to_index[:3, 3]
    column, row = cameras.u * cameras.pitch_mm[:, None], cameras.v * cameras.pitch_mm[:, None]
    corner = cameras.centre_mm - (size[1] - 1) / 2 * column - (size[0] - 1) / 2 * row
    source, corner, column, row = (
        cameras.source_mm @ linear.T + offset, corner @ linear.T + offset, column @ linear.T, row @ linear.T,
    )  # fmt: skip
    along_z = _run_along_z(corner - source, column * (size[1] - 1), row * (size[0] - 1))
    turned = packed.turned if along_z.any() else _NOT_TURNED
    images = np.zeros((len(cameras), 2, *size), np.float32)
    kernels.project(
        packed.voxels, turned, along_z, packed.shape, packed.bricks, source, corner, column, row, packed.to_mm, model,
        numba.get_num_threads(), images,
    )  # fmt: skip
    return images


def _run_along_z(corner: F64, across: F64, down: F64) -> NDArray[np.bool_]:
    """Which of M views may hold rays more than ``STEEPEST`` times as steep along z as along x and y, from their corners
    [M, 3] in voxel indices.

    ``STEEPEST s d_x - |d_z|`` is concave over the detector, so that it is least at a corner, for either sign s; y too.
    """
    corners = np.stack([corner, corner + across, corner + down, corner + across + down])
    lateral, axial = kernels.STEEPEST * corners[..., :2], np.abs(corners[..., 2:])
    steeper = np.all(lateral >= axial, axis=0) | np.all(-lateral >= axial, axis=0)
    return np.asarray(~np.any(steeper, axis=1))
