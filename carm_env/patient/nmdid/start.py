"""Where registration begins: the spine of the upper scan, and the shifts that bring the torso scan near it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.body import TISSUE_HU
from carm_env.patient.nmdid.image import Image, moved, resampled, windowed

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
STEP_MM = 10.0
WINDOW_HU = (-200.0, 500.0)
_STARTS = 6
_ASIDE_MM = 80.0
_LONG_MM = 300.0


def spine_of(image: Image) -> F64:
    """A point [K, 3] of the spine for each slice, LPS mm: the path through all slices that meets most bone.

    It moves by one voxel a slice at most, so that forearms across the belly cannot lead it away, and bone counts less
    the further it lies to the side of the body's middle, so that upper arms cannot.
    """
    from scipy import ndimage

    bone = ndimage.gaussian_filter(np.clip(image.data - 100.0, 0.0, 400.0), 14.0 / image.spacing_mm)
    count = bone.shape[2]
    total = bone.astype(float) * _near_middle(image)[:, None, None]
    for k in range(1, count):
        total[:, :, k] += ndimage.maximum_filter(total[:, :, k - 1], size=3, mode="nearest")
    path = np.empty((count, 3))
    low, near = (0, 0), total[:, :, -1]
    for k in range(count - 1, -1, -1):
        i, j = (a + int(b) for a, b in zip(low, np.unravel_index(near.argmax(), near.shape), strict=True))
        path[k] = i, j, k
        low = max(0, i - 1), max(0, j - 1)
        near = total[low[0] : i + 2, low[1] : j + 2, max(0, k - 1)]
    path[:, :2] = ndimage.gaussian_filter1d(path[:, :2], 20.0 / image.spacing_mm[2], axis=0, mode="nearest")
    return moved(image.affine, path)


def shifts(upper: Image, torso: Image, least_mm: float) -> list[F64]:
    """Pulls [4, 4], LPS mm of the upper scan to those of the torso scan, to begin with: likely ones first.

    The shifts at which the scans correlate best, by how far they overlap along z (at least ``least_mm``); last, the
    headers' own.
    """
    (a, in_a, low_a), (b, in_b, low_b) = (_on_grid(image) for image in (upper, torso))
    match = masked_correlation(a, in_a, b, in_b)
    lift = np.arange(match.shape[2]) - (b.shape[2] - 1)
    overlap = (np.minimum(a.shape[2], lift + b.shape[2]) - np.maximum(0, lift)) * STEP_MM
    match[:, :, (overlap < least_mm) | (lift > 0)] = -1.0
    best = match.max(axis=(0, 1))
    peaks = [k for k in range(len(best)) if best[k] > 0.0 and best[k] == best[max(0, k - 2) : k + 3].max()]
    peaks.sort(key=lambda k: -best[k] * np.sqrt(min(overlap[k], _LONG_MM)))
    starts = []
    for k in peaks[:_STARTS]:
        i, j = np.unravel_index(match[:, :, k].argmax(), match.shape[:2])
        pull = np.eye(4)
        pull[:3, 3] = low_b - low_a - STEP_MM * (np.array([i, j, k]) - (np.array(b.shape) - 1))
        starts.append(pull)
    return [*starts, np.eye(4)]


def masked_correlation(a: F32, in_a: F32, b: F32, in_b: F32) -> F64:
    """Normalised correlation of ``a`` with ``b`` shifted by [i, j, k] - (shape of b - 1), over what both hold.

    By Fourier transform (Padfield, IEEE Transactions on Image Processing 21(5), 2012).

    Args:
        in_a, in_b: 1 where the image is known, 0 elsewhere, where the image must be 0 as well.

    Returns:
        -1 to 1, [shape of a + shape of b - 1]; -1 where the two share little or one of them is flat.
    """
    from scipy import fft

    full = [p + q - 1 for p, q in zip(a.shape, b.shape, strict=True)]
    fast = [fft.next_fast_len(n, real=True) for n in full]

    def spectrum(field: F32) -> NDArray[Any]:
        return np.asarray(fft.rfftn(field.astype(float), fast))

    def product(p: NDArray[Any], q: NDArray[Any]) -> F64:
        return np.asarray(fft.irfftn(p * q, fast))[: full[0], : full[1], : full[2]]

    back = (slice(None, None, -1),) * 3
    f, ff, m = (spectrum(x) for x in (a, a * a, in_a))
    g, gg, n = (spectrum(x[back]) for x in (b, b * b, in_b))
    count = np.maximum(product(m, n), 0.5)
    sum_a, sum_b = product(f, n), product(m, g)
    shared = product(f, g) - sum_a * sum_b / count
    spread = np.maximum(product(ff, n) - sum_a**2 / count, 0.0) * np.maximum(product(m, gg) - sum_b**2 / count, 0.0)
    root = np.sqrt(spread)
    good = (count > 0.03 * count.max()) & (root > 1e-3 * root.max())
    return np.where(good, shared / np.maximum(root, 1e-9), -1.0)


def _near_middle(image: Image) -> F64:
    """Weights along x [X], 1 at the middle of the body's tissue."""
    tissue = np.count_nonzero(image.data > TISSUE_HU, axis=1).astype(float)
    filled = tissue[:, tissue.any(axis=0)]
    across = np.arange(len(tissue), dtype=float)
    middle = np.median(across @ filled / filled.sum(axis=0)) if filled.size else across.mean()
    return np.asarray(np.exp(-0.5 * ((across - middle) * image.spacing_mm[0] / _ASIDE_MM) ** 2))


def _on_grid(image: Image) -> tuple[F32, F32, F64]:
    """The scan on an upright grid of 10 mm: clipped HU above the clip, 1 inside the scan, LPS mm of the first voxel."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.data.shape])).reshape(3, -1).T
    ends = moved(image.affine, corners.astype(float))
    low = ends.min(axis=0)
    shape = tuple(int(n) for n in np.floor((ends.max(axis=0) - low) / STEP_MM) + 1)
    grid = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    grid[:3, 3] = low
    blurred = windowed(image, WINDOW_HU, 0.45 * STEP_MM)
    data = resampled(blurred.data, image.inverse_affine @ grid, shape, np.float32, np.nan)
    inside = np.isfinite(data)
    return np.where(inside, data - WINDOW_HU[0], 0.0).astype(np.float32), inside.astype(np.float32), low
