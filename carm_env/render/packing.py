"""A CT as the kernels want it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.model import Volume
from carm_env.patient.store import shared_array
from carm_env.render import packing_kernels as kernels
from carm_env.render.kernels import BRICK
from carm_env.render.model import HU_OFFSET

F64 = NDArray[np.float64]
U16 = NDArray[np.uint16]

@dataclass(frozen=True)
class PackedVolume:
    """A volume cropped to the body in x and y and stored for the kernels.

    Attributes:
        voxels: HU + 1024, uint16, flat with z fastest and one element more than ``shape`` tells.
        bricks: uint8, whether ``march.BRICK`` voxels a side hold anything denser than air.
        shape: padded (X, Y, Z).
        to_index: LPS mm to padded voxel indices, [4, 4].
        to_mm: steps in voxel indices to mm, [3, 3].
        key: names the content where it is shared with other processes.
    """

    voxels: U16
    bricks: NDArray[np.uint8]
    shape: tuple[int, int, int]
    to_index: F64
    to_mm: F64
    key: str | None

    @cached_property
    def turned(self) -> U16:
        """The voxels once more with y fastest, [Z, X, Y] and one element: for rays along z, made when first needed."""

        def turn() -> U16:
            x, y, z = self.shape
            turned = np.empty(x * y * z + 1, np.uint16)
            kernels.turn(self.voxels[:-1].reshape(self.shape), turned[:-1].reshape(z, x, y))
            return turned

        return _shared("turned", self.key, turn)

    @property
    def nbytes(self) -> int:
        """What it occupies now."""
        return self.voxels.nbytes + self.bricks.nbytes + (self.turned.nbytes if "turned" in self.__dict__ else 0)


def body_box(hu: NDArray[np.int16]) -> tuple[int, int, int, int]:
    """(x0, x1, y0, y1): the columns of voxels that hold anything denser than air, and one voxel around them."""
    columns = hu.max(axis=2) > -1000
    if not columns.any():
        return 0, 1, 0, 1
    x, y = np.flatnonzero(columns.any(axis=1)), np.flatnonzero(columns.any(axis=0))
    low = np.maximum([x[0] - 1, y[0] - 1], 0)
    high = np.minimum([x[-1] + 2, y[-1] + 2], columns.shape)
    return int(low[0]), int(high[0]), int(low[1]), int(high[1])


def crop_to_body(volume: Volume) -> Volume:
    """The part of a CT within ``body_box``."""
    x0, x1, y0, y1 = body_box(volume.hu)
    affine = np.array(volume.affine, float)
    affine[:3, 3] = volume.to_mm([x0, y0, 0])
    return Volume(volume.hu[x0:x1, y0:y1], affine)


def pack_volume(volume: Volume, key: str | None = None) -> PackedVolume:
    """Packs a CT that ``check_request`` passes.

    Args:
        key: names the content of a CT whose packed voxels are to be shared with other processes, on disk.
    """
    hu, affine = np.asarray(volume.hu), np.asarray(volume.affine, float)
    x0, x1, y0, y1 = body_box(hu)
    shift = np.eye(4)
    shift[:2, 3] = x0 - kernels.LOW_PAD, y0 - kernels.LOW_PAD
    padded = affine @ shift
    frame = kernels.LOW_PAD + kernels.HIGH_PAD
    shape = x1 - x0 + frame, y1 - y0 + frame, hu.shape[2]

    def pack() -> U16:
        voxels = np.empty(math.prod(shape) + 1, np.uint16)
        kernels.pack(hu, x0, y0, voxels[:-1].reshape(shape))
        return voxels

    layout = f"{key} {HU_OFFSET} {kernels.LOW_PAD} {kernels.HIGH_PAD} {shape} {x0} {y0}" if key else None
    voxels = _shared("packed", layout, pack)
    bricks = np.empty([-(-n // BRICK) for n in shape], np.uint8)
    kernels.find_bricks(voxels[:-1].reshape(shape), bricks)
    to_index = np.asarray(np.linalg.inv(padded), np.float64)
    return PackedVolume(voxels, bricks, shape, to_index, np.ascontiguousarray(padded[:3, :3]), layout)


def _shared(what: str, key: str | None, make: Callable[[], U16]) -> U16:
    return make() if key is None else shared_array(f"{what} {key}", make)
