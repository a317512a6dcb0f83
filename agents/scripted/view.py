"""One lane's observation in physical terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.belief import Evidence
from carm_env.machine.state import A1, A2, B1, B2, X, Z
from carm_env.patient.model import LANDMARKS
from carm_env.sim.perception import UNSEEN_SD_MM

F64 = NDArray[np.float64]

REST_MM_S, REST_DEG_S = 0.1, 0.05


@dataclass(frozen=True)
class View:
    """What a policy sees. Eight axes in the order of ``machine.state.AXES``; in planar tasks all but x and z are 0.

    Attributes:
        planar: the task has x, z and plane A only.
        position, velocity: [8]; contact: the last motion touched something.
        deployed: plane B is swung in (always True in planar tasks, which need no plane B).
        estimate_mm, sd_mm: last estimates, [P, 3]; valid: [P]; age_s: [P].
        nearest, visible: landmark probabilities of the last estimates, [P, 20].
        elapsed_s, kap_mgycm2: so far; goal: index of the landmark to reach, -1 where the task has a fixed goal.
        record: sex (0 F, 1 M), age, height cm, weight kg, arms raised; NaN where the record is silent, [5].
    """

    planar: bool
    position: F64
    velocity: F64
    contact: bool
    deployed: bool
    estimate_mm: F64
    sd_mm: F64
    valid: NDArray[np.bool_]
    age_s: F64
    nearest: F64
    visible: F64
    elapsed_s: float
    kap_mgycm2: float
    goal: int
    record: F64

    @classmethod
    def of(cls, observation: Mapping[str, NDArray[Any]]) -> View:
        """The view of an unbatched observation."""
        planar = "plane_b" not in observation
        axes: list[int] = [X, Z] if planar else list(range(8))
        known = np.asarray(observation["demographics_known"]) > 0.5
        return cls(
            planar=planar,
            position=_spread(observation["encoders"], axes),
            velocity=_spread(observation["velocities"], axes),
            contact=bool(observation["contact"][0] > 0.5),
            deployed=planar or bool(observation["plane_b"][0] > 0.5),
            estimate_mm=np.asarray(observation["estimate_mm"], float).reshape(-1, 3),
            sd_mm=np.asarray(observation["estimate_sd_mm"], float).reshape(-1, 3),
            valid=np.asarray(observation["estimate_valid"]) > 0.5,
            age_s=np.asarray(observation["estimate_age_s"], float),
            nearest=np.asarray(observation["landmark_nearest"], float).reshape(-1, len(LANDMARKS)),
            visible=np.asarray(observation["landmark_visible"], float).reshape(-1, len(LANDMARKS)),
            elapsed_s=float(observation["elapsed_s"][0]),
            kap_mgycm2=1000.0 * float(np.sum(observation["kap_gycm2"])),
            goal=int(np.argmax(observation["goal"])) if "goal" in observation else -1,
            record=np.where(known, np.asarray(observation["demographics"], float), np.nan),
        )

    @property
    def target(self) -> str:
        """Name of what the isocentre shall reach: a landmark, or the sella."""
        if self.goal >= 0:
            return LANDMARKS[self.goal]
        return "skull" if self.planar else "sella"

    def evidence(self, plane: int) -> Evidence:
        """What the last estimate of a plane says of the target, if it came with this observation.

        Planar tasks do not tell the isocentre's depth, so nothing is taken from them along y.
        """
        sd_mm = np.maximum(self.sd_mm[plane], (0.0, UNSEEN_SD_MM * self.planar, 0.0))
        angles = self.position[[A1, A2] if plane == 0 else [B1, B2]]
        return Evidence.of(plane, self.position[:3], angles, self.estimate_mm[plane], sd_mm)

    @property
    def resting(self) -> bool:
        """Table and gantry stand still."""
        return bool((np.abs(self.velocity[:3]) < REST_MM_S).all() and (np.abs(self.velocity[3:]) < REST_DEG_S).all())


def _spread(values: NDArray[Any], axes: list[int]) -> F64:
    out = np.zeros(8)
    out[axes] = values
    return out
