"""Masks and label maps from NIfTI files: read in slabs, each structure cropped at once and thinned when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.readers.nifti import Header, opened, slabs
from carm_env.patient.segmented import label_table
from carm_env.patient.segmented.mask import Bools, Grid, Mask, coarser, cropped, tidied

MAX_HELD_VOXELS = 2**31
"""Voxels that the cropped structures of one file may take together."""
MAX_ID = 65535
Piece = tuple[tuple[int, int, int], Bools]
"""A part of a structure: stored index of its first voxel, voxels in stored order."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What a label map holds: its grid, masks by name (empty ones left out), and ids that nobody asked for."""

    grid: Grid
    masks: dict[str, Mask]
    others: tuple[int, ...] = ()


def read_mask(path: Path) -> tuple[Grid, Mask | None]:
    """One structure: voxels above 0.5 of a file of any number type and orientation; None where there are none.

    The grid is the file's; the mask is thinned (see ``coarser``).

    Raises:
        CarmError: as for ``read_nifti``, or values that are not finite.
    """
    with opened(path) as (stream, header):
        read = slabs(stream, header, path)
        pieces, _ = _pieces(((first, _inside(_values(slab, header, path))) for first, slab in read), {1}, path)
    grid = _grid(header)
    return grid, _whole(pieces[1], header, grid) if pieces else None


def read_labels(path: Path, choose: Callable[[Mapping[int, str]], Mapping[int, str]]) -> Labels:
    """Structures of a label map, of any number type and orientation, thinned (see ``coarser``).

    Args:
        choose: from the table of names in the file (id to name, empty where there is none) to the ids that are wanted
            and the names that their masks get.

    Raises:
        CarmError: as for ``read_nifti``, values that are not whole numbers, or a table that cannot be trusted.
    """
    with opened(path) as (stream, header):
        extension = stream.read(min(max(header.offset - stream.tell(), 0), label_table.MAX_BYTES))
        wanted = choose(label_table.label_names(extension, path))
        read = slabs(stream, header, path)
        pieces, others = _pieces(
            ((first, _ids(_values(slab, header, path), path)) for first, slab in read), set(wanted), path
        )
    grid = _grid(header)
    masks: dict[str, Mask] = {}
    for number in list(pieces):
        masks[wanted[number]] = _whole(pieces.pop(number), header, grid)
    return Labels(grid, masks, others)


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


def _inside(values: NDArray[Any]) -> NDArray[np.uint8]:
    return (values > 0.5).view(np.uint8)


def _ids(values: NDArray[Any], path: Path) -> NDArray[Any]:
    if values.dtype.kind == "f":
        whole = np.rint(values)
        if np.abs(values - whole).max(initial=0.0) > 1e-3:
            raise CarmError(f"{path}: values between whole numbers; want a map of label ids (not interpolated)")
        values = whole
    if values.dtype.itemsize > 2 or values.dtype.kind == "f":
        values = values.clip(0, MAX_ID).astype(np.int32)
    return values


def _pieces(
    ids: Iterable[tuple[int, NDArray[Any]]], wanted: set[int], path: Path
) -> tuple[dict[int, list[Piece]], tuple[int, ...]]:
    """Cropped parts of the wanted ids, slab by slab, and what other ids there are."""
    from scipy import ndimage

    found: dict[int, list[Piece]] = {}
    others: set[int] = set()
    held = 0
    for first, slab in ids:
        for number, box in enumerate(ndimage.find_objects(slab), start=1):
            if box is None:
                continue
            if number not in wanted:
                others.add(number)
                continue
            part = slab[box] == number
            held += part.size
            if held > MAX_HELD_VOXELS:
                raise CarmError(f"{path}: its structures' boxes hold over {MAX_HELD_VOXELS} voxels; want compact ones")
            found.setdefault(number, []).append(((box[0].start, box[1].start, box[2].start + first), part))
    return found, tuple(sorted(others))


def _grid(header: Header) -> Grid:
    """The file's grid with index axes along +x, +y, +z."""
    from nibabel.orientations import inv_ornt_aff

    turn = _turn(header)
    axes = turn[:, 0].astype(int)
    shape = [header.shape[int(np.flatnonzero(axes == k)[0])] for k in range(3)]
    return Grid((shape[0], shape[1], shape[2]), header.affine @ inv_ornt_aff(turn, header.shape))


def _turn(header: Header) -> NDArray[np.float64]:
    from nibabel.orientations import io_orientation

    return np.asarray(io_orientation(header.affine), np.float64)


def _whole(pieces: list[Piece], header: Header, grid: Grid) -> Mask:
    """The structure of its parts, turned to the grid's axes, without stray voxels, thinned."""
    from nibabel.orientations import apply_orientation

    low = np.min([start for start, _ in pieces], axis=0)
    high = np.max([np.add(start, part.shape) for start, part in pieces], axis=0)
    voxels = np.zeros(high - low, bool)
    for start, part in pieces:
        at = np.subtract(start, low)
        voxels[tuple(slice(int(a), int(a) + n) for a, n in zip(at, part.shape, strict=True))] |= part
    turn = _turn(header)
    first = np.zeros(3, int)
    for axis, (to, flip) in enumerate(turn):
        first[int(to)] = low[axis] if flip > 0 else header.shape[axis] - high[axis]
    whole = cropped(np.asarray(apply_orientation(voxels, turn)), first, grid)
    assert whole is not None
    return coarser(tidied(whole))
