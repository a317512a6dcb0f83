"""The registered environments, as Gymnasium and Stable-Baselines3 see them."""

import json
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import carm_env
from carm_env.env import CArmEnv
from carm_env.sim import episode_setup
from carm_env.sim.config import DT_S
from tests.sim.drive import PATIENT, action

IDS = list(carm_env.ENV_IDS)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("image_obs", [False, True])
def test_gymnasium_check_env_has_no_complaint(env_id, image_obs):
    env = gymnasium.make(env_id, patient=PATIENT, image_obs=image_obs, render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("image_obs", [False, True])
def test_sb3_check_env_has_no_complaint(env_id, image_obs):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(gymnasium.make(env_id, patient=PATIENT, image_obs=image_obs).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_spec_survives_json(env_id):
    env = gymnasium.make(env_id, patient=PATIENT, perception="noisy", perception_args={}, target_mm=None)
    text = env.spec.to_json()
    assert EnvSpec.from_json(text).to_json() == text
    assert json.loads(text)["kwargs"]["patient"] == PATIENT


def test_spaces_are_those_of_the_design():
    env = CArmEnv(patient=PATIENT)
    assert env.action_space == gymnasium.spaces.Box(-1, 1, (14,), np.float32)
    assert set(env.observation_space.keys()) == {
        "encoders", "velocities", "at_limit", "contact", "plane_b", "estimate_mm", "estimate_sd_mm", "estimate_valid",
        "estimate_age_s", "landmark_nearest", "landmark_visible", "technique", "kap_gycm2", "elapsed_s",
        "demographics", "demographics_known",
    }  # fmt: skip
    planar = CArmEnv(task="landmark_reach", patient=PATIENT)
    assert planar.action_space.shape == (6,)
    assert planar.observation_space["goal"].shape == (20,)


def test_every_observation_key_is_documented_with_its_shape():
    from carm_env.sim.spaces import entries

    text = CArmEnv.__doc__
    for task in carm_env.ENV_IDS.values():
        for entry in entries(task, image=True):
            assert f"| `{entry.name}` |" in text


def test_episodes_are_cut_at_60_s():
    spec = gymnasium.spec("CArm/PelvisToHead-v0")
    assert spec.max_episode_steps * DT_S == pytest.approx(60.0)


def test_a_seed_starts_that_episode_and_seeds_the_next():
    env = CArmEnv(patient=PATIENT)
    seeds = []
    for _ in range(2):
        _, first = env.reset(seed=7)
        _, second = env.reset()
        seeds.append((first["episode_seed"], second["episode_seed"]))
    assert seeds[0] == seeds[1]
    assert seeds[0][0] == 7 != seeds[0][1]


def test_info_has_the_same_keys_and_shapes_at_reset_and_in_every_step():
    env = CArmEnv(patient=PATIENT)
    _, first = env.reset(seed=1)
    _, _, _, _, second = env.step(action(expose_a=1))
    assert first.keys() == second.keys()
    for key in first:
        assert np.shape(first[key]) == np.shape(second[key]), key


def test_success_is_told_to_sb3():
    env = CArmEnv(patient=PATIENT)
    env.reset(seed=1)
    _, _, over, _, info = env.step(action(declare=1))
    assert over and info["is_success"] is False and info["outcome"] == "false_arrival"


@pytest.mark.parametrize("bad", [np.full(14, np.nan, np.float32), np.zeros(13, np.float32)])
def test_bad_actions_are_refused(bad):
    env = CArmEnv(patient=PATIENT)
    env.reset(seed=1)
    with pytest.raises(ValueError, match="14 finite numbers"):
        env.step(bad)


def test_the_truth_is_in_no_observation(monkeypatch):
    """Another misplacement and another target, nothing seen yet or no perception: not a number differs."""

    def watch(**config):
        env = CArmEnv(patient=PATIENT, perception="none", **config)
        shown = [env.reset(seed=3)[0]]
        shown += [env.step(action(z=0.5))[0] for _ in range(3)]
        return shown, env.simulator.result.target_mm[0].copy()

    here, target = watch()
    patient = CArmEnv(patient=PATIENT)
    patient.reset(seed=3)
    chest = patient.simulator.setups[0].patient.landmarks["carina"]
    elsewhere, other = watch(target_mm=[float(c) for c in chest])
    monkeypatch.setattr(episode_setup.nominal, "PLACEMENT_SD_MM", (60.0, 60.0, 90.0))
    moved, third = watch()
    assert np.abs(target - other).max() > 100 and np.abs(target - third).max() > 5
    for a, b, c in zip(here, elsewhere, moved, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)
            np.testing.assert_array_equal(a[key], c[key], err_msg=key)


def test_render_is_free_of_dose_and_side_effects():
    env = CArmEnv(patient=PATIENT, render_mode="rgb_array")
    env.reset(seed=1)
    env.step(action(expose_a=1))
    before = env.simulator.result.copy()
    picture = env.render()
    assert picture.shape == (128, 256, 3) and picture.dtype == np.uint8 and picture.std() > 5
    assert env.simulator.result.kap_total_gycm2[0] == before.kap_total_gycm2[0]
    np.testing.assert_array_equal(env.simulator.result.image, before.image)


def test_import_is_light():
    """Under 0.5 s, best of three, and without torch, hydra, SB3, pyvista or numba."""
    code = (
        "import time, sys; t = time.perf_counter(); import carm_env; t = time.perf_counter() - t;"
        "print(t, [m for m in ('torch', 'hydra', 'stable_baselines3', 'pyvista', 'numba') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
    times, modules = zip(*(run.split(maxsplit=1) for run in runs), strict=True)
    assert set(m.strip() for m in modules) == {"[]"}
    assert min(map(float, times)) < 0.5


def test_the_simulator_needs_no_heavy_package():
    code = (
        "import sys, carm_env.env, carm_env.vector;"
        "sys.exit(str([m for m in ('torch', 'hydra', 'stable_baselines3', 'pyvista') if m in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_sb3_learns_from_the_environment_as_it_is():
    sb3 = pytest.importorskip("stable_baselines3")
    env = gymnasium.make("CArm/PelvisToHead2D-v0", patient=PATIENT, max_episode_steps=8)
    model = sb3.PPO("MultiInputPolicy", env, n_steps=16, batch_size=16, n_epochs=1, device="cpu")
    assert model.learn(32).num_timesteps == 32
