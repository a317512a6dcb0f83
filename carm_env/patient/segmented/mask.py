"""Masks of single structures: cropped voxels that know where in the CT's grid they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.model import Placed

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
STEP_MM = 1.8
"""Spacing at which shapes are measured: what is finer is thinned out."""


@dataclass(frozen=True, eq=False)
class Grid(Placed):
    """Voxels of a whole volume: ``shape``, and ``affine`` [4, 4] from indices (centres) to LPS mm.

    Index axes point roughly along +x, +y, +z, as in ``Volume``.
    """

    shape: tuple[int, int, int]
    affine: F64


@dataclass(frozen=True, eq=False)
class Mask:
    """One structure: ``voxels`` [X, Y, Z] cropped to it; its first voxel is voxel ``start`` [3] of ``grid``."""

    voxels: Bools
    start: tuple[int, int, int]
    grid: Grid

    @property
    def affine(self) -> F64:
        """From indices of ``voxels`` to LPS mm, [4, 4]."""
        moved = self.grid.affine.copy()
        moved[:3, 3] = self.grid.to_mm(self.start)
        return moved

    def to_mm(self, index: ArrayLike) -> F64:
        """LPS mm of continuous indices of ``voxels``, [..., 3]."""
        return self.grid.to_mm(np.asarray(index, float) + self.start)

    def to_index(self, points_mm: ArrayLike) -> F64:
        """Continuous indices of ``voxels`` of LPS points [..., 3]."""
        return self.grid.to_index(points_mm) - self.start

    def points(self) -> F64:
        """Centres of its voxels, LPS mm [N, 3]."""
        return self.to_mm(np.argwhere(self.voxels))

    def centroid(self) -> F64:
        """Mean of its voxels' centres, LPS mm [3]."""
        return self.to_mm(np.array([np.average(np.arange(n), weights=w) for n, w in self._profiles()]))

    def volume_ml(self) -> float:
        """Volume of its voxels."""
        return float(np.count_nonzero(self.voxels) * abs(np.linalg.det(self.grid.affine[:3, :3])) / 1000.0)

    def at(self, points_mm: ArrayLike) -> Bools:
        """Whether LPS points [..., 3] lie in its voxels, bool [...]."""
        index = np.rint(self.to_index(points_mm)).astype(int)
        inside = ((index >= 0) & (index < self.voxels.shape)).all(axis=-1)
        index = np.clip(index, 0, np.array(self.voxels.shape) - 1)
        return np.asarray(self.voxels[tuple(np.moveaxis(index, -1, 0))] & inside)

    def cut_near(self, point_mm: ArrayLike, reach_mm: float) -> bool:
        """Whether the mask touches a face of the grid that is nearer to a point [3] than ``reach_mm``."""
        index, spacing = self.grid.to_index(point_mm), self.grid.spacing_mm
        for axis, size in enumerate(self.grid.shape):
            low, high = self.start[axis], self.start[axis] + self.voxels.shape[axis]
            if low <= 0 and index[axis] * spacing[axis] < reach_mm:
                return True
            if high >= size and (size - 1 - index[axis]) * spacing[axis] < reach_mm:
                return True
        return False

    def _profiles(self) -> list[tuple[int, NDArray[np.intp]]]:
        """Size and count of voxels per index along each axis."""
        others = ((1, 2), (0, 2), (0, 1))
        return [
            (n, np.count_nonzero(self.voxels, axis=other))
            for n, other in zip(self.voxels.shape, others, strict=True)
        ]


def cropped(voxels: Bools, start: ArrayLike, grid: Grid) -> Mask | None:
    """The mask of ``voxels`` [X, Y, Z] at index ``start``, cropped to its bounding box; None where it is empty."""
    box = []
    for other in ((1, 2), (0, 2), (0, 1)):
        filled = np.flatnonzero(voxels.any(axis=other))
        if not filled.size:
            return None
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    first = np.asarray(start) + [s.start for s in box]
    return Mask(np.ascontiguousarray(voxels[tuple(box)]), _index(first), grid)


def merged(masks: Sequence[Mask]) -> Mask:
    """The union of masks of one grid (at least one)."""
    low = np.min([m.start for m in masks], axis=0)
    high = np.max([np.add(m.start, m.voxels.shape) for m in masks], axis=0)
    voxels = np.zeros(high - low, bool)
    for m in masks:
        at = np.subtract(m.start, low)
        voxels[tuple(slice(int(a), int(a) + n) for a, n in zip(at, m.voxels.shape, strict=True))] |= m.voxels
    return Mask(voxels, _index(low), masks[0].grid)


