"""The belief's squared error in units of its own covariance (NEES; three degrees of freedom, 3 on average).

Errors of ``noisy`` are independent, those of networks are not; the belief assumes that near frames share some, so it is
somewhat cautious here: below 3.
"""

import numpy as np
import pytest

from agents.registry import make_policy
from tests.agents.drive import ONE_PERSON, begin, environment

UNDERWAY, ARRIVED = (1.5, 4.0), (0.8, 4.0)


def squared_errors(policy, seeds, patient=ONE_PERSON, **perception):
    """NEES after every frame, and at the end of every episode."""
    env, underway, arrived = environment("CArm/PelvisToHead-v0", "noisy", patient, **perception), [], []
    for seed in seeds:
        driver, state, over = make_policy(policy), None, False
        observation, target_mm = begin(env, driver, seed), env.unwrapped.simulator.result.target_mm[0]
        while not over:
            action, state = driver.predict(observation, state, episode_start=state is None)
            belief = state[0].belief
            off = belief.mm - target_mm
            nees = off @ np.linalg.solve(belief.covariance_mm2, off)
            underway += [nees] if state[0].fresh.any() else []
            observation, _, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
        arrived.append(nees)
    return np.mean(underway), np.mean(arrived)


@pytest.mark.parametrize("policy", ["regress_jump", "step_and_shoot"])
def test_the_belief_is_as_wrong_as_it_says(policy):
    underway, arrived = squared_errors(policy, range(12))
    assert UNDERWAY[0] < underway < UNDERWAY[1]
    assert ARRIVED[0] < arrived < ARRIVED[1]


def test_estimates_that_promise_too_much_are_told_by_it():
    underway, arrived = squared_errors("regress_jump", range(6), overconfidence=3.0)
    assert underway > 2 * UNDERWAY[1]
    assert arrived > 2 * ARRIVED[1]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["regress_jump", "low_dose_scout", "covariance_gated", "landmark_ladder"])
def test_the_belief_is_as_wrong_as_it_says_over_bodies(policy):
    both = [squared_errors(policy, range(8), f"phantom:{body}") for body in (0, 2, 3)]
    underway, arrived = np.mean(both, axis=0)
    assert UNDERWAY[0] < underway < UNDERWAY[1]
    assert ARRIVED[0] < arrived < ARRIVED[1]
