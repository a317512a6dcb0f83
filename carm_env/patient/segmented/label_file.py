"""Masks from NIfTI files: read in slabs, each structure cropped at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.readers.nifti import Header, opened
from carm_env.patient.segmented import label_table
from carm_env.patient.segmented.label_slabs import grid_of, id_slabs, mask_slabs, turn_of
from carm_env.patient.segmented.mask import Bools, Grid, Mask, coarser, cropped, tidied

MAX_HELD_VOXELS = 2**31
"""Voxels that the cropped structures of one file may take together."""
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

    Grid and voxels are the file's own.

    Raises:
        CarmError: as for ``read_nifti``, or values that are not finite.
    """
    with opened(path) as (stream, header):
        pieces, _ = _pieces(mask_slabs(stream, header, path), {1}, path)
    grid = grid_of(header)
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
        pieces, others = _pieces(id_slabs(stream, header, path), set(wanted), path)
    grid = grid_of(header)
    masks: dict[str, Mask] = {}
    for number in list(pieces):
        masks[wanted[number]] = coarser(_whole(pieces.pop(number), header, grid))
    return Labels(grid, masks, others)


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


def _whole(pieces: list[Piece], header: Header, grid: Grid) -> Mask:
    """The structure of its parts, turned to the grid's axes, without stray voxels."""
    from nibabel.orientations import apply_orientation

    low = np.min([start for start, _ in pieces], axis=0)
    high = np.max([np.add(start, part.shape) for start, part in pieces], axis=0)
    voxels = np.zeros(high - low, bool)
    for start, part in pieces:
        at = np.subtract(start, low)
        voxels[tuple(slice(int(a), int(a) + n) for a, n in zip(at, part.shape, strict=True))] |= part
    turn = turn_of(header)
    first = np.zeros(3, int)
    for axis, (to, flip) in enumerate(turn):
        first[int(to)] = low[axis] if flip > 0 else header.shape[axis] - high[axis]
    whole = cropped(np.asarray(apply_orientation(voxels, turn)), first, grid)
    assert whole is not None
    return tidied(whole)
