"""Start, goal, success and reward of DESIGN section 4a."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from carm_env.sim import nominal
from carm_env.sim.result import OUTCOMES, REWARD_TERMS
from tests.sim.drive import action, at_target, simulator

LOOK = {"deploy": 1, "expose_a": 1, "expose_b": 1}


def verified(**config):
    sim = simulator(**config)
    sim.reset([1])
    at_target(sim)
    sim.step(action(**LOOK)[None])
    return sim


def outcome(sim, **kind):
    r = sim.step(action(deploy=1, declare=1, **kind)[None])
    assert r.terminated[0]
    return OUTCOMES[r.outcome[0]]


def test_declare_after_verification_at_the_goal_succeeds():
    sim = verified()
    assert outcome(sim) == "success"
    assert sim.result.reward_terms[0, REWARD_TERMS.index("success")] == 1


def test_verification_and_declaration_may_share_a_step():
    sim = simulator()
    sim.reset([1])
    assert outcome(at_target(sim), expose_a=1, expose_b=1) == "success"


@pytest.mark.parametrize(
    "kind",
    [{}, {"expose_a": 1}, {"expose_b": 1}, {"expose_a": 1, "expose_b": 1, "preset": -0.25},
     {"expose_a": 1, "expose_b": 1, "field_a": 0.0}],
)  # fmt: skip
def test_declare_without_a_complete_verification_fails(kind):
    """None, one plane only, preset low, field of A below 150 mm."""
    sim = simulator()
    sim.reset([1])
    at_target(sim)
    sim.step(action(deploy=1, **kind)[None])
    assert outcome(sim) == "false_arrival"
    assert sim.result.reward_terms[0, REWARD_TERMS.index("false_arrival")] == -1


def test_a_motion_after_the_verification_undoes_it():
    sim = verified()
    sim.result.position[0, 0] += 0.5
    assert outcome(sim) == "false_arrival"


EDGES = [
    (0, 9.9, True), (0, 10.1, False), (1, 10.1, False), (2, -10.1, False),
    (3, 2.9, True), (3, 3.1, False), (5, -3.1, False), (4, 3.1, False),
]  # fmt: skip


@pytest.mark.parametrize(("axis", "off", "good"), EDGES)
def test_tolerances(axis, off, good):
    sim = simulator()
    sim.reset([1])
    at_target(sim)
    sim.result.position[0, axis] += off
    sim.step(action(**LOOK)[None])
    assert (outcome(sim) == "success") == good


@pytest.mark.parametrize(("axis", "rate", "good"), [(0, 2.5, False), (2, 1.9, True), (3, 0.6, False), (4, 0.4, True)])
def test_table_and_gantry_must_rest(axis, rate, good):
    from carm_env.sim.task import at_rest

    velocity = np.zeros((1, 8))
    velocity[0, axis] = rate
    assert at_rest(velocity)[0] == good


def test_planar_success_ignores_depth_and_plane_b():
    from carm_env.sim.actions import preset_action

    sim = simulator(task="pelvis_to_head_2d")
    sim.reset([1])
    sim.result.position[0, [0, 2]] = sim.result.target_mm[0, [0, 2]]
    look = np.array([0, 0, 1, 1, preset_action(2), -1], np.float32)
    sim.step(look[None])
    look[[2, 5]] = -1, 1
    assert OUTCOMES[sim.step(look[None]).outcome[0]] == "success"


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**9))
def test_start_lies_near_the_nominal_groin(seed):
    sim = simulator()
    r = sim.reset([seed])
    setup = sim.setups[0]
    recorded = setup.recorded[2]
    x, y, z = nominal.groin_mm(recorded, sim.setups[0].patient.demographics.sex)
    start = r.position[0]
    assert abs(start[0] - x) <= 30 and start[1] == y
    assert abs(start[2] - setup.start_moved_mm - z) <= 60 + 1e-9
    assert start[3:].tolist() == [0, 0, 90, 0, 0]
    assert r.error_mm[0] > 300


def test_recorded_height_is_off_by_about_2_cm():
    true = simulator()
    errors = []
    for seed in range(60):
        true.reset([seed])
        s = true.setups[0]
        errors.append(s.recorded[2] - s.patient.demographics.height_cm)
    assert 1.4 < np.std(errors) < 2.6 and abs(np.mean(errors)) < 0.9


def test_placement_noise_has_the_stated_spread():
    sim = simulator()
    targets = []
    for seed in range(150):
        sim.reset([seed])
        targets.append(sim.result.target_mm[0].copy())
    x, y, z = np.std(targets, axis=0)
    assert 16 < x < 26 and 16 < y < 24 and 33 < z < 47


def test_reward_is_progress_minus_dose_minus_time():
    sim = simulator()
    before = sim.reset([1]).error_mm[0]
    initial = before
    r = sim.step(action(z=1, expose_a=1)[None])
    terms = dict(zip(REWARD_TERMS, r.reward_terms[0], strict=True))
    assert terms["progress"] == pytest.approx((before - r.error_mm[0]) / initial)
    assert terms["progress"] > 0
    assert terms["dose"] == pytest.approx(-0.05 * 1000 * r.kap_gycm2.sum())
    assert terms["time"] == pytest.approx(-0.01 * r.elapsed_s[0])
    assert r.reward[0] == pytest.approx(sum(terms.values()))


def test_search_dose_leaves_out_the_verification_at_the_final_pose_only():
    sim = simulator()
    sim.reset([1])
    at_target(sim)
    sim.result.position[0, 2] -= 5
    first = sim.step(action(**LOOK)[None]).kap_total_gycm2[0]
    assert sim.result.kap_search_gycm2[0] == pytest.approx(0, abs=1e-12)
    sim.result.position[0, 2] += 5
    r = sim.step(action(**LOOK)[None])
    assert r.kap_search_gycm2[0] == pytest.approx(first)
    assert r.kap_total_gycm2[0] > first


def test_landmark_reach_draws_many_goals_and_names_them():
    sim = simulator(task="landmark_reach")
    goals = set()
    for seed in range(40):
        sim.reset([seed])
        setup = sim.setups[0]
        goals.add(setup.goal)
        np.testing.assert_allclose(setup.target_mm, setup.landmarks_mm[setup.goal])
        low, high = setup.patient.volume.z_range_mm()
        assert low + 50 <= setup.patient.landmarks[LANDMARKS[setup.goal]][2] <= high - 50
        assert abs(setup.target_mm[0]) <= 140
    assert len(goals) > 8


def test_target_outside_the_ct_is_refused_in_one_line():
    with pytest.raises(CarmError, match=r"target_mm=\[0.0, 0.0, 99999.0\] lies outside") as caught:
        simulator(target_mm=[0, 0, 99999]).reset([0])
    assert "\n" not in str(caught.value)


def test_one_plane_devices_are_refused_for_the_biplane_task():
    with pytest.raises(CarmError, match="cios_spin"):
        simulator(device="cios_spin")
