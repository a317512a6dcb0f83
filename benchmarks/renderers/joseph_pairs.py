"""The yardstick "prototype": Joseph's method for one material, as one writes it in numba at first.

The volume is stored z-fastest as uint16 with two z-neighbours packed in one uint32, so that a bilinear sample takes two
loads; a ray steps along the axis on which it runs most steeply; rays of one detector column run one after the other;
each ray is cut off at the volume's box. This is what shared notes of the project call the 17 ms prototype, written anew
to be timed in the same run as everything else. Rays along z are not served.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from carm_env.geometry import Cameras
from carm_env.patient.model import Volume

OFFSET = 1024
_OPTIONS: Any = {"cache": True, "fastmath": True, "error_model": "numpy", "nogil": True}


def pack_pairs(volume: Volume) -> np.ndarray:
    """Stored value of a voxel and of the next one along z in one uint32, [X, Y, Z]."""
    stored = np.maximum(volume.hu.astype(np.int32) + OFFSET, 0).astype(np.uint32)
    above = np.concatenate([stored[:, :, 1:], stored[:, :, -1:]], axis=2)
    return stored | above << 16


def project_pairs(packed: np.ndarray, volume: Volume, cameras: Cameras, size: tuple[int, int]) -> np.ndarray:
    """Line integrals of HU + 1000 (0 at -1000) in cm, float32 [M, H, W]."""
    linear, offset = volume.inverse_affine[:3, :3], volume.inverse_affine[:3, 3]
    column, row = cameras.u * cameras.pitch_mm[:, None], cameras.v * cameras.pitch_mm[:, None]
    corner = cameras.centre_mm - (size[1] - 1) / 2 * column - (size[0] - 1) / 2 * row
    images = np.zeros((len(cameras), *size), np.float32)
    _project(
        packed, cameras.source_mm @ linear.T + offset, corner @ linear.T + offset, column @ linear.T, row @ linear.T,
        volume.spacing_mm, images,
    )  # fmt: skip
    return images


@njit(parallel=True, **_OPTIONS)
def _project(packed, sources, corners, columns, rows, spacing, images):
    cameras, height, width = images.shape
    for task in prange(cameras * width):
        m, j = task % cameras, task // cameras
        for i in range(height):
            target = corners[m] + j * columns[m] + i * rows[m]
            images[m, i, j] = _ray(packed, sources[m], target - sources[m], spacing)


@njit(**_OPTIONS)
def _ray(packed, source, d, spacing):
    a = 0 if abs(d[0]) >= abs(d[1]) else 1
    p = 1 - a
    last_p, last_z = packed.shape[p] - 2, packed.shape[2] - 1
    slope_p, slope_z = d[p] / d[a], d[2] / d[a]
    p0, z0 = source[p] - source[a] * slope_p, source[2] - source[a] * slope_z
    low, high = 0.0, packed.shape[a] - 1.0
    one, two = -p0 / slope_p, (last_p - p0) / slope_p
    low, high = max(low, min(one, two)), min(high, max(one, two))
    stride_a, stride_p = (packed.shape[1], 1) if a == 0 else (1, packed.shape[1])
    flat = packed.reshape(-1, packed.shape[2])
    total = np.float32(0)
    for plane in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        x, z = np.float32(p0 + plane * slope_p), np.float32(min(max(z0 + plane * slope_z, 0.0), last_z))
        ip, iz = int(x), int(z)
        fp, fz = x - np.float32(ip), z - np.float32(iz)
        line = plane * stride_a + ip * stride_p
        near, far = flat[line, iz], flat[line + stride_p, iz]
        b, c = np.float32(near & 0xFFFF), np.float32(far & 0xFFFF)
        b += fz * (np.float32(near >> 16) - b)
        c += fz * (np.float32(far >> 16) - c)
        total += max(b + fp * (c - b) - np.float32(OFFSET - 1000), np.float32(0))
    mm = np.sqrt((d[0] * spacing[0]) ** 2 + (d[1] * spacing[1]) ** 2 + (d[2] * spacing[2]) ** 2) / abs(d[a])
    return np.float32(0.1 * mm) * total
