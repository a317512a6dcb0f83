"""One episode of a policy in the real environment."""

from functools import cache
from typing import NamedTuple

import gymnasium

import carm_env  # noqa: F401
from agents.registry import make_policy

ONE_PERSON = "phantom:3"
"""One body in many placements: nothing is built twice."""


class Ride(NamedTuple):
    success: bool
    outcome: str
    exposures: int
    kap_gycm2: float
    elapsed_s: float
    error_mm: float
    collisions: int
    steps: int


@cache
def environment(env_id, perception, patient=ONE_PERSON, **perception_args):
    return gymnasium.make(env_id, perception=perception, perception_args=perception_args, patient=patient)


def begin(env, policy, seed):
    observation, info = env.reset(options={"episode_seed": seed})
    if getattr(policy, "privileged", False):
        policy.inform(info["target_mm"])
    return observation


def ride(policy, seed, perception="oracle", env_id="CArm/PelvisToHead-v0", patient=ONE_PERSON, **args):
    env, driver = environment(env_id, perception, patient), make_policy(policy, **args)
    observation, state, over, steps, collisions = begin(env, driver, seed), None, False, 0, 0
    while not over:
        action, state = driver.predict(observation, state, episode_start=steps == 0, deterministic=True)
        assert env.action_space.contains(action)
        observation, _, terminated, truncated, info = env.step(action)
        steps, over, collisions = steps + 1, terminated or truncated, collisions + info["collision"]
    return Ride(
        info["is_success"], info["outcome"], info["exposures"], info["kap_gycm2"], info["elapsed_s"],
        info["error_mm"], collisions, steps,
    )
