"""The patient's skin: cells of about 1 cm2 on the body's surface, found in the CT."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.body import AIR_HU
from carm_env.patient.model import Patient
from carm_env.xray.dose.body_grid import BodyGrid, body_grid

F64 = NDArray[np.float64]

CELL_MM = 12.0
"""Side of the cubes that share the surface out: a cell is what lies in one, 1.0 cm2 on average over directions."""
_LEAST_AGREEMENT = 0.6
"""Length of a cell's mean normal below which it is split: it holds two sides of something thin."""


@dataclass(frozen=True, eq=False)
class SkinSurface:
    """P cells of skin; patient LPS.

    Attributes:
        points_mm: their middles, within about 1 mm of the surface, [P, 3]. normals: outward unit vectors, [P, 3].
        area_mm2: [P]. No cell lies where the CT ends in the body: at its lowest and highest slice and at its sides.
    """

    points_mm: F64
    normals: F64
    area_mm2: F64

    def __len__(self) -> int:
        return len(self.area_mm2)


_surfaces: WeakKeyDictionary[Patient, SkinSurface] = WeakKeyDictionary()


def skin_surface(patient: Patient) -> SkinSurface:
    """The skin of a patient, found once."""
    if patient not in _surfaces:
        _surfaces[patient] = find_skin(body_grid(patient))
    return _surfaces[patient]


def find_skin(grid: BodyGrid) -> SkinSurface:
    """Shares the body's surface (``AIR_HU``, half-way between air and tissue) out to cells."""
    points, normals, area = _elements(grid)
    _, cell = np.unique(_keys(points), return_inverse=True)
    resultant = np.stack([np.bincount(cell, area * n) for n in normals.T], axis=1)
    agreement = np.linalg.norm(resultant, axis=1) / np.bincount(cell, area)
    thin = (agreement < _LEAST_AGREEMENT)[cell]
    facing = np.where(thin, 1 + _octant(normals), 0)
    _, cell = np.unique(cell * 9 + facing, return_inverse=True)
    total = np.bincount(cell, area).astype(float)
    middle, resultant = (np.stack([np.bincount(cell, area * x) for x in rows.T], axis=1) for rows in (points, normals))
    length = np.linalg.norm(resultant, axis=1, keepdims=True)
    return SkinSurface(middle / total[:, None], resultant / np.maximum(length, 1e-12), total)


def _elements(grid: BodyGrid) -> tuple[F64, F64, F64]:
    """Points on the surface, LPS mm [E, 3], their outward unit normals [E, 3] and areas mm2 [E]."""
    from carm_env.xray.dose import kernels_voxels as kernels

    solid = grid.solid()
    out = np.zeros((kernels.count_crossings(solid, AIR_HU), 7))
    kernels.crossings(solid, AIR_HU, grid.spacing_mm, out)
    out = out[out[:, 6] > 0.0]
    return grid.to_mm(out[:, :3]), out[:, 3:6] @ (grid.affine[:3, :3] / grid.spacing_mm).T, out[:, 6]


def _keys(points_mm: F64) -> NDArray[np.int64]:
    """One number for each cube of ``CELL_MM`` that holds points."""
    cube = np.floor(points_mm / CELL_MM).astype(np.int64)
    cube -= cube.min(axis=0, initial=0)
    sides = cube.max(axis=0, initial=0) + 1
    return np.asarray((cube[:, 0] * sides[1] + cube[:, 1]) * sides[2] + cube[:, 2])


def _octant(vectors: F64) -> NDArray[np.int64]:
    return np.asarray((vectors > 0.0) @ np.array([1, 2, 4]))
