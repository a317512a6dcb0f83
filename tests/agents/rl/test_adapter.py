"""Batched environments as Stable-Baselines3 sees them."""

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecMonitor

from agents.rl.adapter import Sb3VecEnv
from agents.rl.orders import CHOICES, VERBS
from agents.rl.practice import PracticeEnv
from carm_env.errors import CarmError
from carm_env.vector import CArmVectorEnv
from tests.agents.rl.conftest import CONFIG

VERIFY, DECLARE = ([[VERBS.index(verb), *[0] * (len(CHOICES) - 1)]] * 2 for verb in ("verify", "declare"))


def test_ended_lanes_restart_in_the_same_step_and_tell_their_last_observation():
    env = VecMonitor(Sb3VecEnv(PracticeEnv(2, **CONFIG)))
    env.seed(3)
    env.reset()
    ended = 0
    for step in range(6):
        observation, reward, done, infos = env.step(np.array(DECLARE if step % 2 else VERIFY))
        assert reward.dtype == np.float32
        for lane in np.flatnonzero(done):
            ended += 1
            assert env.observation_space.contains(infos[lane]["terminal_observation"])
            assert infos[lane]["TimeLimit.truncated"] is False
            assert infos[lane]["episode"]["l"] == infos[lane]["decisions"]
            assert (observation[lane] != infos[lane]["terminal_observation"]).any()
    assert ended


def test_the_raw_environment_fits_too():
    env = Sb3VecEnv(CArmVectorEnv(2, max_episode_steps=3, autoreset_mode="SameStep", **CONFIG))
    assert set(env.reset()) == set(env.observation_space.spaces)
    for _ in range(3):
        _, _, done, infos = env.step(np.zeros((2, 14), np.float32) - 0.5)
    assert done.all()
    assert all(info["TimeLimit.truncated"] for info in infos)


def test_another_autoreset_mode_is_refused():
    with pytest.raises(CarmError, match="SAME_STEP"):
        Sb3VecEnv(CArmVectorEnv(1, **CONFIG))
