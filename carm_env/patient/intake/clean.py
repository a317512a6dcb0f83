"""What does not belong to the patient leaves the CT: couch, supports, padding outside the field of view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.model import Volume

AIR_HU = -1000
_STEP_MM = 2.5
_TISSUE_HU, _BONE_HU = -300, 180
_COUCH_HU = -850
_COUCH_SPREAD_HU = 60
_COUCH_SHARE = 0.85
_COUCH_SLICES = 128
_LEAST_WIDTH_MM = 200.0
_REACH_MM = 10.0
_LEAST_ML = 20.0
_LEAST_BONE = 0.004
_SLAB = 16


def clean_padding(volume: Volume) -> tuple[Volume, str]:
    """Replaces what a scanner or a converter wrote outside the round field of view by air.

    Only a value that fills all four corner columns exactly and is no air is taken for padding; it goes where it is
    connected to a corner within its slice. ``hu`` is changed in place.

    Returns:
        The volume and a note, empty where there was nothing to clean.
    """
    from scipy import ndimage

    hu = volume.hu
    corners = hu[np.ix_([0, -1], [0, -1])]
    value = int(corners[0, 0, 0])
    if value <= AIR_HU + 50 or (corners != value).any():
        return volume, ""
    changed = 0
    for k in range(hu.shape[2]):
        plane = hu[:, :, k]
        parts, _ = ndimage.label(plane == value)
        outside = np.isin(parts, np.unique(parts[np.ix_([0, -1], [0, -1])])) & (parts > 0)
        plane[outside] = AIR_HU
        changed += int(np.count_nonzero(outside))
    return volume, f"padding of {value} HU outside the field of view replaced by air ({changed / hu.size:.0%} of it)"


def remove_table(volume: Volume) -> tuple[Volume, str]:
    """Sets everything outside the patient to air; ``hu`` is changed in place.

    Returns:
        The volume and a note, empty where nothing was outside.
    """
    mask, step = body_mask(volume)
    if not mask.any():
        return volume, ""
    hu, removed = volume.hu, 0
    y, z = (np.minimum(np.arange(hu.shape[a]) // step[a], mask.shape[a] - 1) for a in (1, 2))
    for first in range(0, hu.shape[0], _SLAB):
        slab = hu[first : first + _SLAB]
        x = np.minimum(np.arange(first, first + len(slab)) // step[0], mask.shape[0] - 1)
        outside = ~mask[np.ix_(x, y, z)]
        removed += int(np.count_nonzero(outside & (slab > _COUCH_HU)))
        slab[outside] = AIR_HU
    volume_ml = removed * float(np.prod(volume.spacing_mm)) / 1000.0
    return volume, f"{volume_ml:.0f} ml outside the patient (couch, supports) removed" if volume_ml >= 1.0 else ""


def body_mask(volume: Volume) -> tuple[NDArray[np.bool_], NDArray[np.int_]]:
    """The patient, lungs and other air inside included, on blocks of voxels of about 2.5 mm.

    Columns along the body that look the same in almost all slices are the couch. What is left is opened by two blocks;
    the largest piece and every other one that holds bone (hands and forearms apart from the body) stay, with the
    tissue within 10 mm, and each slice is filled.

    Returns:
        The mask [X', Y', Z'] and the voxels a block has along each axis, [3].
    """
    from scipy import ndimage

    step = np.maximum(1, np.rint(_STEP_MM / volume.spacing_mm)).astype(int)
    hu = _blocks(volume.hu, step)
    couch = couch_columns(hu, float(volume.spacing_mm[0] * step[0]))
    tissue = (hu > _TISSUE_HU) & ~couch[:, :, None]
    core = ndimage.binary_opening(tissue, iterations=2)
    body = _pieces(core, hu, float(np.prod(volume.spacing_mm * step)))
    if body.any():
        body = ndimage.binary_dilation(body, iterations=round(_REACH_MM / _STEP_MM), mask=tissue)
        body = ndimage.binary_erosion(ndimage.binary_dilation(body, iterations=3), iterations=2, border_value=1)
        body = _filled(body)
    return body, step


def _blocks(hu: NDArray[np.int16], step: NDArray[np.int_]) -> NDArray[np.int16]:
    """One voxel of each block, from its middle."""
    first = [s // 2 if n > s else 0 for s, n in zip(step, hu.shape, strict=True)]
    return np.ascontiguousarray(hu[tuple(slice(f, None, s) for f, s in zip(first, step, strict=True))])


def couch_columns(hu: NDArray[np.int16], step_mm: float) -> NDArray[np.bool_]:
    """Columns [X, Y] along the last axis of ``hu`` that are the same matter, not air, in almost every slice.

    Only layers at least 200 mm wide count: a couch is shells around foam, narrower ones are the fat of a short CT.
    """
    from scipy import ndimage

    some = hu[:, :, :: max(1, hu.shape[2] // _COUCH_SLICES)]
    median = np.median(some, axis=2).astype(np.int16)
    steady = np.abs(some - median[:, :, None]) < _COUCH_SPREAD_HU
    columns = (median > _COUCH_HU) & (steady.mean(axis=2) > _COUCH_SHARE)
    parts, _ = ndimage.label(columns, np.ones((3, 3), bool))
    for part, (x, y) in enumerate(ndimage.find_objects(parts), start=1):
        wide, deep = (x.stop - x.start) * step_mm, (y.stop - y.start) * step_mm
        if wide < _LEAST_WIDTH_MM or deep > 0.5 * wide:
            columns[parts == part] = False
    return np.asarray(columns)


def _filled(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask with everything that it encloses within a slice."""
    from scipy import ndimage

    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[:, 1, 1] = in_plane[1, :, 1] = True
    parts, count = ndimage.label(~body, in_plane)
    open_ = np.zeros(count + 1, bool)
    for side in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        open_[side.ravel()] = True
    open_[0] = False
    return np.asarray(~open_[parts])


def _pieces(core: NDArray[np.bool_], hu: NDArray[np.int16], voxel_mm3: float) -> NDArray[np.bool_]:
    from scipy import ndimage

    parts, count = ndimage.label(core)
    if count == 0:
        return np.zeros_like(core)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    bone = np.bincount(parts[hu > _BONE_HU], minlength=count + 1)
    sizes[0] = bone[0] = 0
    keep = (sizes * voxel_mm3 / 1000.0 >= _LEAST_ML) & (bone >= _LEAST_BONE * sizes)
    keep[int(np.argmax(sizes))] = True
    keep[0] = False
    return np.asarray(keep[parts])
