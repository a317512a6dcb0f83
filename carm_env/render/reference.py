"""Float64 ray marching: slow, plain, and what the other renderers are measured against.

Hounsfield units are sampled trilinearly at the midpoints of equal steps and each sample is mapped to densities. It
shares no code with the fast kernels but the material model's constants.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from carm_env.geometry import Cameras
from carm_env.patient.model import Volume
from carm_env.xray.materials import HU_METAL, mixture

F64 = NDArray[np.float64]


def pixel_centres(cameras: Cameras, size: tuple[int, int]) -> F64:
    """Pixel centres in mm, [M, H, W, 3]."""
    rows = (np.arange(size[0]) - (size[0] - 1) / 2)[None, :, None, None] * cameras.pitch_mm[:, None, None, None]
    columns = (np.arange(size[1]) - (size[1] - 1) / 2)[None, None, :, None] * cameras.pitch_mm[:, None, None, None]
    return cameras.centre_mm[:, None, None] + columns * cameras.u[:, None, None] + rows * cameras.v[:, None, None]


def line_integrals(volume: Volume, source_mm: F64, target_mm: F64, step_mm: float = 0.1) -> F64:
    """(soft, bone) in g/cm2, [R, 2], along R rays from ``source_mm`` to ``target_mm``, both [R, 3]."""
    starts, ends = volume.to_index(source_mm), volume.to_index(target_mm)
    length_mm = np.linalg.norm(target_mm - source_mm, axis=1)
    mix = mixture()
    lines = np.array(
        [
            [mix.mix_slope, mix.hu_soft],
            [mix.bone_slope, -1000.0],
            [mix.metal_slope, HU_METAL - mix.bone_at_metal / mix.metal_slope],
        ]
    )
    total = np.array([mix.soft_slope, mix.soft_per_bone])
    return _march(np.ascontiguousarray(volume.hu), starts, ends, length_mm, step_mm, lines, total)


def render_reference(volume: Volume, cameras: Cameras, size: tuple[int, int], step_mm: float = 0.1) -> F64:
    """Line integrals (soft, bone) in g/cm2, float64 [M, 2, H, W]."""
    targets = pixel_centres(cameras, size).reshape(-1, 3)
    sources = np.repeat(cameras.source_mm, size[0] * size[1], axis=0)
    sums = line_integrals(volume, sources, targets, step_mm)
    return np.moveaxis(sums.reshape(len(cameras), *size, 2), -1, 1)


@njit(cache=True, nogil=True)
def _voxel(hu, x, y, z):
    if x < 0 or x >= hu.shape[0] or y < 0 or y >= hu.shape[1]:
        return -1024.0
    return float(hu[x, y, min(max(z, 0), hu.shape[2] - 1)])


@njit(cache=True, nogil=True)
def _sample(hu, point):
    """Trilinear Hounsfield unit: the end slices continue, beyond the sides lies air."""
    x, y, z = int(np.floor(point[0])), int(np.floor(point[1])), int(np.floor(point[2]))
    value = 0.0
    for i in range(2):
        for j in range(2):
            for k in range(2):
                weight = (1.0 - abs(point[0] - x - i)) * (1.0 - abs(point[1] - y - j)) * (1.0 - abs(point[2] - z - k))
                value += weight * _voxel(hu, x + i, y + j, z + k)
    return value


@njit(cache=True, nogil=True)
def _inside(start, end, sides):
    """The part (t0, t1) of [0, 1] in which a ray is less than one voxel outside in x and y."""
    t0, t1 = 0.0, 1.0
    for axis in range(2):
        direction = end[axis] - start[axis]
        if direction == 0.0:
            if start[axis] < -1.0 or start[axis] > sides[axis]:
                return 0.0, 0.0
            continue
        one, two = (-1.0 - start[axis]) / direction, (sides[axis] - start[axis]) / direction
        t0, t1 = max(t0, min(one, two)), min(t1, max(one, two))
    return t0, t1


@njit(parallel=True, cache=True, nogil=True)
def _march(hu, starts, ends, length_mm, step_mm, lines, total):
    sums = np.zeros((len(starts), 2))
    for r in prange(len(starts)):
        t0, t1 = _inside(starts[r], ends[r], hu.shape)
        if t1 <= t0:
            continue
        steps = int(np.ceil((t1 - t0) * length_mm[r] / step_mm))
        cm = 0.1 * (t1 - t0) * length_mm[r] / steps
        for s in range(steps):
            h = _sample(hu, starts[r] + (t0 + (t1 - t0) * (s + 0.5) / steps) * (ends[r] - starts[r]))
            mixed = min(lines[0, 0] * (h - lines[0, 1]), lines[1, 0] * (h - lines[1, 1]))
            bone = max(mixed, lines[2, 0] * (h - lines[2, 1]), 0.0)
            sums[r, 0] += cm * (total[0] * max(h + 1000.0, 0.0) - total[1] * bone)
            sums[r, 1] += cm * bone
    return sums
