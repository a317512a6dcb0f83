"""The default renderer: two-material line integrals on the CPU."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.model import Patient, Volume
from carm_env.patient.store import shared_array
from carm_env.render import kernels
from carm_env.xray.materials import CT_ENERGY_KEV, mixture

F64 = NDArray[np.float64]

MAX_PIXELS_SIDE = 8192
MAX_DISTANCE_MM = 1e5
MAX_VOXELS = 2**31 - 1
"""Kernels index with 32 bits."""


@dataclass(frozen=True)
class PackedVolume:
    """A volume cropped to the body in x and y and stored for the kernels.

    Attributes:
        voxels: HU + 1024, uint16, flat with z fastest and one element more than ``shape`` tells.
        shape: padded (X, Y, Z).
        to_index: LPS mm to padded voxel indices, [4, 4].
        to_mm: steps in voxel indices to mm, [3, 3].
    """

    voxels: NDArray[np.uint16]
    shape: tuple[int, int, int]
    to_index: F64
    to_mm: F64


def body_box(hu: NDArray[np.int16]) -> tuple[int, int, int, int]:
    """(x0, x1, y0, y1): the columns of voxels that hold anything denser than air, and one voxel around them."""
    columns = hu.max(axis=2) > -1000
    if not columns.any():
        return 0, 1, 0, 1
    x, y = np.flatnonzero(columns.any(axis=1)), np.flatnonzero(columns.any(axis=0))
    low = np.maximum([x[0] - 1, y[0] - 1], 0)
    high = np.minimum([x[-1] + 2, y[-1] + 2], columns.shape)
    return int(low[0]), int(high[0]), int(low[1]), int(high[1])


def pack_volume(volume: Volume, name: str = "volume", key: str | None = None) -> PackedVolume:
    """Packs a CT.

    Args:
        key: names the content of a CT whose packed voxels are to be shared with other processes, on disk.

    Raises:
        CarmError: ``hu`` is not a filled 3-D array, too large, or the affine cannot be inverted.
    """
    hu, affine = np.asarray(volume.hu), np.asarray(volume.affine, float)
    if hu.ndim != 3 or 0 in hu.shape or hu.dtype != np.int16:
        raise CarmError(f"{name}: the CT is {hu.dtype} {list(hu.shape)}; a non-empty int16 [X, Y, Z] is needed")
    if hu.size > MAX_VOXELS // 2:
        raise CarmError(f"{name}: the CT has {hu.size} voxels; at most {MAX_VOXELS // 2} can be rendered, resample it")
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or np.linalg.cond(affine[:3, :3]) > 1e8:
        raise CarmError(f"{name}: the CT's affine {affine.tolist()} cannot be inverted; a regular [4, 4] is needed")
    x0, x1, y0, y1 = body_box(hu)
    shift = np.eye(4)
    shift[:2, 3] = x0 - kernels.LOW_PAD, y0 - kernels.LOW_PAD
    padded = affine @ shift
    frame = kernels.LOW_PAD + kernels.HIGH_PAD
    shape = x1 - x0 + frame, y1 - y0 + frame, hu.shape[2]

    def pack() -> NDArray[np.uint16]:
        voxels = np.empty(math.prod(shape) + 1, np.uint16)
        kernels.pack(hu, x0, y0, voxels[:-1].reshape(shape))
        return voxels

    layout = f"{kernels.HU_OFFSET} {kernels.LOW_PAD} {kernels.HIGH_PAD} {shape} {x0} {y0}"
    voxels = pack() if key is None else shared_array(f"packed {key} {layout}", pack)
    return PackedVolume(
        voxels, shape, np.asarray(np.linalg.inv(padded), np.float64), np.ascontiguousarray(padded[:3, :3])
    )


class NumbaRenderer:
    """Joseph's method on packed volumes (see ``kernels``), the ``Renderer`` named ``numba``.

    Packed volumes are kept by ``patient.id``, the least recently used ones dropped beyond ``cache_bytes`` (2 bytes a
    voxel of the body's box; the newest is always kept). Those of scans are memory-mapped: one copy for all processes.
    """

    name = "numba"

    def __init__(self, cache_bytes: int = 2**30, ct_energy_kev: float = CT_ENERGY_KEV) -> None:
        self.cache_bytes = cache_bytes
        self._model = kernels.model_of(mixture(ct_energy_kev))
        self._cache: OrderedDict[str, PackedVolume] = OrderedDict()
        self._lock = threading.Lock()

    def render(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> NDArray[np.float32]:
        """Line integrals (soft, bone) in g/cm2, float32 [M, 2, H, W]; see ``protocol.Renderer``.

        Raises:
            CarmError: numbers of patients and cameras differ, a camera is not finite or out of range, or the size or
                a CT cannot be rendered.
        """
        check_request(patients, cameras, size)
        images = np.zeros((len(patients), 2, *size), np.float32)
        groups: dict[str, list[int]] = {}
        for row, patient in enumerate(patients):
            groups.setdefault(patient.id, []).append(row)
        for rows in groups.values():
            images[rows] = _project(self._packed(patients[rows[0]]), cameras[rows], size, self._model)
        return images

    def _packed(self, patient: Patient) -> PackedVolume:
        with self._lock:
            packed = self._cache.pop(patient.id, None)
            if packed is None:
                key = patient.id if patient.is_scan else None
                packed = pack_volume(patient.volume, f"patient {patient.id}", key)
            self._cache[patient.id] = packed
            while len(self._cache) > 1 and sum(p.voxels.nbytes for p in self._cache.values()) > self.cache_bytes:
                self._cache.popitem(last=False)
            return packed


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


def _project(
    packed: PackedVolume, cameras: Cameras, size: tuple[int, int], model: kernels.Model
) -> NDArray[np.float32]:
    linear, offset = packed.to_index[:3, :3], packed.to_index[:3, 3]
    column, row = cameras.u * cameras.pitch_mm[:, None], cameras.v * cameras.pitch_mm[:, None]
    corner = cameras.centre_mm - (size[1] - 1) / 2 * column - (size[0] - 1) / 2 * row
    images = np.empty((len(cameras), 2, *size), np.float32)
    kernels.project(
        packed.voxels,
        packed.shape,
        cameras.source_mm @ linear.T + offset,
        corner @ linear.T + offset,
        column @ linear.T,
        row @ linear.T,
        packed.to_mm,
        model,
        images,
    )
    return images
