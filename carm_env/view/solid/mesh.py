"""A patient as surfaces: the skin and the bones of a CT, light enough to be turned in software."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.body import TISSUE_HU, body_points
from carm_env.patient.model import Placed, Volume
from carm_env.view.solid.offscreen import off_screen

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEP_MM = 3.0
"""Grid of the bones; the skin's is half as fine again."""

SKIN_SHARE = 2 / 3
BONE_HU = 150.0
_AIR_HU, _FLESH_HU, _DENSEST_HU = -1000.0, 40.0, 1200.0
_BODY_STEP_MM = 8.0
_SKIN_SIGMA, _BONE_SIGMA = 0.8, 0.5
_LEAST_BONE = 250
"""Pieces of bone with fewer triangles are left out: calcifications, noise, contrast."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Skin and bone as triangles (``pyvista.PolyData`` with normals), LPS mm; either may be empty."""

    skin: Any
    bone: Any


@dataclass(frozen=True, eq=False)
class _Grid(Placed):
    """The body's part of a CT on a grid of ``STEP_MM``: ``hu`` [X, Y, Z] with a rim of air, and where the body is."""

    hu: F32
    body: Mask
    affine: F64


def surfaces(volume: Volume) -> Surfaces:
    """Isosurfaces of a CT at ``TISSUE_HU`` and ``BONE_HU``; no couch, no air inside, closed where the CT ends.

    Raises:
        CarmError: VTK cannot be used here.
    """
    off_screen()
    grid = _grid(volume)
    return Surfaces(_skin(grid), _bone(grid))


def _grid(volume: Volume) -> _Grid:
    from scipy import ndimage

    body, step = _body(volume)
    found = np.argwhere(body)
    if not len(found):
        return _Grid(np.full((3, 3, 3), _AIR_HU, np.float32), np.zeros((3, 3, 3), bool), volume.affine)
    low = np.maximum((found.min(axis=0) - 1) * step, 0)
    high = np.minimum((found.max(axis=0) + 2) * step, volume.hu.shape)
    part = np.asarray(volume.hu[tuple(map(slice, low, high))])
    fine = ndimage.zoom(part, volume.spacing_mm / STEP_MM, np.float32, order=1)
    share = (np.array(part.shape) - 1) / np.maximum(np.array(fine.shape) - 1, 1)
    inside = body[np.ix_(*(_nearest(n, low[i], share[i], step[i], body.shape[i]) for i, n in enumerate(fine.shape)))]
    affine = volume.affine.copy()
    affine[:3, :3] *= share
    affine[:3, 3] = volume.to_mm(low - share)
    return _Grid(np.pad(fine, 1, constant_values=_AIR_HU), np.pad(inside, 1), affine)


def _nearest(count: int, low: int, share: float, step: int, most: int) -> NDArray[np.int_]:
    """Coarse indices of ``count`` fine samples that begin at voxel ``low`` and are ``share`` voxels apart."""
    return np.minimum(np.rint((low + share * np.arange(count)) / step).astype(int), most - 1)


def _body(volume: Volume) -> tuple[Mask, NDArray[np.int_]]:
    """The body, air inside it included, on every ``step``-th voxel."""
    from scipy import ndimage

    step = np.maximum(1, np.rint(_BODY_STEP_MM / volume.spacing_mm)).astype(int)
    mask = np.zeros(-(-np.array(volume.hu.shape) // step), bool)
    index = np.rint(volume.to_index(body_points(volume)) / step).astype(int)
    mask[tuple(np.minimum(index, np.array(mask.shape) - 1).T)] = True
    mask = ndimage.binary_closing(np.pad(mask, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    return np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(mask, 2, 0)], axis=2), step


def _skin(grid: _Grid) -> Any:
    """The outer surface: deep inside all is flesh, away from the body all is air."""
    from scipy import ndimage

    reach = round(_BODY_STEP_MM / STEP_MM)
    hu = np.clip(grid.hu, _AIR_HU, _FLESH_HU)
    hu[ndimage.binary_erosion(grid.body, iterations=2 * reach)] = _FLESH_HU
    hu[~ndimage.binary_dilation(grid.body, iterations=reach)] = _AIR_HU
    coarse = ndimage.zoom(hu, SKIN_SHARE, order=1)
    share = (np.array(hu.shape) - 1) / np.maximum(np.array(coarse.shape) - 1, 1)
    mesh = _surface(ndimage.gaussian_filter(coarse, _SKIN_SIGMA), TISSUE_HU, grid, share)
    return _finished(mesh.connectivity("largest") if mesh.n_cells else mesh)


def _bone(grid: _Grid) -> Any:
    from scipy import ndimage

    hu = np.where(grid.body, np.clip(grid.hu, _AIR_HU, _DENSEST_HU), np.float32(_AIR_HU))
    mesh = _surface(ndimage.gaussian_filter(hu, _BONE_SIGMA), BONE_HU, grid, np.ones(3))
    if not mesh.n_cells:
        return mesh
    pieces = mesh.connectivity("all", label_regions=True)
    region = pieces.cell_data["RegionId"]
    large = np.bincount(region)[region] >= _LEAST_BONE
    return _finished(pieces.extract_cells(large).extract_surface(algorithm="dataset_surface"))


def _surface(hu: F32, level: float, grid: _Grid, share: F64) -> Any:
    """Triangles where ``hu`` crosses ``level``, LPS mm; its samples are ``share`` [3] of the grid's apart."""
    pv = off_screen()
    image = pv.ImageData(dimensions=hu.shape)
    image.point_data["hu"] = hu.ravel(order="F")
    mesh = image.contour([level], "hu", compute_scalars=False, method="flying_edges")
    mesh.clear_data()
    mesh.points = grid.to_mm(mesh.points * share).astype(np.float32)
    return mesh


def _finished(mesh: Any) -> Any:
    """Smoothed without shrinking (Taubin 1995), with normals at the points and nothing else."""
    if not mesh.n_cells:
        return mesh
    mesh = mesh.smooth_taubin(n_iter=12, pass_band=0.12)
    mesh.clear_data()
    return mesh.compute_normals(cell_normals=False, split_vertices=False, consistent_normals=False)
