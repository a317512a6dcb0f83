"""Voxels in classes of nearly one material, for renderers that integrate by label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.xray.materials import Mixture

F64 = NDArray[np.float64]

LEVELS = 16
"""Classes between pure soft tissue and pure bone."""


@dataclass(frozen=True)
class MaterialClasses:
    """A CT as one number and one label a voxel.

    Attributes:
        total: attenuation as density of soft tissue, g/cm3, float32 [X, Y, Z]; exact at the CT's energy.
        labels: uint8 [X, Y, Z]; 0 is pure soft tissue.
        weights: [2, classes]: g of soft tissue and of bone in what attenuates like 1 g of soft tissue.
    """

    total: NDArray[np.float32]
    labels: NDArray[np.uint8]
    weights: F64


def material_classes(hu: NDArray[np.int16], mixture: Mixture, levels: int = LEVELS) -> MaterialClasses:
    """Sorts voxels by the part of their attenuation that is bone's, ``levels`` steps from none to all.

    A class stands for the mean part of its voxels, weighted by attenuation, so that the CT's bone is neither more nor
    less. Metal (a part above 1) goes on in the same steps, as far as 255 labels reach.
    """
    values = np.arange(np.iinfo(np.int16).min, np.iinfo(np.int16).max + 1)
    total_of = mixture.soft_slope * np.maximum(values + 1000.0, 0.0)
    bone_of = mixture.densities(values)[1]
    part_of = mixture.soft_per_bone * bone_of / np.maximum(total_of, 1e-9)
    label_of = np.clip(np.ceil(part_of * levels - 1e-9), 0, 255).astype(np.uint8)
    label_of[np.isclose(part_of, 1.0)] = levels + 1
    label_of[part_of > 1.0 + 1e-6] += 1
    index = hu.astype(np.int32) - values[0]
    counts = np.bincount(index.ravel(), minlength=len(values))
    attenuation = np.bincount(label_of, counts * total_of, 256)
    bone = np.bincount(label_of, counts * bone_of, 256)
    classes = int(label_of[np.flatnonzero(counts)].max()) + 1
    share = np.divide(bone, attenuation, out=np.zeros(256), where=attenuation > 0)[:classes]
    weights = np.stack([1.0 - mixture.soft_per_bone * share, share])
    return MaterialClasses(total_of.astype(np.float32)[index], label_of[index], weights)
