"""Success and reward (DESIGN section 4a): judged on the truth, in physical units, for a batch of lanes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.machine.state import A1, A2, B1, B2, DEPLOY

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

REST_MM_S = 2.0
REST_DEG_S = 0.5
TOLERANCE_MM = 10.0
TOLERANCE_DEG = 3.0
VERIFY_FIELD_MM = 150.0
VERIFY_PRESET = 2
"""Index of ``normal``: the lowest dose preset of a verification exposure."""
SAME_POSE = 1e-6

DOSE_PRICE = 0.05
"""Per mGy cm2."""
TIME_PRICE = 0.01
"""Per second."""
COLLISION_PRICE = 0.5


def position_error_mm(position: F64, target_mm: F64, planar: bool) -> F64:
    """Distance of the isocentre from the target, 3-D or x-z, [N]."""
    delta = position[:, :3] - target_mm
    if planar:
        delta = delta[:, [0, 2]]
    return np.linalg.norm(delta, axis=1)


def angle_error_deg(position: F64, home_angles: F64, deploy_deg: float, planes: int) -> F64:
    """Largest deviation of a required angle, [N]; a plane B that is not swung in counts by its swing."""
    axes = [A1, A2] if planes == 1 else [A1, A2, B1, B2]
    off = np.abs((position[:, axes] - home_angles[: len(axes)] + 180.0) % 360.0 - 180.0)
    if planes == 2:
        off = np.column_stack([off, deploy_deg - position[:, DEPLOY]])
    return off.max(axis=1)


def at_rest(velocity: F64) -> Flags:
    """Table and gantry rest, [N]."""
    return (np.abs(velocity[:, :3]).max(axis=1) < REST_MM_S) & (np.abs(velocity[:, 3:]).max(axis=1) < REST_DEG_S)


@dataclass
class Verification:
    """The last verification exposure of each plane and lane: where it was taken and what it cost."""

    pose: F64
    kap_gycm2: F64
    taken: Flags

    @classmethod
    def none(cls, lanes: int, planes: int) -> Verification:
        return cls(np.zeros((lanes, planes, 8)), np.zeros((lanes, planes)), np.zeros((lanes, planes), bool))

    def forget(self, lanes: NDArray[np.int64]) -> None:
        self.taken[lanes] = False
        self.kap_gycm2[lanes] = 0.0

    def update(self, lanes: NDArray[np.int64], position: F64, qualifies: Flags, kap_gycm2: F64) -> None:
        """Drops what a motion outdated, then notes this step's qualifying exposures (all arrays over ``lanes``)."""
        moved = np.abs(self.pose[lanes] - position[:, None]).max(axis=2) > SAME_POSE
        self.taken[lanes] &= ~moved
        self.taken[lanes] |= qualifies
        self.pose[lanes] = np.where(qualifies[..., None], position[:, None], self.pose[lanes])
        kap = np.where(qualifies, kap_gycm2, self.kap_gycm2[lanes])
        self.kap_gycm2[lanes] = np.where(self.taken[lanes], kap, 0.0)

    def complete(self, lanes: NDArray[np.int64]) -> Flags:
        return np.asarray(self.taken[lanes].all(axis=1), bool)


def reward_terms(
    before_mm: F64, after_mm: F64, initial_mm: F64, kap_mgycm2: F64, elapsed_s: F64,
    success: Flags, false_arrival: Flags, contact: Flags,
) -> F64:
    """The six named terms in the order of ``REWARD_TERMS``, [N, 6]; the reward is their sum."""
    return np.stack(
        [
            (before_mm - after_mm) / np.maximum(initial_mm, 1.0),
            -DOSE_PRICE * kap_mgycm2,
            -TIME_PRICE * elapsed_s,
            success.astype(float),
            -false_arrival.astype(float),
            -COLLISION_PRICE * contact,
        ],
        axis=1,
    )
