"""Points in the organs: a few voxels of each label, always the same ones, spread evenly through it."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.model import Patient

F64 = NDArray[np.float64]

POINTS = 192
"""Most points in an organ."""
SITE_POINTS = 32
"""Most points in a part of the skeleton."""

ORGANS: dict[str, tuple[str, ...]] = {
    "lungs": ("right_lung", "left_lung", "lung_vessel"),
    "heart": ("heart",),
    "liver": ("liver",),
    "stomach": ("stomach",),
    "bowel": ("bowel", "bowel_content"),
    "spleen": ("spleen",),
    "pancreas": ("pancreas",),
    "kidneys": ("right_kidney", "left_kidney"),
    "bladder": ("bladder",),
    "gonads": ("pelvic_organ",),
    "breasts": ("breast",),
    "thyroid": ("thyroid",),
    "oral_mucosa": ("tongue",),
    "brain": ("brain", "ventricle", "pituitary"),
    "muscle": ("muscle",),
}
"""Organs and their labels. No label tells small from large bowel, nor the gonads: the pelvic organ (uterus, prostate)
stands for these [E], far too high for testes outside a pelvic field and too low within it."""


def _spine(level: str, count: int) -> tuple[str, ...]:
    return tuple(f"vertebra_{level}{i}" for i in range(1, count + 1))


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in ("right", "left"))


SITES: dict[str, tuple[float, tuple[str, ...]]] = {
    "cranium": (0.076, ("skull",)),
    "mandible": (0.008, ("mandible",)),
    "cervical": (0.039, _spine("C", 7)),
    "thoracic": (0.161, _spine("T", 12)),
    "lumbar": (0.123, _spine("L", 5)),
    "sacrum": (0.099, ("sacrum", "coccyx")),
    "ribs": (0.161, _both(*(f"rib_{i}" for i in range(1, 13)))),
    "sternum": (0.031, ("sternum",)),
    "clavicles": (0.008, _both("clavicle")),
    "scapulae": (0.028, _both("scapula")),
    "humeri": (0.023, _both("humerus")),
    "hips": (0.175, (*_both("hip"), "pubic_symphysis")),
    "femora": (0.067, _both("femur")),
}
"""Parts of the skeleton: their share of the active marrow of an adult (ICRP Publication 70, 1995, and 89, 2002, 40
years; upper halves of humeri and femora), and their labels."""
EYES: dict[str, tuple[str, ...]] = {name: (name,) for name in _both("eye_lens", "eye")}


@dataclass(frozen=True, eq=False)
class Samples:
    """Points in groups of labels.

    Attributes:
        names: of G groups: ``ORGANS``, ``SITES``, ``EYES``. voxels: how many the CT holds, [G].
        points_mm: patient LPS, [Q, 3]; group: of each point, [Q].
    """

    names: tuple[str, ...]
    voxels: NDArray[np.int64]
    points_mm: F64
    group: NDArray[np.int64]

    def of(self, name: str) -> NDArray[np.bool_]:
        """Which points belong to a group, [Q]."""
        return np.asarray(self.group == self.names.index(name))


_samples: WeakKeyDictionary[Patient, Samples] = WeakKeyDictionary()


def organ_samples(patient: Patient) -> Samples | None:
    """The points of a patient, found once; None without labels."""
    if patient.labels is None:
        return None
    if patient not in _samples:
        _samples[patient] = _draw(patient, patient.labels)
    return _samples[patient]


def _draw(patient: Patient, labels: NDArray[np.uint8]) -> Samples:
    """At equal distances in the order of the group's voxels in memory."""
    from carm_env.xray.dose import kernels_voxels as kernels

    groups = ORGANS | {name: members for name, (_, members) in SITES.items()} | EYES
    of_label = np.full(256, -1, np.int64)
    for g, members in enumerate(groups.values()):
        of_label[[LABELS[name] for name in members]] = g
    counts = kernels.label_counts(labels)
    voxels = np.array([counts[of_label == g].sum() for g in range(len(groups))])
    ranks = np.full((len(groups), POINTS), -1, np.int64)
    for row, name, n in zip(ranks, groups, voxels, strict=True):
        size = min(int(n), SITE_POINTS if name in SITES else POINTS)
        row[:size] = ((np.arange(size) + 0.5) * n / max(size, 1)).astype(np.int64)
    index = np.full((*ranks.shape, 3), -1, np.int64)
    kernels.label_samples(labels, of_label, ranks, index)
    group = np.repeat(np.arange(len(groups)), POINTS).reshape(ranks.shape)
    drawn = ranks >= 0
    return Samples(tuple(groups), voxels, patient.volume.to_mm(index[drawn]), group[drawn])
