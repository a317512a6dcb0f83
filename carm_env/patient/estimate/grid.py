"""A CT on a coarse grid along the patient's axes, the common ground of all detectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.blocks import block_means
from carm_env.patient.model import Volume

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

STEP_MM = 3.0
AIR_HU = -1000.0
_MAX_VOXELS = 60_000_000


@dataclass(frozen=True, eq=False)
class Grid:
    """HU float32 [X, Y, Z]; voxel (i, j, k) lies at ``origin + step_mm * (i, j, k)``, LPS mm.

    ``held`` says where the CT has data: an oblique CT fills its box only in part.
    """

    hu: F32
    origin: F64
    held: Mask
    step_mm: float = STEP_MM

    def to_mm(self, index: ArrayLike) -> F64:
        """LPS mm of voxel indices [..., 3]."""
        return self.origin + self.step_mm * np.asarray(index, float)

    def to_index(self, points_mm: ArrayLike) -> F64:
        """Continuous voxel indices of LPS points [..., 3]."""
        return (np.asarray(points_mm, float) - self.origin) / self.step_mm

    def voxels(self, length_mm: float) -> int:
        """A length in voxels, at least one."""
        return max(1, round(length_mm / self.step_mm))

    def z_mm(self, k: ArrayLike) -> F64:
        """LPS z of slice numbers."""
        return np.asarray(self.origin[2] + self.step_mm * np.asarray(k, float))

    def near(self, point_mm: ArrayLike, radius_mm: float) -> tuple[slice, slice, slice]:
        """The block of voxels within ``radius_mm`` of a point along each axis, clipped to the grid."""
        at, reach = self.to_index(point_mm), radius_mm / self.step_mm
        low = np.clip(np.floor(at - reach), 0, np.array(self.hu.shape)).astype(int)
        high = np.clip(np.ceil(at + reach) + 1, 0, np.array(self.hu.shape)).astype(int)
        return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])

    @cached_property
    def smooth(self) -> F32:
        """HU, smoothed by a Gaussian of one voxel: noise of low-dose CTs would break thresholds."""
        from scipy import ndimage

        return np.asarray(ndimage.gaussian_filter(self.hu, 0.8), np.float32)


def coarse_grid(volume: Volume, step_mm: float = STEP_MM) -> Grid:
    """The CT averaged and resampled linearly to cubes of ``step_mm`` along LPS; outside it is air.

    The step grows where the CT would need more than 60 million voxels (2 m of the widest scanner need 18 million).
    """
    from scipy import ndimage

    factor = np.maximum(1, np.floor(step_mm / volume.spacing_mm + 0.25)).astype(int)
    means, affine = block_means(volume.hu, volume.affine, np.minimum(factor, volume.hu.shape))
    corners = np.array(np.meshgrid(*[[0.0, n - 1.0] for n in means.shape], indexing="ij")).reshape(3, -1).T
    box = corners @ affine[:3, :3].T + affine[:3, 3]
    low, high = box.min(0), box.max(0)
    step = max(step_mm, float((np.prod(high - low + step_mm) / _MAX_VOXELS) ** (1.0 / 3.0)))
    shape = np.floor((high - low) / step + 1e-3).astype(int) + 1
    inverse = np.linalg.inv(affine[:3, :3])
    matrix, offset = inverse * step, inverse @ (low - affine[:3, 3])
    hu = ndimage.affine_transform(
        means, matrix, offset, output_shape=tuple(shape), order=1, mode="constant", cval=np.nan
    )
    held = np.isfinite(hu)
    return Grid(np.where(held, np.clip(hu, AIR_HU, 3071.0), AIR_HU).astype(np.float32), low, held, step)
