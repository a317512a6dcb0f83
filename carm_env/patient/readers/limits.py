"""What every reader demands of a CT before and after its voxels are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from carm_env.errors import CarmError

F64 = NDArray[np.float64]
HU_MIN, HU_MAX = -1024, 32767
MAX_VOXELS = 2**30
SPACING_RANGE_MM = (0.1, 20.0)
MIN_VOXELS_PER_AXIS = 4
MAX_EXTENT_MM = 4000.0
MAX_SHEAR_DEG = 0.5
"""Off the right angle between two axes; rounding in headers stays below 0.1 degrees."""
_LEAST_SHARE = 0.001
"""Share of the voxels that must be air, and that must be tissue."""


def check_shape(stored: Sequence[int], where: object) -> tuple[int, int, int]:
    """The three sizes of a volume, trailing ones dropped.

    Raises:
        CarmError: it is not three-dimensional, too thin or too large.
    """
    shape = tuple(int(n) for n in stored)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    text = " x ".join(map(str, shape))
    if len(shape) > 3:
        raise CarmError(f"{where}: {len(shape)}-D data ({text}); want one 3-D CT")
    if len(shape) < 3 or sum(n > 1 for n in shape) < 3:
        raise CarmError(f"{where}: {text or 'no'} voxels are not a 3-D volume; want a 3-D CT")
    if min(shape) < MIN_VOXELS_PER_AXIS:
        raise CarmError(f"{where}: shape {text}; want at least {MIN_VOXELS_PER_AXIS} voxels along every axis")
    if shape[0] * shape[1] * shape[2] > MAX_VOXELS:
        raise CarmError(f"{where}: the header claims {text} voxels; want at most {MAX_VOXELS} in all")
    return shape[0], shape[1], shape[2]


def check_affine(affine: ArrayLike, shape: Sequence[int], where: object) -> F64:
    """The affine [4, 4] from voxel indices to millimetres, if it can be trusted.

    Raises:
        CarmError: not finite, singular, sheared, or absurd spacing or extent.
    """
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise CarmError(f"{where}: the affine holds numbers that are not finite; want a 4 x 4 matrix in millimetres")
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if (spacing == 0).any() or abs(np.linalg.det(matrix[:3, :3] / spacing)) < 0.01:
        raise CarmError(f"{where}: the affine is singular (its axes do not span space); want three independent axes")
    if spacing.min() < SPACING_RANGE_MM[0] or spacing.max() > SPACING_RANGE_MM[1]:
        text = " x ".join(f"{s:.4g}" for s in spacing)
        raise CarmError(f"{where}: voxel spacing {text} mm; want {SPACING_RANGE_MM[0]} to {SPACING_RANGE_MM[1]:g} mm")
    extent = spacing * np.asarray(shape)
    if extent.max() > MAX_EXTENT_MM:
        raise CarmError(f"{where}: spans {extent.max():.0f} mm along one axis; want at most {MAX_EXTENT_MM:.0f} mm")
    shear = shear_deg(matrix)
    if shear > MAX_SHEAR_DEG:
        raise CarmError(
            f"{where}: the affine is sheared by {shear:.1f} degrees; want perpendicular axes (from a tilted gantry: "
            "the DICOM folder itself, or resample first)"
        )
    return matrix


def shear_deg(affine: F64) -> float:
    """How far the axes of an affine are from right angles, in degrees."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(axes.T @ axes)[np.triu_indices(3, 1)]
    return float(np.degrees(np.arcsin(np.clip(cosines.max(), 0.0, 1.0))))


def canonical(
    shape: Sequence[int], affine: F64, dtype: DTypeLike = np.int16
) -> tuple[NDArray[Any], NDArray[Any], F64]:  # fmt: skip
    """An empty volume whose index axes point closest to +x, +y, +z, and where stored voxels go in it.

    Args:
        shape: stored sizes. affine: [4, 4], stored indices to LPS mm. dtype: of the volume.

    Returns:
        The volume [X, Y, Z]; a view of it in stored axis order; the volume's affine.
    """
    from nibabel.orientations import inv_ornt_aff, io_orientation

    orientation = io_orientation(affine)
    axes = orientation[:, 0].astype(int)
    hu = np.empty([shape[int(np.flatnonzero(axes == k)[0])] for k in range(3)], dtype)
    stored = hu.transpose(axes)[tuple(slice(None, None, int(f)) for f in orientation[:, 1])]
    return hu, stored, affine @ inv_ornt_aff(orientation, tuple(shape))


def to_hu(raw: NDArray[Any], out: NDArray[np.int16], slope: float = 1.0, intercept: float = 0.0) -> int:
    """Writes ``raw * slope + intercept``, rounded and clipped, to ``out``; returns how many are not finite."""
    if raw.dtype.kind in "iu" and slope == 1.0 and intercept == 0.0:
        low = 0 if raw.dtype.kind == "u" else HU_MIN
        info = np.iinfo(raw.dtype)
        np.copyto(out, raw.clip(max(low, info.min), min(HU_MAX, info.max)), casting="unsafe")
        return 0
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw.astype(np.float64) * slope + intercept
    finite = np.isfinite(values)
    np.copyto(out, np.rint(np.where(finite, values, 0.0).clip(HU_MIN, HU_MAX)), casting="unsafe")
    return int(values.size - np.count_nonzero(finite))


def check_finite(bad: int, count: int, where: object) -> None:
    """Raises ``CarmError`` where ``bad`` of ``count`` voxels are not finite."""
    if bad:
        raise CarmError(f"{where}: {bad} of {count} voxels are NaN or infinite; want finite HU everywhere")


def check_hu(hu: NDArray[np.int16], where: object) -> None:
    """Raises ``CarmError`` unless the values look like a CT's: some air, some tissue."""
    air = np.count_nonzero(hu < -200) / hu.size
    tissue = np.count_nonzero((hu >= -200) & (hu <= 200)) / hu.size
    if air >= _LEAST_SHARE and tissue >= _LEAST_SHARE:
        return
    low, high = int(hu.min()), int(hu.max())
    if low >= 0 and high <= 1:
        guess = " (normalised or a mask?)"
    elif low >= 0 and high <= 255:
        guess = " (an 8-bit image?)"
    elif low >= 0 and high > 500:
        guess = " (stored values without the intercept -1024, or MR?)"
    else:
        guess = ""
    missing = "no air below -200" if air < _LEAST_SHARE else "hardly any tissue in -200..200"
    raise CarmError(
        f"{where}: values {low}..{high} have {missing}{guess}; want a CT in Hounsfield units, air near -1000"
    )
