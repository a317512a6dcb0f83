"""Another voxel size for a CT, without aliasing and a few slices at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Volume
from carm_env.patient.readers.limits import MAX_VOXELS, SPACING_RANGE_MM


def resample(volume: Volume, spacing_mm: float) -> Volume:
    """The CT on cubes of ``spacing_mm``, along the same axes, within the same ends.

    Along each axis a linear kernel, widened to the new spacing where that is coarser (a triangle, so that fine detail
    is averaged rather than aliased). The outer faces of the first voxels stay where they are.

    Raises:
        CarmError: spacing out of range, or more voxels than can be held.
    """
    low, high = SPACING_RANGE_MM
    if not low <= spacing_mm <= high:
        raise CarmError(f"spacing {spacing_mm:g} mm; want {low:g} to {high:g} mm")
    old, shape = volume.spacing_mm, np.array(volume.hu.shape)
    new_shape = np.maximum(1, np.round(shape * old / spacing_mm).astype(int))
    if int(np.prod(new_shape.astype(object))) > MAX_VOXELS:
        text = " x ".join(map(str, new_shape))
        raise CarmError(f"spacing {spacing_mm:g} mm makes {text} voxels; want at most {MAX_VOXELS}: a larger spacing")
    first = (spacing_mm / old - 1.0) / 2.0
    weights = [_weights(int(shape[a]), int(new_shape[a]), first[a], spacing_mm / old[a]) for a in range(3)]
    hu = np.empty(tuple(new_shape), np.int16)
    planes: dict[int, NDArray[np.float32]] = {}
    for i in range(len(hu)):
        row = weights[0][[i]]
        planes = {int(x): planes.get(int(x), np.empty(0, np.float32)) for x in row.indices}
        for x, plane in planes.items():
            if plane.size == 0:
                planes[x] = _in_plane(volume.hu[x], weights[1], weights[2])
        mixed = sum(w * planes[int(x)] for w, x in zip(row.data, row.indices, strict=True))
        hu[i] = np.rint(mixed)
    affine = volume.affine.copy()
    affine[:3, :3] *= spacing_mm / old
    affine[:3, 3] = volume.to_mm(first)
    return Volume(hu, affine)


def _in_plane(plane: NDArray[np.int16], along_y: Any, along_z: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray((along_z @ (along_y @ plane.astype(np.float32)).T).T)


def _weights(count: int, new_count: int, first: float, step: float) -> Any:
    """Sparse [new_count, count]: output i is centred on input index ``first + i * step``; rows sum to 1."""
    from scipy import sparse

    reach = max(1.0, step)
    centre = first + step * np.arange(new_count)
    offsets = np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 1)
    index = np.rint(centre).astype(int)[:, None] + offsets
    weight = np.maximum(0.0, 1.0 - np.abs(index - centre[:, None]) / reach)
    index = np.clip(index, 0, count - 1)
    rows = np.repeat(np.arange(new_count), len(offsets))
    matrix = sparse.csr_matrix((weight.ravel(), (rows, index.ravel())), shape=(new_count, count), dtype=np.float64)
    matrix.sum_duplicates()
    scale = sparse.diags(1.0 / np.asarray(matrix.sum(axis=1)).ravel())
    result = (scale @ matrix).tocsr().astype(np.float32)
    result.eliminate_zeros()
    return result
