"""The environment of decisions."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from agents.rl.features import MOST, NAMES
from agents.rl.orders import CHOICES, VERBS
from agents.rl.practice import PracticeEnv
from carm_env import MAX_EPISODE_STEPS
from tests.agents.rl.conftest import CONFIG

COUNTS = np.array(list(CHOICES.values()))
LOOK = {"verb": VERBS.index("AB"), "way": 4, "field": 3}
VERIFY, DECLARE = {"verb": VERBS.index("verify")}, {"verb": VERBS.index("declare")}


def told(lanes, **parts):
    return np.array([[parts.get(name, 0) for name in CHOICES]] * lanes)


def drawn(rng, lanes):
    return rng.integers(0, COUNTS, (lanes, len(COUNTS)))


def test_random_decisions_keep_to_the_spaces_and_end_episodes(practice):
    env, rng, ended = practice(), np.random.default_rng(0), 0
    observation, _ = env.reset(seed=1)
    for _ in range(30):
        assert env.observation_space.contains(observation)
        observation, reward, terminated, truncated, info = env.step(drawn(rng, 3))
        assert np.isfinite(reward).all()
        assert not (terminated & truncated).any()
        for lane in np.flatnonzero(terminated | truncated):
            ended += 1
            assert env.single_observation_space.contains(info["final_obs"][lane])
            assert info["final_info"]["episode_seed"][lane] != env.simulator.result.episode_seed[lane]
    assert ended > 1


def test_a_seed_fixes_the_course(practice):
    courses = []
    for _ in range(2):
        env, rng = practice(), np.random.default_rng(3)
        seen = [env.reset(seed=5)[0]]
        for _ in range(6):
            observation, reward, *_ = env.step(drawn(rng, 3))
            seen += [observation, reward]
        courses.append(np.concatenate([np.ravel(s) for s in seen]))
    assert (courses[0] == courses[1]).all()


def test_a_lane_does_not_depend_on_the_others():
    rng = np.random.default_rng(4)
    decisions = [drawn(rng, 2) for _ in range(5)]
    both, alone = PracticeEnv(2, seeds=[7, 8], **CONFIG), PracticeEnv(1, seeds=[8], **CONFIG)
    both.reset(), alone.reset()
    for decision in decisions:
        pair, rewards, ended, cut, _ = both.step(decision)
        single, reward, *_ = alone.step(decision[1:])
        assert rewards[1] == pytest.approx(reward[0], abs=1e-9)
        if ended[1] or cut[1]:
            return
        assert pair[1] == pytest.approx(single[0], abs=1e-5)


def test_look_verify_declare_arrives(practice):
    env = practice(lanes=8)
    env.reset(seed=2)
    for decision in (LOOK, LOOK, LOOK, VERIFY, DECLARE):
        _, reward, terminated, _, info = env.step(told(8, **decision))
    assert terminated.mean() > 0.8
    assert (info["final_info"]["is_success"] & terminated).mean() > 0.6
    assert reward[info["final_info"]["is_success"]].min() > 0.9


def test_the_reward_of_a_decision_is_the_sum_of_its_steps(practice):
    env = practice(lanes=1)
    env.reset(seed=3)
    began_mm = env.simulator.result.error_mm[0]
    _, reward, _, _, info = env.step(told(1, **LOOK))
    result = env.simulator.result
    spent = 0.05 * 1000.0 * result.kap_total_gycm2[0] + 0.01 * result.elapsed_s[0] + 0.5 * info.get("contacts", 0)
    assert reward[0] == pytest.approx((began_mm - result.error_mm[0]) / began_mm - spent, abs=1e-9)


def test_seeds_are_played_once_and_then_lanes_rest():
    env, done = PracticeEnv(2, seeds=[1, 2, 3], **CONFIG), 0
    env.reset()
    for _ in range(60):
        _, _, terminated, truncated, _ = env.step(told(2, **(VERIFY if done % 2 else DECLARE)))
        done += int((terminated | truncated).sum())
    assert done == 3
    assert env.courses == [None, None]


@pytest.mark.parametrize("task", ["pelvis_to_head_2d", "landmark_reach"])
@pytest.mark.parametrize("verb", ["A", "B", "AB"])
def test_planar_tasks_are_driven_with_their_only_plane(task, verb):
    env = PracticeEnv(2, task=task, **CONFIG)
    env.reset(seed=1)
    observation, *_ = env.step(told(2, verb=VERBS.index(verb), way=4, field=3))
    assert env.observation_space.contains(observation)
    assert (env.simulator.result.exposures == 1).all()
    ended = np.zeros(2, bool)
    for _ in range(env.student.max_orders):
        _, _, terminated, truncated, _ = env.step(told(2, **DECLARE))
        ended |= terminated | truncated
    assert ended.all()


def test_after_many_decisions_it_gives_up_and_exposes_no_more(practice):
    env = practice(lanes=1)
    env.reset(seed=1)
    look = told(1, verb=VERBS.index("A"), field=3)
    for _ in range(env.student.max_orders - 1):
        assert not env.step(look)[3].any()
    assert env.step(look)[3].all()
    assert env.control_steps == MAX_EPISODE_STEPS


def test_images_stand_beside_the_features():
    env = PracticeEnv(2, image=True, **{**CONFIG, "image_pixels": 40})
    observation, _ = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    assert not observation["image"].any()
    observation = env.step(told(2, **LOOK))[0]
    assert observation["image"][:, 0].any()


def test_a_box_says_the_same_as_choices():
    rng = np.random.default_rng(9)
    box, plain = PracticeEnv(1, box=True, seeds=[4], **CONFIG), PracticeEnv(1, seeds=[4], **CONFIG)
    box.reset(), plain.reset()
    for _ in range(3):
        decision = drawn(rng, 1)
        centres = (2.0 * (decision + 0.5) / COUNTS - 1.0).astype(np.float32)
        assert (box.step(centres)[0] == plain.step(decision)[0]).all()


def test_features_are_bounded_and_named(practice):
    env = practice()
    observation, _ = env.reset(seed=6)
    assert observation.shape == (3, len(NAMES))
    assert observation.dtype == np.float32
    assert np.abs(observation).max() <= MOST
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_actions_of_another_shape_are_refused(practice):
    env = practice()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="want"):
        env.step(np.zeros((3, 2), int))
