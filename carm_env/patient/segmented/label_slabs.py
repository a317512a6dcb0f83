"""Slabs of masks and label maps: stored values as numbers that can be trusted, and the grid that they fill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.readers.nifti import Header, slabs
from carm_env.patient.segmented.mask import Grid

MAX_ID = 65535


def mask_slabs(stream: IO[bytes], header: Header, path: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yields (index of the first slice, 1 where values exceed 0.5 and 0 elsewhere [X, Y, k]) in stored order.

    Raises:
        CarmError: the file is cut short, or values are not finite.
    """
    for first, slab in slabs(stream, header, path):
        yield first, (_values(slab, header, path) > 0.5).view(np.uint8)


def id_slabs(stream: IO[bytes], header: Header, path: Path) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yields (index of the first slice, label ids up to ``MAX_ID`` [X, Y, k], integers) in stored order.

    Raises:
        CarmError: the file is cut short, or values are not whole numbers.
    """
    for first, slab in slabs(stream, header, path):
        yield first, _ids(_values(slab, header, path), path)


def grid_of(header: Header) -> Grid:
    """The file's grid with index axes along +x, +y, +z."""
    from nibabel.orientations import inv_ornt_aff

    turn = turn_of(header)
    axes = turn[:, 0].astype(int)
    shape = [header.shape[int(np.flatnonzero(axes == k)[0])] for k in range(3)]
    return Grid((shape[0], shape[1], shape[2]), header.affine @ inv_ornt_aff(turn, header.shape))


def turn_of(header: Header) -> NDArray[np.float64]:
    """For each stored axis the axis of the grid that it runs along, and 1 or -1 for its direction, [3, 2]."""
    from nibabel.orientations import io_orientation

    return np.asarray(io_orientation(header.affine), np.float64)


def _values(slab: NDArray[Any], header: Header, path: Path) -> NDArray[Any]:
    """The slab's values, scaled where the header says so, in native byte order."""
    plain = header.slope == 1.0 and header.intercept == 0.0
    if slab.dtype.kind in "iu" and plain:
        return slab.astype(slab.dtype.newbyteorder("="), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        values = slab.astype(np.float32) if plain else slab.astype(np.float32) * header.slope + header.intercept
    if bad := int(values.size - np.count_nonzero(np.isfinite(values))):
        raise CarmError(f"{path}: {bad} voxels are NaN or infinite; want a mask of 0 and 1 or a map of label ids")
    return values


def _ids(values: NDArray[Any], path: Path) -> NDArray[Any]:
    if values.dtype.kind == "f":
        whole = np.rint(values)
        if np.abs(values - whole).max(initial=0.0) > 1e-3:
            raise CarmError(f"{path}: values between whole numbers; want a map of label ids (not interpolated)")
        values = whole
    if values.dtype.itemsize > 2 or values.dtype.kind == "f":
        values = values.clip(0, MAX_ID).astype(np.int32)
    return values
