"""The batched environments behave as N single ones."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import carm_env
from carm_env.env import CArmEnv
from carm_env.vector import CArmVectorEnv
from tests.sim.drive import PATIENT, action, wander


@pytest.mark.parametrize("env_id", list(carm_env.ENV_IDS))
def test_make_vec_gives_the_twin(env_id):
    envs = gymnasium.make_vec(env_id, num_envs=2, patient=PATIENT)
    assert isinstance(envs, CArmVectorEnv)
    observation, info = envs.reset(seed=0)
    assert observation in envs.observation_space
    assert info["episode_seed"].tolist() == [0, 1]
    observation, reward, terminated, truncated, _ = envs.step(envs.action_space.sample() * 0)
    assert observation in envs.observation_space
    assert reward.shape == terminated.shape == truncated.shape == (2,)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.max_episode_steps == 450


def test_lanes_equal_single_environments():
    envs = CArmVectorEnv(2, patient=PATIENT)
    singles = [CArmEnv(patient=PATIENT) for _ in range(2)]
    batch, _ = envs.reset(seed=20)
    for i, env in enumerate(singles):
        alone, _ = env.reset(seed=20 + i)
        for key in alone:
            np.testing.assert_array_equal(alone[key], batch[key][i], err_msg=key)
    for actions in wander(0, 5, 2):
        batch, reward, *_ = envs.step(actions)
        for i, env in enumerate(singles):
            alone, single_reward, *_ = env.step(actions[i])
            assert single_reward == reward[i]
            for key in alone:
                np.testing.assert_array_equal(alone[key], batch[key][i], err_msg=key)


def test_next_step_mode_restarts_in_the_step_after_the_end():
    envs = CArmVectorEnv(2, patient=PATIENT)
    envs.reset(seed=0)
    declare = np.stack([action(declare=1), action()])
    _, _, terminated, _, info = envs.step(declare)
    assert terminated.tolist() == [True, False]
    assert info["outcome"][0] == "false_arrival"
    observation, reward, terminated, _, info = envs.step(declare)
    assert terminated.tolist() == [False, False] and reward[0] == 0
    assert observation["elapsed_s"][0, 0] == 0 < observation["elapsed_s"][1, 0]
    assert info["episode_seed"][0] != 0


def test_same_step_mode_hands_out_the_final_observation():
    envs = CArmVectorEnv(2, patient=PATIENT, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset(seed=0)
    observation, reward, terminated, _, info = envs.step(np.stack([action(declare=1), action()]))
    assert terminated[0] and reward[0] < -0.9
    assert observation["elapsed_s"][0, 0] == 0
    assert info["final_obs"][0]["elapsed_s"][0] == pytest.approx(2 / 15)
    assert info["final_obs"][1] is None
    assert info["_final_obs"].tolist() == [True, False]
    assert info["final_info"]["outcome"][0] == "false_arrival"


def test_lanes_are_truncated_at_the_limit():
    envs = CArmVectorEnv(2, patient=PATIENT, max_episode_steps=3)
    envs.reset(seed=0)
    idle = np.stack([action(), action()])
    ends = [envs.step(idle)[3].tolist() for _ in range(3)]
    assert ends == [[False, False], [False, False], [True, True]]


def test_disabled_autoreset_asks_for_a_reset():
    envs = CArmVectorEnv(2, patient=PATIENT, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    envs.step(np.stack([action(declare=1), action()]))
    with pytest.raises(ValueError, match=r"lanes \[0\]"):
        envs.step(np.stack([action(), action()]))
    _, info = envs.reset(options={"reset_mask": np.array([True, False])})
    envs.step(np.stack([action(), action()]))
    assert info["episode_seed"][1] == 1


def test_an_ended_episode_goes_on_to_the_same_next_one_as_the_single_environment():
    envs, env = CArmVectorEnv(1, patient=PATIENT, autoreset_mode=AutoresetMode.SAME_STEP), CArmEnv(patient=PATIENT)
    envs.reset(seed=5)
    env.reset(seed=5)
    _, _, _, _, info = envs.step(action(declare=1)[None])
    _, single = env.reset()
    assert info["episode_seed"][0] == single["episode_seed"]
