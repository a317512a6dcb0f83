"""What perception is given and what it answers: one row a frame (a frame = one plane of one lane)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Cameras
from carm_env.xray.exposure import Technique

F64 = NDArray[np.float64]

PRIOR_SD_MM: tuple[float, float, float] = (100.0, 100.0, 500.0)
"""Standard deviations (x, y, z) reported when nothing is known of the displacement."""
UNSEEN_SD_MM = 100.0
"""Least standard deviation along a direction that a view cannot see."""


@dataclass(frozen=True)
class Frames:
    """M exposed frames.

    Attributes:
        lane, plane: where each frame comes from, int [M]; plane 0 = A, 1 = B.
        signal: raw detector signal, float32 [M, H, W]; image: display image, uint8 [M, H, W].
        mask: inside the collimated field, bool [M, H, W].
        cameras: M cameras in the table frame (from the encoders).
        isocentre_mm: encoder position at exposure, table frame, [M, 3].
        angles_deg: primary and secondary angle, [M, 2].
        field_mm: field side at the isocentre, [M].
        technique, quanta: of the imaging pulse (quanta per mm2 of detector), [M].
        demographics: recorded [M, 5] (sex 0 F 1 M, age years, height cm, weight kg, arms raised), NaN where missing.
        goal: index of the landmark that is the goal, -1 where the goal is the sella or a given point, int [M].
    """

    lane: NDArray[np.int64]
    plane: NDArray[np.int64]
    signal: NDArray[np.float32]
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    cameras: Cameras
    isocentre_mm: F64
    angles_deg: F64
    field_mm: F64
    technique: Technique
    quanta: F64
    demographics: F64
    goal: NDArray[np.int64]


@dataclass(frozen=True)
class Context:
    """What built-in perceptions may use beside the frames; networks get frames only.

    Attributes:
        target_mm: the true target in the table frame, [M, 3].
        landmarks_mm: true landmarks in the table frame, NaN where the CT has none, [M, 20, 3].
        rng: one counter-based generator a frame (stream ``perception``, keyed by seed, step and plane; steps from 1).
        episode_seed: of each frame's lane, int [M]: for what the frames of an episode have in common (step 0).
    """

    target_mm: F64
    landmarks_mm: F64
    rng: list[np.random.Generator]
    episode_seed: NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """One row a frame; see DESIGN section 4, Perception.

    ``displacement_mm`` [M, 3] is target minus isocentre at the moment of exposure in table axes; ``covariance_mm2``
    [M, 3, 3]; ``landmark_nearest`` [M, 20] sums to one; ``landmark_visible`` [M, 20] in [0, 1]; where ``valid`` [M] is
    False the displacement is 0 and the covariance that of the prior.
    """

    lane: NDArray[np.int64]
    plane: NDArray[np.int64]
    displacement_mm: F64
    covariance_mm2: F64
    landmark_nearest: F64
    landmark_visible: F64
    valid: NDArray[np.bool_]


class Localiser(Protocol):
    """Perception in the loop. Its output for a frame does not depend on the other frames of the call."""

    name: str

    def estimate(self, frames: Frames, context: Context) -> Estimate: ...
