"""What a patient is to the simulator: a CT, points in it, and what the record says of the person."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]

LANDMARKS: tuple[str, ...] = (
    "skull",
    "right_humeral_head",
    "left_humeral_head",
    "right_scapula",
    "left_scapula",
    "right_elbow",
    "left_elbow",
    "right_wrist",
    "left_wrist",
    "T1",
    "carina",
    "right_hemidiaphragm",
    "left_hemidiaphragm",
    "T12",
    "L5",
    "right_iliac_crest",
    "left_iliac_crest",
    "pubic_symphysis",
    "right_femoral_head",
    "left_femoral_head",
)
"""The 20 landmarks in the seed paper's order; stored ids are 1-based, array indices 0-based."""


SCAN_PREFIX = "ct-"
"""How ids of patients read from a CT begin."""


PLAUSIBLE = {"age_years": (0.0, 130.0), "height_cm": (30.0, 280.0), "weight_kg": (1.0, 650.0)}
"""Ranges of demographics that a record can be believed in."""


@dataclass(frozen=True)
class Demographics:
    """What the record says; ``None`` where it is silent."""

    sex: Literal["F", "M"] | None = None
    age_years: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None


class Placed:
    """Voxels in space, by their ``affine`` [4, 4] from indices (centres) to LPS millimetres."""

    affine: F64

    @cached_property
    def inverse_affine(self) -> F64:
        """LPS millimetres to voxel indices, [4, 4]."""
        return np.asarray(np.linalg.inv(self.affine), np.float64)

    @property
    def spacing_mm(self) -> F64:
        """Voxel size along the index axes, [3]."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), np.float64)

    def to_index(self, points_mm: ArrayLike) -> F64:
        """Continuous voxel indices of LPS points, [..., 3]."""
        return np.asarray(points_mm, float) @ self.inverse_affine[:3, :3].T + self.inverse_affine[:3, 3]

    def to_mm(self, index: ArrayLike) -> F64:
        """LPS millimetres of continuous voxel indices, [..., 3]."""
        return np.asarray(index, float) @ self.affine[:3, :3].T + self.affine[:3, 3]


@dataclass(frozen=True)
class Volume(Placed):
    """A CT: ``hu`` int16 [X, Y, Z], ``affine`` [4, 4] from voxel indices (centres) to LPS millimetres.

    Readers deliver index axes that point roughly along +x, +y, +z (patient left, posterior, head).
    """

    hu: NDArray[np.int16]
    affine: F64

    def z_range_mm(self) -> tuple[float, float]:
        """Lowest and highest slice centre along the axis of the body, LPS z."""
        ends = self.to_mm([[0, 0, 0], [0, 0, self.hu.shape[2] - 1]])[:, 2]
        return float(ends.min()), float(ends.max())


@dataclass(frozen=True, eq=False)
class Scan:
    """What a reader makes of files: a CT whose geometry is checked, and what else stands in them.

    Attributes:
        landmarks, targets: LPS mm, [3] each, where the files give them.
        notes: one line each on what was corrected or assumed; free of patient identifiers.
        meta: becomes the patient's, see ``Patient``.
        labels: organ ids uint8 [X, Y, Z] with the volume's voxels, where they are known.
    """

    volume: Volume
    demographics: Demographics = field(default_factory=Demographics)
    landmarks: dict[str, F64] = field(default_factory=dict)
    targets: dict[str, F64] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Patient:
    """A CT with landmarks and targets (LPS mm, [3] each; missing ones absent) and demographics.

    ``meta`` holds JSON values: ``source`` and ``split``; ``arms`` ("raised", "crossed", "at the sides") and
    ``synthetic_band_mm`` ([low, high] along z) where they are known; ``uncertainty_mm`` ({name: sd}) and ``origin``
    ({name: "estimated" | "segmentation"}) of landmarks and targets that nobody set by hand; ``notes``.

    ``id`` is unique to the content and safe to log (no patient identifiers): renderers and caches key on it.
    ``labels``, where they are known: organ ids (``carm_env.patient.anatomy.labels.LABELS``) uint8 [X, Y, Z] of the
    volume's voxels; of a CT with masks 0 where no mask names an organ.
    """

    id: str
    volume: Volume
    landmarks: dict[str, F64] = field(default_factory=dict)
    targets: dict[str, F64] = field(default_factory=dict)
    demographics: Demographics = field(default_factory=Demographics)
    meta: dict[str, Any] = field(default_factory=dict)
    labels: NDArray[np.uint8] | None = None

    @property
    def is_scan(self) -> bool:
        """Whether it was read from a CT rather than generated."""
        return self.id.startswith(SCAN_PREFIX)
