"""Body, bone and lungs of a CT on the coarse grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.grid import Grid, Mask

F64 = NDArray[np.float64]

TISSUE_HU, AIR_HU = -400.0, -450.0
BONE_HU, SHAFT_HU = 180.0, 230.0
LUNG_HU = (-915.0, -500.0)
"""Median inside a lung; gas of the bowel and the room's air lie below. A large one may be emphysema: down to -955."""
_EMPHYSEMA_HU, _LARGE_MM3 = -955.0, 1e6
_LEAST_LUNG_MM3 = 8e4
_LEAST_BODY_MM3 = 1e6
_COUCH_MM = 6.0


@dataclass(frozen=True, eq=False)
class Tissue:
    """Masks [X, Y, Z] on a grid, made when they are asked for."""

    grid: Grid

    @cached_property
    def body(self) -> Mask:
        """The patient with all air inside, without couch; empty where nothing as large as a head is found."""
        from scipy import ndimage

        tissue = self.grid.smooth > TISSUE_HU
        opened = ndimage.binary_opening(tissue, iterations=self.grid.voxels(_COUCH_MM))
        body = largest(opened)
        if np.count_nonzero(body) * self.grid.step_mm**3 < _LEAST_BODY_MM3:
            return np.zeros_like(tissue)
        body = ndimage.binary_dilation(body, iterations=self.grid.voxels(_COUCH_MM)) & tissue
        for k in range(body.shape[2]):
            body[:, :, k] = ndimage.binary_fill_holes(body[:, :, k])
        return np.asarray(body, bool)

    @cached_property
    def bone(self) -> Mask:
        """Voxels of the body as dense as bone: also metal, contrast and calcium."""
        return np.asarray((self.grid.smooth > BONE_HU) & self.body, bool)

    @cached_property
    def shafts(self) -> tuple[Mask, Mask]:
        """Bone as dense as the shafts of long bones, with one and with two voxels around it."""
        from scipy import ndimage

        near = ndimage.binary_dilation((self.grid.smooth > SHAFT_HU) & self.body)
        return np.asarray(near, bool), np.asarray(ndimage.binary_dilation(near), bool)

    @cached_property
    def air(self) -> Mask:
        """Air inside the body: lungs, airways, gas."""
        return np.asarray((self.grid.smooth < AIR_HU) & self.body, bool)

    @cached_property
    def lungs(self) -> Mask:
        """Both lungs with the larger airways; empty where the CT holds none."""
        from scipy import ndimage

        labels, count = ndimage.label(ndimage.binary_opening(self.air))
        out = np.zeros(self.air.shape, bool)
        if count == 0:
            return out
        sizes = np.bincount(labels.ravel()) * self.grid.step_mm**3
        inner = ndimage.binary_erosion(self.air, iterations=2)
        for i in np.flatnonzero(sizes[1:] > _LEAST_LUNG_MM3) + 1:
            part = labels == i
            least = _EMPHYSEMA_HU if sizes[i] > _LARGE_MM3 else LUNG_HU[0]
            if (part & inner).any() and least < np.median(self.grid.hu[part & inner]) < LUNG_HU[1]:
                out |= part
        return out


def largest(mask: Mask) -> Mask:
    """The largest connected piece."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    if count == 0:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])), bool)
