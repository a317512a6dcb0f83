"""Where the slices of a series lie: order, gaps, doubles and tilt, from their positions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError
from carm_env.patient.readers import limits
from carm_env.patient.readers.dicom_sampling import Sampling, sample_heights

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SAME_PLACE_MM = 0.01
SAME_PLANE_MM = 0.1
ORIENTATION_TOLERANCE = 2e-3
"""Largest difference of direction cosines within one stack."""
MAX_TILT_DEG = 45.0
DRIFT_PIXELS = 0.5
"""Slices that lie further off their line than this are shifted back in their plane."""
_MAX_POSITION_MM = 1e5


@dataclass(frozen=True, eq=False)
class StackPlan:
    """How the slices of a series become a volume.

    Attributes:
        doubles: groups of two or more slice indices at the same place; the first of each is used.
        size: columns, rows and slices of the volume (larger in the plane than a slice where slices are shifted).
        affine: [4, 4], (column, row, slice) to LPS mm.
        below, above, weight: [slices]; output slice k is ``(1 - weight) * below + weight * above``.
        shift: [n, 2], where an input slice's first pixel lies in the output plane, in pixels (column, row), >= 0.
        step_mm: distance of output slices. tilt_deg: gantry tilt that the shifts correct.
        filled_mm: LPS z ranges (low, high) that are interpolated for want of slices.
        notes: one line for each correction.
    """

    doubles: tuple[tuple[int, ...], ...]
    size: tuple[int, int, int]
    affine: F64
    below: I64
    above: I64
    weight: F64
    shift: F64
    step_mm: float
    tilt_deg: float
    filled_mm: tuple[tuple[float, float], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _InPlane:
    """Shifts [n, 2] in pixels, the drift [2] in mm for each mm of height that the affine keeps, and what was found."""

    shift: F64
    slope: F64
    tilt_deg: float
    notes: tuple[str, ...]


def plan_stack(
    positions_mm: ArrayLike, orientation: ArrayLike, pixel_mm: Sequence[float], size: Sequence[int]
) -> StackPlan:
    """Sorts slices along their normal and says how to make a volume of them.

    Args:
        positions_mm: [n, 3] LPS, centre of each slice's first pixel, in any order.
        orientation: [6] or [n, 6], the direction along which columns grow, then that of rows.
        pixel_mm: distance of columns and of rows. size: number of columns and of rows.

    Raises:
        CarmError: the slices are no stack; the message says why and where in the body, but names no file.
    """
    positions = np.asarray(positions_mm, np.float64).reshape(-1, 3)
    pixel = np.asarray(pixel_mm, np.float64)
    _check_numbers(positions, pixel)
    axes = _axes(orientation)
    local = positions @ axes.T
    groups = _places(local) if len(local) else []
    first = np.array([group[0] for group in groups])
    if len(first) < limits.MIN_VOXELS_PER_AXIS:
        doubled = f" (in {len(positions)} images)" if len(first) < len(positions) else ""
        least = limits.MIN_VOXELS_PER_AXIS
        raise CarmError(f"only {len(first)} different slice positions{doubled}; want at least {least} slices of a CT")
    sampling = sample_heights(local[first, 2], _spans(positions[first], axes, pixel, size))
    plane = _in_plane(local, first, pixel, size)
    return _plan(groups, local, axes, pixel, size, sampling, plane)


def _check_numbers(positions: F64, pixel: F64) -> None:
    if not np.isfinite(positions).all() or np.abs(positions).max(initial=0.0) > _MAX_POSITION_MM:
        raise CarmError("slice positions that are not finite or absurd; want ImagePositionPatient in millimetres")
    low, high = limits.SPACING_RANGE_MM
    if pixel.shape != (2,) or not ((pixel >= low) & (pixel <= high)).all():
        text = " x ".join(f"{p:.4g}" for p in pixel)
        raise CarmError(f"pixels of {text} mm; want PixelSpacing from {low} to {high:g} mm")


def _axes(orientation: ArrayLike) -> F64:
    """Rows: directions of growing columns, growing rows and the normal; [3, 3], orthonormal."""
    cosines = np.atleast_2d(np.asarray(orientation, np.float64))
    if not np.isfinite(cosines).all() or np.abs(cosines).max() > 2.0:
        raise CarmError("an orientation that is not finite; want ImageOrientationPatient of unit vectors")
    if np.ptp(cosines, axis=0).max() > ORIENTATION_TOLERANCE:
        raise CarmError("slices of mixed orientations; want parallel slices")
    mean = cosines.mean(0)
    row, column = mean[:3], mean[3:]
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(float(row @ column))) > 0.01:
        raise CarmError("ImageOrientationPatient is no pair of perpendicular unit vectors; want a valid orientation")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)])


def _places(local: F64) -> list[tuple[int, ...]]:
    """Indices of slices from the lowest place to the highest; those at one place together, in input order."""
    order = np.argsort(local[:, 2], kind="stable")
    starts = np.flatnonzero(np.diff(local[order, 2], prepend=-np.inf) > SAME_PLACE_MM)
    groups = [tuple(sorted(map(int, group))) for group in np.split(order, starts[1:])]
    for group in groups:
        apart = np.ptp(local[list(group), :2], axis=0).max()
        if apart > SAME_PLANE_MM:
            raise CarmError(f"images of one plane that lie {apart:.1f} mm apart in it; want one image a slice")
    return groups


def _spans(positions: F64, axes: F64, pixel: F64, size: Sequence[int]) -> F64:
    """For each slice: lowest z, highest z, and its centre along the body axis nearest to the normal; [n, 3] mm."""
    edges = axes[:2] * (pixel * (np.asarray(size) - 1))[:, None]
    z = positions[:, 2:3] + np.array([0.0, edges[0, 2], edges[1, 2], edges[0, 2] + edges[1, 2]])
    along = int(np.abs(axes[2]).argmax())
    centre = positions[:, along] + edges[:, along].sum() / 2
    return np.stack([z.min(1), z.max(1), centre], axis=1)


def _in_plane(local: F64, first: I64, pixel: F64, size: Sequence[int]) -> _InPlane:
    """How slices drift in their plane with height: little stays in the affine, more is resampled."""
    heights = local[first, 2]
    fit = np.polynomial.polynomial.polyfit(heights - heights[0], local[first, :2], 1)
    slope = np.where(np.abs(fit[1]) * (heights[-1] - heights[0]) < SAME_PLACE_MM, 0.0, fit[1])
    residual = local[:, :2] - (local[:, 2:] - heights[0]) * slope - fit[0]
    off_line = np.abs(residual / pixel).max() > DRIFT_PIXELS
    tilt = float(np.degrees(np.arctan(np.linalg.norm(slope))))
    if not off_line and tilt <= limits.MAX_SHEAR_DEG:
        return _InPlane(np.zeros_like(residual), slope, 0.0, ())
    if tilt > MAX_TILT_DEG:
        raise CarmError(f"slices drift in their plane like a gantry tilted by {tilt:.0f} degrees; want one stack")
    apart = float(np.abs(residual).max())
    if (np.abs(residual / pixel).max(0) > np.asarray(size) / 2).any():
        raise CarmError(f"slices jump by {apart:.0f} mm in their plane; want one stack of slices")
    shift = (local[:, :2] - local[first[0], :2]) / pixel
    if off_line:
        note = f"slices up to {apart:.1f} mm off their line: shifted back in their plane"
        return _InPlane(shift, np.zeros(2), 0.0, (note,))
    note = f"gantry tilted by {tilt:.1f} degrees: slices shifted to perpendicular axes"
    return _InPlane(shift, np.zeros(2), tilt, (note,))


def _plan(
    groups: list[tuple[int, ...]],
    local: F64,
    axes: F64,
    pixel: F64,
    size: Sequence[int],
    sampling: Sampling,
    plane: _InPlane,
) -> StackPlan:
    first = np.array([group[0] for group in groups])
    low = plane.shift.min(0)
    shift = np.round(plane.shift - low, 4)
    grown = np.ceil(shift.max(0)).astype(int)
    origin = local[first[0]].copy()
    origin[:2] -= shift[first[0]] * pixel
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = axes[0] * pixel[0], axes[1] * pixel[1]
    affine[:3, 2] = (axes[2] + plane.slope @ axes[:2]) * sampling.step_mm
    affine[:3, 3] = origin @ axes
    shape = limits.check_shape((size[0] + grown[0], size[1] + grown[1], len(sampling.weight)), "the stack")
    return StackPlan(
        doubles=tuple(group for group in groups if len(group) > 1),
        size=shape,
        affine=limits.check_affine(affine, shape, "the stack"),
        below=first[sampling.below],
        above=first[sampling.above],
        weight=sampling.weight,
        shift=shift,
        step_mm=sampling.step_mm,
        tilt_deg=plane.tilt_deg,
        filled_mm=sampling.filled_mm,
        notes=sampling.notes + plane.notes,
    )
