"""Policies by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from agents.rl.learned import Learned
from agents.scripted.blind_check import BlindCheck
from agents.scripted.continuous import Continuous
from agents.scripted.covariance_gated import CovarianceGated
from agents.scripted.landmark_ladder import LandmarkLadder
from agents.scripted.low_dose_scout import LowDoseScout
from agents.scripted.oracle import Oracle
from agents.scripted.random import Random
from agents.scripted.regress_jump import RegressJump
from agents.scripted.step_and_shoot import StepAndShoot
from carm_env.sim.localisers.registry import build


class Policy(Protocol):
    """What a runner needs: Stable-Baselines3's ``predict``."""

    def predict(
        self,
        observation: dict[str, NDArray[Any]],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], Any]: ...


POLICIES: dict[str, Callable[..., Policy]] = {
    "regress_jump": RegressJump,
    "landmark_ladder": LandmarkLadder,
    "covariance_gated": CovarianceGated,
    "low_dose_scout": LowDoseScout,
    "learned": Learned,
    "step_and_shoot": StepAndShoot,
    "continuous": Continuous,
    "oracle": Oracle,
    "blind_check": BlindCheck,
    "random": Random,
}


def make_policy(name: str, **args: Any) -> Policy:
    """The policy ``name`` (a key of ``POLICIES``, or ``module:attribute`` of a class or function).

    Raises:
        CarmError: unknown name, module or attribute, or arguments that it does not take.
    """
    return cast(Policy, build("policy", name, POLICIES, args, "predict"))
