"""The label volume of a segmented CT: organ ids on the CT's voxels.

Where structures overlap, the greater id of ``LABELS`` stands, whatever the order in which they come: bones before
organs, organs before muscle, a part such as the lens before the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.readers.limits import canonical
from carm_env.patient.readers.nifti import opened
from carm_env.patient.segmented.frames import same_grid
from carm_env.patient.segmented.label_slabs import MAX_ID, id_slabs
from carm_env.patient.segmented.mask import Grid, Mask, nearest, resampled

LabelVolume = NDArray[np.uint8]


def paint(labels: LabelVolume, mask: Mask, label: int, ct: Grid) -> None:
    """Gives the voxels of a structure an organ's id.

    Args:
        labels: of the CT, [X, Y, Z]; changed in place. mask: on any grid of the CT's frame.
    """
    own = mask if same_grid(mask.grid, ct) else resampled(mask, ct)
    if own is not None:
        box = labels[tuple(slice(a, a + n) for a, n in zip(own.start, own.voxels.shape, strict=True))]
        np.maximum(box, np.uint8(label), out=box, where=own.voxels)


def map_labels(path: Path, organs: Mapping[int, int], ct: Grid) -> LabelVolume:
    """The labels that a label map of the CT's frame gives, [X, Y, Z].

    Args:
        organs: from ids in the map to organ ids; all others become 0.

    Raises:
        CarmError: as for ``label_file.read_labels``.
    """
    table = np.zeros(MAX_ID + 1, np.uint8)
    for number, label in organs.items():
        if 0 < number <= MAX_ID:
            table[number] = label
    with opened(path) as (stream, header):
        voxels, stored, affine = canonical(header.shape, header.affine, np.uint8)
        for first, ids in id_slabs(stream, header, path):
            stored[:, :, first : first + ids.shape[2]] = table.take(ids, mode="clip")
    if same_grid(Grid(voxels.shape, affine), ct):
        return voxels
    return nearest(voxels, affine, ct, (0, 0, 0), ct.shape)
