"""Segmented data sets to scans: the CT, and points that written rules take from its masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Scan
from carm_env.patient.readers.nifti import read_nifti
from carm_env.patient.segmented.classes import TOTAL, class_name
from carm_env.patient.segmented.folder import Layout, find_layout
from carm_env.patient.segmented.found import Found
from carm_env.patient.segmented.label_file import read_labels, read_mask
from carm_env.patient.segmented.mask import Grid, Mask, coarse_grid, resampled
from carm_env.patient.segmented.rules import NEEDED, check_masks, derive

__all__ = ["Layout", "find_layout", "read_layout"]
SAME_GRID_MM = 0.05
"""How far corners of two grids may be apart to count as one."""
_NOTED = 8


def read_layout(layout: Layout) -> Scan:
    """The CT, and landmarks and targets by the rules of ``rules``.

    Masks are read one at a time, only those that rules need, and kept cropped and thinned; one on another grid is
    resampled if its box shows that it shares the CT's frame. ``meta["origin"]`` is "segmentation" for every point,
    ``meta["uncertainty_mm"]`` its standard deviation; ``notes`` tell what was ignored and which points are missing.

    Raises:
        CarmError: a file is bad, no structure is known, a mask belongs to another CT, or sides are swapped.
    """
    volume = read_nifti(layout.ct)
    ct = Grid(volume.hu.shape, volume.affine)
    masks, notes = _from_map(layout.label_map, ct) if layout.label_map else _from_files(layout, ct)
    if not masks:
        raise CarmError(f"{layout.folder}: the segmentation holds none of the known structures; want classes of "
                        "TotalSegmentator, not empty")  # fmt: skip
    check_masks(masks, layout.folder)
    derived = derive(masks)
    notes.append(f"{len(derived.landmarks)} landmarks and {len(derived.targets)} targets from {len(masks)} masks")
    if derived.missed:
        notes.append("no point from masks: " + "; ".join(f"{n} ({why})" for n, why in derived.missed.items()))
    found = {**derived.landmarks, **derived.targets}
    meta = {
        "origin": dict.fromkeys(found, "segmentation"),
        "uncertainty_mm": {name: point.sd_mm for name, point in found.items()},
    }
    points, targets = _points(derived.landmarks), _points(derived.targets)
    return Scan(volume, landmarks=points, targets=targets, notes=tuple(notes), meta=meta)


def _from_files(layout: Layout, ct: Grid) -> tuple[dict[str, Mask], list[str]]:
    """Masks that rules need, from a file each."""
    masks: dict[str, Mask] = {}
    for name in sorted(NEEDED & set(layout.masks)):
        grid, mask = read_mask(layout.masks[name])
        own = None if mask is None else _on_ct(mask, grid, ct, layout.masks[name])
        if own is not None:
            masks[name] = own
    return masks, _ignored("masks", layout.ignored)


def _from_map(path: Path, ct: Grid) -> tuple[dict[str, Mask], list[str]]:
    """Masks that rules need, from a label map: by the names in it, or by the ids of TotalSegmentator 2."""
    unknown: list[str] = []
    assumed = False

    def choose(table: Mapping[int, str]) -> dict[int, str]:
        nonlocal assumed
        assumed = not table
        names = {i: class_name(raw) for i, raw in (table or dict(enumerate(TOTAL, start=1))).items()}
        unknown.extend(table[i] for i, name in names.items() if name is None)
        known.update(i for i, name in names.items() if name is not None)
        return {i: name for i, name in names.items() if name in NEEDED}

    known: set[int] = set()
    labels = read_labels(path, choose)
    placed = {name: _on_ct(mask, labels.grid, ct, path) for name, mask in labels.masks.items()}
    masks = {name: mask for name, mask in placed.items() if mask is not None}
    notes = _ignored("labels", unknown) + _ignored("label ids", [str(i) for i in labels.others if i not in known])
    if assumed:
        notes.append("the label map names no labels: ids are taken as those of TotalSegmentator 2's task 'total'")
    return masks, notes


def _on_ct(mask: Mask, grid: Grid, ct: Grid, path: Path) -> Mask | None:
    """A mask read from a file of ``grid``, on the CT's thinned grid; None where nothing of it is left.

    Raises:
        CarmError: the file does not share the CT's frame.
    """
    if grid.shape == ct.shape and np.abs(_corners(grid) - _corners(ct)).max() <= SAME_GRID_MM:
        return mask
    slack = 2.0 * max(grid.spacing_mm.max(), ct.spacing_mm.max())
    out = min(_sticks_out(grid, ct), _sticks_out(ct, grid))
    if out > slack:
        own, others = ("x".join(map(str, g.shape)) for g in (grid, ct))
        raise CarmError(f"{path}: {own} voxels that stick {out:.0f} mm out of the CT's {others}; want masks of this CT")
    return resampled(mask, coarse_grid(ct))


def _corners(grid: Grid) -> NDArray[np.float64]:
    """Outer corners of a grid, LPS mm [8, 3]."""
    ends = [(-0.5, n - 0.5) for n in grid.shape]
    return grid.to_mm(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3))


def _sticks_out(inner: Grid, outer: Grid) -> float:
    """How far (mm) corners of one grid lie outside the other's box."""
    index = outer.to_index(_corners(inner))
    beyond = np.maximum(-0.5 - index, index - (np.array(outer.shape) - 0.5))
    return float((np.maximum(beyond, 0.0) * outer.spacing_mm).max())


def _ignored(what: str, names: Iterable[str]) -> list[str]:
    listed = [" ".join(name.split())[:40] for name in names]
    if not listed:
        return []
    more = f" and {len(listed) - _NOTED} more" if len(listed) > _NOTED else ""
    return [f"{len(listed)} {what} of unknown meaning ignored: {', '.join(listed[:_NOTED])}{more}"]


def _points(found: Mapping[str, Found]) -> dict[str, NDArray[np.float64]]:
    return {name: point.point_mm for name, point in found.items()}
