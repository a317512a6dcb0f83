"""``policy=learned`` in the loop."""

import numpy as np
import pytest

from agents.registry import make_policy
from agents.rl.evaluate import decide
from agents.rl.learned import SHIPPED, Learned
from agents.rl.nets import DecisionNet, Shape, load_policy, save_policy
from agents.rl.practice import PracticeEnv
from carm_env.errors import CarmError
from carm_env.vector import CArmVectorEnv
from tests.agents.drive import environment, ride
from tests.agents.rl.conftest import CONFIG
from tests.agents.test_policies import observation


def test_it_is_small_and_has_a_card():
    assert SHIPPED.stat().st_size <= 2_000_000
    assert SHIPPED.with_suffix(".json").exists()


def test_it_arrives_with_little_dose():
    rides = [ride("learned", seed, "surrogate") for seed in range(4)]
    assert all(r.success for r in rides)
    assert np.mean([r.kap_gycm2 for r in rides]) < 0.01


def test_it_drives_as_it_practised():
    """Seed by seed the same episode, whether decisions are steps or made in between."""
    practice = PracticeEnv(2, seeds=[11, 12], **CONFIG)
    net, _ = load_policy(SHIPPED)
    seen, _ = practice.reset()
    ends = {}
    while len(ends) < 2:
        seen, _, terminated, truncated, info = practice.step(decide(net, seen))
        for lane in np.flatnonzero(terminated | truncated):
            ends[int(info["final_info"]["episode_seed"][lane])] = info["final_info"]["kap_gycm2"][lane]
    env, policy = CArmVectorEnv(2, **CONFIG, autoreset_mode="Disabled"), Learned()
    (lanes, _), state, over = env.reset(seed=11), None, np.zeros(2, bool)
    while not over.all():
        actions, state = policy.predict(lanes, state)
        env.simulator.step(actions, np.flatnonzero(~over))
        over |= env.simulator.result.terminated | (env.simulator.result.step >= 450)
        lanes = env.reset(options={"reset_mask": np.zeros(2, bool)})[0]
    assert dict(zip((11, 12), env.simulator.result.kap_total_gycm2, strict=True)) == pytest.approx(ends)


@pytest.mark.parametrize("task", ["pelvis_to_head_2d", "landmark_reach"])
def test_a_policy_of_another_task_is_refused(task):
    with pytest.raises(CarmError, match="was trained for task 'pelvis_to_head'"):
        Learned().predict(observation(task))


def test_a_policy_that_sees_wants_its_images(tmp_path):
    save_policy(tmp_path / "p.safetensors", DecisionNet(Shape("pelvis_to_head", "choices", (4,), "tanh", 40)), {})
    policy = Learned(str(tmp_path / "p.safetensors"))
    assert policy.wants_image
    with pytest.raises(CarmError, match="no image"):
        policy.predict(observation())
    for pixels in (40, 128):
        action, _ = policy.predict({**observation(), "image": np.zeros((2, pixels, pixels), np.uint8)})
        assert action.shape == (14,)
    with pytest.raises(CarmError, match="40 pixels or more"):
        policy.predict({**observation(), "image": np.zeros((2, 20, 20), np.uint8)})


def test_missing_weights_are_told(tmp_path):
    with pytest.raises(CarmError, match="cannot be read"):
        make_policy("learned", weights=str(tmp_path / "none.safetensors"))


def test_it_abstains_from_declaring_what_was_never_seen():
    env = environment("CArm/PelvisToHead-v0", "none")
    policy, state = Learned(), None
    seen, over, info = env.reset(options={"episode_seed": 3})[0], False, {}
    while not over:
        action, state = policy.predict(seen, state)
        seen, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    assert info["outcome"] != "success"
    assert not terminated
