"""Coarser copies of a CT for pixels that are larger than its voxels.

A pixel that sees several voxels side by side needs their mean; a ray through its centre meets one. Means of whole
blocks of voxels give that, and are read several times as fast. What a mean cannot keep is how much of a block is bone:
the curve that takes Hounsfield units to bone bends, so that bone of a mean is less than the mean of bone. The zero of
that curve is shifted until a level holds as much bone as the CT.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from carm_env.geometry import Cameras
from carm_env.patient.blocks import block_means
from carm_env.patient.model import Volume
from carm_env.xray.materials import Mixture

F64 = NDArray[np.float64]
Factors = tuple[int, int, int]

FULL: Factors = (1, 1, 1)
LARGEST_PART = 0.9
"""Of a pixel's footprint that a voxel of a level may measure; at 1 its error passes 0.3 % on noisy CTs."""
_POINTS = 10**6
_SHIFTS_HU = (-150.0, 50.0)


def footprints_mm(volume: Volume, cameras: Cameras) -> F64:
    """Side of a pixel where the central ray passes the middle of the CT's slices, [M]."""
    beam = cameras.centre_mm - cameras.source_mm
    middle = volume.to_mm((np.array(volume.hu.shape) - 1) / 2)
    across = beam[:, :2]
    to_middle = np.einsum("mi,mi->m", middle[:2] - cameras.source_mm[:, :2], across)
    part = to_middle / np.maximum(np.einsum("mi,mi->m", across, across), 1e-9)
    return np.asarray(cameras.pitch_mm * np.clip(part, 0.25, 1.0))


def level_of(spacing_mm: F64, footprint_mm: float) -> Factors:
    """How many voxels along each axis a level may join for pixels of a footprint: powers of 2."""
    x, y, z = (2 ** max(int(np.floor(np.log2(LARGEST_PART * footprint_mm / side))), 0) for side in spacing_mm)
    return x, y, z


def coarser(volume: Volume, factors: Factors) -> Volume:
    """Means of blocks of voxels, in which everything lighter than air counts as air; beyond the sides lies air, beyond
    the ends the end slice."""
    x, y, z = (-n % f for n, f in zip(volume.hu.shape, factors, strict=True))
    hu = np.pad(np.maximum(volume.hu, -1000), ((0, 0), (0, 0), (0, z)), mode="edge")
    hu = np.pad(hu, ((0, x), (0, y), (0, 0)), constant_values=-1000)
    means, affine = block_means(hu, volume.affine, np.array(factors))
    return Volume(np.round(means).astype(np.int16), affine)


def bone_shift_hu(volume: Volume, level: Volume, mixture: Mixture) -> float:
    """Hounsfield units to add to a level before the lookup of bone, so that it has as much of it as the CT.

    Measured by trilinear samples at random points, by bisection.
    """
    rng = np.random.default_rng(0)
    points = rng.uniform(0, np.array(volume.hu.shape) - 1, (_POINTS, 3)).T
    there = level.to_index(volume.to_mm(points.T)).T
    fine = map_coordinates(volume.hu, points, np.float32, order=1, mode="nearest")
    coarse = map_coordinates(level.hu, there, np.float32, order=1, mode="nearest")
    wanted = mixture.densities(fine)[1].mean()
    coarse = coarse[coarse > -500]
    low, high = -_SHIFTS_HU[1], -_SHIFTS_HU[0]
    for _ in range(12):
        shift = (low + high) / 2
        bone = mixture.mix_slope * (coarse + shift - mixture.hu_soft)
        bone = np.maximum(np.minimum(bone, mixture.bone_slope * (coarse + 1000.0)), 0.0)
        low, high = (shift, high) if bone.sum() / _POINTS < wanted else (low, shift)
    return float(shift)
