"""Whether masks and a CT share a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.segmented.mask import Grid

SAME_GRID_MM = 0.05
"""How far corners of two grids may be apart to count as one."""


def same_grid(grid: Grid, ct: Grid) -> bool:
    """Whether two grids have the same voxels."""
    return grid.shape == ct.shape and bool(np.abs(_corners(grid) - _corners(ct)).max() <= SAME_GRID_MM)


def check_frame(grid: Grid, ct: Grid, path: Path) -> None:
    """Raises CarmError unless a file's grid and the CT's cover the same part of space or one lies in the other."""
    slack = 2.0 * max(grid.spacing_mm.max(), ct.spacing_mm.max())
    out = min(_sticks_out(grid, ct), _sticks_out(ct, grid))
    if out > slack:
        own, others = ("x".join(map(str, g.shape)) for g in (grid, ct))
        raise CarmError(f"{path}: {own} voxels that stick {out:.0f} mm out of the CT's {others}; want masks of this CT")


def _corners(grid: Grid) -> NDArray[np.float64]:
    """Outer corners of a grid, LPS mm [8, 3]."""
    ends = [(-0.5, n - 0.5) for n in grid.shape]
    return grid.to_mm(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3))


def _sticks_out(inner: Grid, outer: Grid) -> float:
    """How far (mm) corners of one grid lie outside the other's box."""
    index = outer.to_index(_corners(inner))
    beyond = np.maximum(-0.5 - index, index - (np.array(outer.shape) - 0.5))
    return float((np.maximum(beyond, 0.0) * outer.spacing_mm).max())
