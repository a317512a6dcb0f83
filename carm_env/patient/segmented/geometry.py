"""Measuring shapes: depth inside a mask, its surface, fitted spheres, planes of symmetry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.segmented.mask import Mask

F64 = NDArray[np.float64]
_TOLERANCES_MM = (9.0, 7.0, 5.0, 4.0, 3.0, 2.5, 2.5, 2.5, 2.0, 2.0, 2.0)
_DIRECTIONS = 200


def depth_mm(mask: Mask) -> F64:
    """Distance of each voxel of ``mask.voxels`` from the nearest one outside, mm [X, Y, Z]."""
    from scipy import ndimage

    padded = ndimage.distance_transform_edt(np.pad(mask.voxels, 1), mask.grid.spacing_mm)
    return np.asarray(padded, np.float64)[1:-1, 1:-1, 1:-1]


def surface_points(mask: Mask) -> F64:
    """Centres of the voxels at its surface, LPS mm [N, 3]."""
    from scipy import ndimage

    inner = ndimage.binary_erosion(np.pad(mask.voxels, 1))[1:-1, 1:-1, 1:-1]
    return mask.to_mm(np.argwhere(mask.voxels & ~inner))


def thick_part(mask: Mask, share: float) -> Mask:
    """Its opening by a ball of ``share`` times the largest inscribed one: the piece about the thickest place."""
    from scipy import ndimage

    depth = depth_mm(mask)
    radius = share * float(depth.max())
    found, _ = ndimage.label(depth >= radius)
    core = found == found[np.unravel_index(int(np.argmax(depth)), depth.shape)]
    reach = ndimage.distance_transform_edt(~core, mask.grid.spacing_mm) <= radius
    return Mask(mask.voxels & reach, mask.start, mask.grid)


def fit_sphere(points: F64, centre: F64, radius: float) -> tuple[F64, float, float]:
    """A sphere through those of the points [N, 3] that lie on it, from a first guess.

    Returns:
        Centre [3], radius, and the share of its surface on which points lie (0: the fit broke down).
    """
    tolerance = 0.0
    for tolerance in _TOLERANCES_MM:
        near = points[np.abs(np.linalg.norm(points - centre, axis=1) - radius) < tolerance]
        if len(near) < 20:
            return centre, radius, 0.0
        system = np.column_stack([2.0 * (near - centre), np.ones(len(near))])
        solved = np.linalg.lstsq(system, ((near - centre) ** 2).sum(axis=1), rcond=None)[0]
        radius = float(np.sqrt(max(solved[3] + solved[:3] @ solved[:3], 0.0)))
        centre = centre + solved[:3]
    away = points - centre
    near = away[np.abs(np.linalg.norm(away, axis=1) - radius) < tolerance]
    return centre, radius, cover(near, 12.0)


def cover(away: F64, within_deg: float) -> float:
    """Share of all directions that lie within an angle of one of the vectors [N, 3]."""
    from scipy.spatial import cKDTree

    if not len(away):
        return 0.0
    directions = away / np.linalg.norm(away, axis=1, keepdims=True)
    i = np.arange(_DIRECTIONS) + 0.5
    z, turn = 1.0 - 2.0 * i / _DIRECTIONS, np.pi * (1.0 + np.sqrt(5.0)) * i
    even = np.stack([np.sqrt(1.0 - z * z) * np.cos(turn), np.sqrt(1.0 - z * z) * np.sin(turn), z], axis=-1)
    distance, _ = cKDTree(directions).query(even)
    return float(np.mean(distance < np.radians(within_deg)))


def largest(pattern: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part of a 2-D pattern."""
    from scipy import ndimage

    found, _ = ndimage.label(pattern, np.ones((3, 3)))
    sizes = np.bincount(found.ravel())
    sizes[0] = 0
    return np.asarray(found == sizes.argmax()) & pattern


def symmetry_plane(mask: Mask, points: F64, middle: F64) -> tuple[F64, F64]:
    """The plane in which a shape is its own mirror image, near the sagittal plane through ``middle`` [3].

    Args:
        mask: the shape. points: those of its surface that are to be mirrored onto it, [N, 3].

    Returns:
        A point of the plane [3] and its unit normal [3], which points to the left (+x).
    """
    from scipy import ndimage
    from scipy.optimize import minimize

    room, cap = 6, 8.0
    distance = ndimage.distance_transform_edt(~np.pad(mask.voxels, room), mask.grid.spacing_mm)
    distance = np.minimum(distance, cap).astype(np.float32)
    some = points[:: max(1, len(points) // 3000)]
    last = np.array(distance.shape) - 1

    def normal_of(x: F64) -> F64:
        n = np.array([1.0, np.tan(x[0]), np.tan(x[1])])
        return n / np.linalg.norm(n)

    def cost(x: F64) -> float:
        n = normal_of(x)
        mirrored = some - 2.0 * ((some - middle) @ n - x[2])[:, None] * n
        index = np.clip(np.rint(mask.to_index(mirrored)).astype(int) + room, 0, last)
        return float(distance[tuple(index.T)].mean())

    tries = []
    for yaw in (-0.2, 0.0, 0.2):
        corners = np.array([[yaw, 0.0, 0.0], [yaw + 0.1, 0.0, 0.0], [yaw, 0.1, 0.0], [yaw, 0.0, 6.0]])
        options: Any = {"initial_simplex": corners, "xatol": 1e-3, "fatol": 1e-3, "maxiter": 200}
        tries.append(minimize(cost, corners[0], method="Nelder-Mead", options=options))
    best = min(tries, key=lambda t: float(t.fun))
    n = normal_of(best.x)
    return middle + best.x[2] * n, n
