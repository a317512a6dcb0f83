"""Float images in space, as registration needs them: reduced, resampled, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from carm_env.patient.blocks import block_means
from carm_env.patient.model import Placed

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Image(Placed):
    """HU [X, Y, Z] of any type and the affine [4, 4] from indices to LPS mm."""

    data: NDArray[Any]
    affine: F64

    def at(self, points_mm: F64) -> F64:
        """Linear look-up at LPS points [N, 3]; NaN outside."""
        from scipy import ndimage

        out = np.empty(len(points_mm))
        index = moved(self.inverse_affine, points_mm).T
        ndimage.map_coordinates(self.data, index, out, 1, mode="constant", cval=np.nan)
        return out

    def holds(self, points_mm: F64, margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Which of the LPS points [N, 3] lie within the voxel centres, or at most a margin outside."""
        index, margin = moved(self.inverse_affine, points_mm), margin_mm / self.spacing_mm
        return np.asarray(((index >= -margin) & (index <= np.array(self.data.shape) - 1 + margin)).all(axis=1))


def moved(matrix: F64, points_mm: F64) -> F64:
    """Points [N, 3] under a 4 x 4 matrix, in one thread: matrices this small are not worth more."""
    return np.asarray(np.einsum("ni,ji->nj", points_mm, matrix[:3, :3]) + matrix[:3, 3])


def resampled(
    data: NDArray[Any], to_index: F64, shape: tuple[int, ...], dtype: DTypeLike, outside: float
) -> NDArray[Any]:  # fmt: skip
    """Linear look-up of ``data`` for every voxel of a new grid, whose indices ``to_index`` [4, 4] takes to those of
    ``data``."""
    from scipy import ndimage

    out: NDArray[Any] = np.empty(shape, dtype)
    ndimage.affine_transform(
        data, to_index[:3, :3], to_index[:3, 3], shape, output=out, order=1, mode="constant", cval=outside
    )
    return out


def reduced(image: Image, step_mm: float) -> Image:
    """Means over blocks of voxels, about ``step_mm`` wide, as float32; finer than that it stays as it is."""
    whole = np.array(image.data.shape)
    factor = np.clip(np.rint(step_mm / image.spacing_mm), 1, whole).astype(int)
    return Image(*block_means(image.data, image.affine, factor))


def windowed(image: Image, window_hu: tuple[float, float], blur_mm: float) -> Image:
    """HU clipped to a window, then blurred."""
    from scipy import ndimage

    data = ndimage.gaussian_filter(np.clip(image.data, *window_hu), blur_mm / image.spacing_mm, mode="nearest")
    return Image(np.asarray(data, np.float32), image.affine)
