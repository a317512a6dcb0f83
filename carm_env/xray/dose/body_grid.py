"""The patient at about 5 mm: the body without what lies around it, its outside found."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.blocks import block_means
from carm_env.patient.body import AIR_HU
from carm_env.patient.model import Patient, Placed, Volume

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

STEP_MM = 5.0
OUTSIDE_HU = -1000.0
TISSUE_MAX_HU = 0.0
_RIM = 3
"""Voxels between the skin and the nearest block of 2 x 2 x 2 that is all air, at most."""


@dataclass(frozen=True, eq=False)
class BodyGrid(Placed):
    """A patient's body on a grid of about 5 mm.

    Attributes:
        affine: voxel indices to LPS mm, [4, 4].
        hu: mean Hounsfield units of the body, -1000 where other things lie outside it, float32 [X, Y, Z].
        inside: body, and the air within it (lungs, airways, bowel), bool [X, Y, Z].
    """

    affine: F64
    hu: F32
    inside: Mask

    def holds(self, points_mm: F64) -> Mask:
        """Whether LPS points [K, 3] lie in the body."""
        index = np.rint(self.to_index(points_mm)).astype(int)
        within = ((index >= 0) & (index < self.inside.shape)).all(axis=1)
        index[~within] = 0
        return np.asarray(self.inside[tuple(index.T)] & within)

    def solid(self) -> F32:
        """Hounsfield units with tissue's own in all of the body, at most 0, and air around it: above ``AIR_HU`` inside
        and nowhere else."""
        filled = np.where(self.inside & (self.hu <= AIR_HU), TISSUE_MAX_HU, self.hu)
        return np.clip(filled, OUTSIDE_HU, TISSUE_MAX_HU, dtype=np.float32)


_grids: WeakKeyDictionary[Patient, BodyGrid] = WeakKeyDictionary()


def body_grid(patient: Patient) -> BodyGrid:
    """The grid of a patient, found once."""
    if patient not in _grids:
        _grids[patient] = find_body(patient.volume)
    return _grids[patient]


def find_body(volume: Volume) -> BodyGrid:
    """Finds the body: the largest connected piece of tissue after an opening that severs couch and noise, and all that
    the air around it does not reach through gaps of some 10 mm. A CT without tissue has an empty body."""
    step = np.clip(np.rint(STEP_MM / volume.spacing_mm), 1, volume.hu.shape)
    hu, affine = block_means(volume.hu, volume.affine, step.astype(np.intp))
    hu = np.pad(hu, [(0, n % 2) for n in hu.shape], mode="edge")
    tissue = hu > AIR_HU
    around = _grown(_doubled(_reached(~_halved(tissue))), ~tissue, _RIM)
    inside = _grown(_largest(_opened(~around)), ~around, 1)
    return BodyGrid(affine, np.where(inside | around, hu, np.float32(OUTSIDE_HU)), inside)


def _halved(mask: Mask) -> Mask:
    """Whether any voxel of a block of 2 x 2 x 2 is set; sides are even."""
    pairs = mask[0::2] | mask[1::2]
    pairs = pairs[:, 0::2] | pairs[:, 1::2]
    return np.asarray(pairs[:, :, 0::2] | pairs[:, :, 1::2])


def _doubled(mask: Mask) -> Mask:
    return mask.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)


def _reached(air: Mask) -> Mask:
    """Air that is connected with the sides (x and y) of the grid."""
    from scipy import ndimage

    labels, _ = ndimage.label(air)
    sides = np.unique(np.concatenate([labels[[0, -1]].ravel(), labels[:, [0, -1]].ravel()]))
    return np.asarray(np.isin(labels, sides[sides > 0]))


def _largest(mask: Mask) -> Mask:
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    return np.asarray(labels == (1 + np.argmax(np.bincount(labels.ravel())[1:]) if count else -1))


def _grown(mask: Mask, within: Mask, times: int) -> Mask:
    """``mask`` and, ``times`` over, its neighbours across a face, as far as ``within`` allows."""
    out = mask & within
    for _ in range(times):
        before = out.copy()
        for axis in range(3):
            to, at = np.moveaxis(out, axis, 0), np.moveaxis(before, axis, 0)
            to[1:] |= at[:-1]
            to[:-1] |= at[1:]
        out &= within
    return out


def _opened(mask: Mask) -> Mask:
    return _grown(~_grown(~mask, np.ones_like(mask), 1), np.ones_like(mask), 1)
