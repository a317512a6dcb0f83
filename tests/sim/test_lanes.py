"""A lane's course depends on its seed and actions, on nothing else in the batch."""

from dataclasses import fields

import numpy as np

from carm_env.sim.result import StepResult
from tests.sim.drive import drive, simulator, wander

SEEDS = [3, 11, 4]


def assert_same(one: StepResult, lane: int, other: StepResult, other_lane: int) -> None:
    for f in fields(StepResult):
        a, b = getattr(one, f.name)[lane], getattr(other, f.name)[other_lane]
        np.testing.assert_array_equal(a, b, err_msg=f.name)


def test_one_lane_equals_the_same_lane_among_many():
    actions = wander(0, 6, 3)
    many = simulator(3)
    many.reset(SEEDS)
    together = drive(many, actions)
    for lane, seed in enumerate(SEEDS):
        alone = simulator()
        alone.reset([seed])
        for step, expected in zip(drive(alone, actions[:, lane : lane + 1]), together, strict=True):
            assert_same(step, 0, expected, lane)


def test_permuted_lanes_give_permuted_results():
    order = [2, 0, 1]
    actions = wander(1, 6, 3)
    plain, permuted = simulator(3), simulator(3)
    plain.reset(SEEDS)
    permuted.reset([SEEDS[i] for i in order])
    for a, b in zip(drive(plain, actions), drive(permuted, actions[:, order]), strict=True):
        for new, old in enumerate(order):
            assert_same(a, old, b, new)


def test_lanes_left_out_of_a_step_stay_as_they_are():
    sim = simulator(2)
    before = sim.reset([1, 2]).copy()
    after = sim.step(wander(2, 1, 2)[0], lanes=[1])
    assert_same(before, 0, after, 0)
    assert after.step.tolist() == [0, 1]


def test_same_seed_same_episode():
    actions = wander(3, 5)
    runs = []
    for _ in range(2):
        sim = simulator()
        sim.reset([9])
        runs.append(drive(sim, actions)[-1])
    assert_same(runs[0], 0, runs[1], 0)
    assert runs[0].exposures[0] > 0


def test_other_seed_other_placement():
    sim = simulator(2)
    sim.reset([1, 2])
    assert np.abs(sim.result.target_mm[0] - sim.result.target_mm[1]).max() > 1.0