def coarse_grid(grid: Grid, step_mm: float = STEP_MM) -> Grid:
    """Every n-th voxel of a grid along each axis, so that the spacing comes close to ``step_mm``."""
    steps = _steps(grid, step_mm)
    affine = grid.affine.copy()
    affine[:3, :3] *= steps
    return Grid(_index(-(-np.asarray(grid.shape) // steps)), affine)


def coarser(mask: Mask, step_mm: float = STEP_MM) -> Mask:
    """The mask on the ``coarse_grid`` of its grid; where nothing would be left of it, each voxel goes to one nearby."""
    steps = _steps(mask.grid, step_mm)
    if (steps == 1).all():
        return mask
    grid = coarse_grid(mask.grid, step_mm)
    first = -np.asarray(mask.start) % steps
    voxels = mask.voxels[tuple(slice(int(a), None, int(n)) for a, n in zip(first, steps, strict=True))]
    thinned = cropped(voxels, (np.asarray(mask.start) + first) // steps, grid)
    if thinned is not None:
        return thinned
    places = np.unique((np.argwhere(mask.voxels) + mask.start) // steps, axis=0)
    low = places.min(axis=0)
    voxels = np.zeros(places.max(axis=0) - low + 1, bool)
    voxels[tuple((places - low).T)] = True
    return Mask(voxels, _index(low), grid)


def _index(values: ArrayLike) -> tuple[int, int, int]:
    x, y, z = (int(v) for v in np.asarray(values))
    return x, y, z


def _steps(grid: Grid, step_mm: float) -> NDArray[np.int64]:
    return np.maximum(1, np.rint(step_mm / grid.spacing_mm)).astype(np.int64)


def pieces(mask: Mask, least_share: float = 0.05) -> list[Mask]:
    """Its connected pieces (26 neighbours), largest first, without those smaller than a share of the largest."""
    from scipy import ndimage

    found, count = ndimage.label(mask.voxels, np.ones((3, 3, 3)))
    if count <= 1:
        return [mask]
    sizes = np.bincount(found.ravel())[1:]
    boxes = ndimage.find_objects(found)
    kept = []
    for i in np.argsort(-sizes, kind="stable"):
        if sizes[i] >= least_share * sizes.max():
            start = np.add(mask.start, [s.start for s in boxes[i]])
            kept.append(cropped(found[boxes[i]] == i + 1, start, mask.grid))
    return [m for m in kept if m is not None]


def tidied(mask: Mask) -> Mask:
    """The mask without stray voxels far from its pieces, cropped again."""
    parts = pieces(coarser(mask, 3.0), least_share=0.02)
    low = np.min([p.to_mm(-np.ones(3)) for p in parts], axis=0)
    high = np.max([p.to_mm(np.asarray(p.voxels.shape, float)) for p in parts], axis=0)
    first = np.clip(np.floor(mask.to_index(low)).astype(int), 0, None)
    last = np.ceil(mask.to_index(high)).astype(int) + 1
    box = tuple(slice(int(a), max(int(b), int(a) + 1)) for a, b in zip(first, last, strict=True))
    return cropped(mask.voxels[box], np.add(mask.start, first), mask.grid) or mask


def resampled(mask: Mask, grid: Grid) -> Mask | None:
    """The mask on another grid of the same frame, by nearest neighbours; None where nothing of it is left."""
    size = np.array(mask.voxels.shape)
    corners = np.stack(np.meshgrid(*zip([-1] * 3, size, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    index = grid.to_index(mask.to_mm(corners))
    first = np.clip(np.floor(index.min(axis=0)).astype(int), 0, grid.shape)
    last = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, grid.shape)
    if (last <= first).any():
        return None
    return cropped(nearest(mask.voxels.view(np.uint8), mask.affine, grid, first, last) > 0, first, grid)


def nearest(
    voxels: NDArray[np.uint8], affine: F64, grid: Grid, first: ArrayLike, last: ArrayLike
) -> NDArray[np.uint8]:  # fmt: skip
    """Voxels of another grid by nearest neighbours, 0 where there are none.

    Args:
        voxels: [X, Y, Z]; affine: from their indices to LPS mm, [4, 4].
        first, last: the wanted part of ``grid``, from a voxel to before another, [3].
    """
    from scipy import ndimage

    change = np.linalg.inv(affine) @ grid.affine
    offset = change[:3, :3] @ np.asarray(first) + change[:3, 3]
    shape = _index(np.subtract(last, first))
    return np.asarray(ndimage.affine_transform(voxels, change[:3, :3], offset, shape, order=0, mode="constant"))
