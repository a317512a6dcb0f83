"""Segmented data sets to scans: the CT, points that written rules take from its masks, and organ labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Scan
from carm_env.patient.readers.nifti import read_nifti
from carm_env.patient.segmented.classes import TOTAL, class_name
from carm_env.patient.segmented.folder import Layout, find_layout
from carm_env.patient.segmented.found import Found
from carm_env.patient.segmented.frames import check_frame, same_grid
from carm_env.patient.segmented.label_file import read_labels, read_mask
from carm_env.patient.segmented.label_volume import LabelVolume, map_labels, paint
from carm_env.patient.segmented.mask import Grid, Mask, coarse_grid, coarser, resampled
from carm_env.patient.segmented.organs import LABEL_IDS
from carm_env.patient.segmented.rules import NEEDED, check_masks, derive

__all__ = ["Layout", "find_layout", "read_layout"]
_NOTED, _NAME_LENGTH = 8, 24
_MISSED_A_NOTE = 3
"""Both keep notes short enough for a landmark file."""


class _Read(NamedTuple):
    """Thinned masks that rules need, by class; organ ids on the CT's voxels [X, Y, Z], if they are wanted."""

    masks: dict[str, Mask]
    labels: LabelVolume | None
    notes: list[str]


def read_layout(layout: Layout, labels: bool = True) -> Scan:
    """The CT, landmarks and targets by the rules of ``rules``, and labels of the organs that masks name.

    Masks are read one at a time, only those that rules or labels need, and kept cropped and thinned; one on another
    grid is resampled if its box shows that it shares the CT's frame. ``meta["origin"]`` is "segmentation" for every
    point, ``meta["uncertainty_mm"]`` its standard deviation; ``notes`` tell what was ignored and which points are
    missing. LabelVolume are 0 where no mask names an organ; a mask that only they need and that is bad is left out.

    Args:
        labels: whether they are wanted: a byte for each of the CT's voxels, and more masks to read.

    Raises:
        CarmError: a file is bad, no structure is known, a mask belongs to another CT, or sides are swapped.
    """
    volume = read_nifti(layout.ct)
    ct = Grid(volume.hu.shape, volume.affine)
    masks, organs, notes = (
        _from_map(layout.label_map, ct, labels) if layout.label_map else _from_files(layout, ct, labels)
    )
    if not masks:
        raise CarmError(f"{layout.folder}: the segmentation holds none of the known structures; want classes of "
                        "TotalSegmentator, not empty")  # fmt: skip
    check_masks(masks, layout.folder)
    derived = derive(masks)
    notes.append(f"{len(derived.landmarks)} landmarks and {len(derived.targets)} targets from {len(masks)} masks")
    notes += _missed(derived.missed)
    found = {**derived.landmarks, **derived.targets}
    meta = {
        "origin": dict.fromkeys(found, "segmentation"),
        "uncertainty_mm": {name: point.sd_mm for name, point in found.items()},
    }
    points, targets = _points(derived.landmarks), _points(derived.targets)
    known = organs if organs is not None and organs.any() else None
    return Scan(volume, landmarks=points, targets=targets, notes=tuple(notes), meta=meta, labels=known)


def _from_files(layout: Layout, ct: Grid, with_labels: bool) -> _Read:
    """From a file for each mask."""
    masks: dict[str, Mask] = {}
    labels = np.zeros(ct.shape, np.uint8) if with_labels else None
    bad = []
    wanted = NEEDED | (LABEL_IDS.keys() if with_labels else set())
    for name in sorted(wanted & layout.masks.keys()):
        try:
            mask = _read_mask(layout.masks[name], ct)
        except CarmError:
            if name in NEEDED:
                raise
            bad.append(name)
            continue
        if mask is None:
            continue
        if labels is not None and name in LABEL_IDS:
            paint(labels, mask, LABEL_IDS[name], ct)
        if name in NEEDED and (own := _on_ct(coarser(mask), mask.grid, ct)) is not None:
            masks[name] = own
    notes = _ignored("masks of unknown meaning", layout.ignored) + _ignored("masks that cannot be read", bad)
    return _Read(masks, labels, notes)


def _read_mask(path: Path, ct: Grid) -> Mask | None:
    grid, mask = read_mask(path)
    if mask is not None:
        check_frame(grid, ct, path)
    return mask


def _from_map(path: Path, ct: Grid, with_labels: bool) -> _Read:
    """From a label map: by the names in it, or by the ids of TotalSegmentator 2."""
    names: dict[int, str | None] = {}
    unknown: list[str] = []
    assumed = False

    def choose(table: Mapping[int, str]) -> dict[int, str]:
        nonlocal assumed
        assumed = not table
        names.update({i: class_name(raw) for i, raw in (table or dict(enumerate(TOTAL, start=1))).items()})
        unknown.extend(table[i] for i, name in names.items() if name is None)
        return {i: name for i, name in names.items() if name in NEEDED}

    found = read_labels(path, choose)
    if found.masks:
        check_frame(found.grid, ct, path)
    placed = {name: _on_ct(mask, found.grid, ct) for name, mask in found.masks.items()}
    masks = {name: mask for name, mask in placed.items() if mask is not None}
    others = [str(i) for i in found.others if names.get(i) is None]
    notes = _ignored("labels of unknown meaning", unknown) + _ignored("label ids of unknown meaning", others)
    if assumed:
        notes.append("the label map names no labels: ids are taken as those of TotalSegmentator 2's task 'total'")
    organs = {i: LABEL_IDS[name] for i, name in names.items() if name in LABEL_IDS}
    return _Read(masks, map_labels(path, organs, ct) if with_labels and masks else None, notes)


def _on_ct(mask: Mask, grid: Grid, ct: Grid) -> Mask | None:
    """A thinned mask of a file of ``grid``, on the CT's thinned grid; None where nothing of it is left."""
    return mask if same_grid(grid, ct) else resampled(mask, coarse_grid(ct))


def _ignored(what: str, names: Iterable[str]) -> list[str]:
    listed = [" ".join(name.split())[:_NAME_LENGTH] for name in names]
    if not listed:
        return []
    more = f" and {len(listed) - _NOTED} more" if len(listed) > _NOTED else ""
    return [f"{len(listed)} {what} ignored: {', '.join(listed[:_NOTED])}{more}"]


def _missed(reasons: Mapping[str, str]) -> list[str]:
    """Points that masks do not give, with the reasons."""
    texts = [f"{name} ({why})" for name, why in reasons.items()]
    parts = [texts[i : i + _MISSED_A_NOTE] for i in range(0, len(texts), _MISSED_A_NOTE)]
    return ["no point from masks: " + "; ".join(part) for part in parts]


def _points(found: Mapping[str, Found]) -> dict[str, NDArray[np.float64]]:
    return {name: point.point_mm for name, point in found.items()}
