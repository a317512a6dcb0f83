import gymnasium
import numpy as np
import pytest

from agents.registry import POLICIES, make_policy
from agents.scripted.finish import VERIFY_FIELD_MM
from carm_env.errors import CarmError
from carm_env.machine.presets import device
from carm_env.machine.state import B2
from carm_env.sim.actions import decode
from carm_env.sim.spaces import entries
from tests.agents.drive import ONE_PERSON, begin, environment

NEW = ["covariance_gated", "landmark_ladder", "low_dose_scout", "regress_jump"]
LOOK_FIRST = ["landmark_ladder", "regress_jump", "step_and_shoot"]
"""They look around at the groin before they move."""
FULL_MM = np.array([plane.full_field_mm for plane in device("artis_biplane").planes])


def observation(task="pelvis_to_head", **values):
    """An observation as it is at the groin, before anything was seen."""
    out = {e.name: np.zeros(e.shape, np.float32) for e in entries(task, image=False)}
    planar = "plane_b" not in out
    out["encoders"][:] = [10.0, -900.0] if planar else [10.0, -160.0, -900.0, 0.0, 0.0, 90.0, 0.0, 0.0]
    out["estimate_sd_mm"].reshape(-1, 3)[:] = [100.0, 100.0, 500.0]
    if not planar:
        out["plane_b"][1] = 1.0
    return {**out, **{name: np.asarray(v, np.float32).ravel() for name, v in values.items()}}


def made(name):
    policy = make_policy(name)
    if getattr(policy, "privileged", False):
        policy.inform([0.0, -200.0, -200.0])
    return policy


@pytest.mark.parametrize("name", sorted(POLICIES))
@pytest.mark.parametrize("task", ["pelvis_to_head", "pelvis_to_head_2d", "landmark_reach"])
def test_actions_are_float32_within_bounds_and_have_the_tasks_layout(name, task):
    if name == "learned" and task != "pelvis_to_head":
        pytest.skip("the shipped policy is of one task, and refuses others")
    action, _ = made(name).predict(observation(task))
    assert action.shape == (14 if task == "pelvis_to_head" else 6,)
    assert action.dtype == np.float32
    assert np.abs(action).max() <= 1.0


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_state_is_not_changed_by_predicting_from_it(name):
    policy = made(name)
    _, state = policy.predict(observation())
    later = observation(
        elapsed_s=[0.2333], estimate_mm=[[3, 0, 700], [0, 0, 0]], estimate_sd_mm=[[5, 100, 5], [100, 100, 500]],
        estimate_valid=[1, 0], estimate_age_s=[0, 0.2333],
    )
    first, again = (policy.predict(later, state) for _ in range(2))
    assert (first[0] == again[0]).all()
    assert state[0].steps == 1


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_an_episode_start_forgets_only_its_lane(name):
    policy, one = made(name), observation()
    batch = {key: np.stack([value, value]) for key, value in one.items()}
    _, state = policy.predict(batch)
    _, state = policy.predict(batch, state, episode_start=np.array([True, False]))
    assert [memory.steps for memory in state] == [1, 2]


@pytest.mark.parametrize("name", ["step_and_shoot", "continuous", "oracle", *NEW])
def test_lanes_of_a_batch_are_driven_as_if_alone(name):
    lanes = gymnasium.make_vec("CArm/PelvisToHead-v0", num_envs=2, perception="noisy", patient=ONE_PERSON)
    policy = make_policy(name)
    batch, info = lanes.reset(seed=5)
    targets, state = np.stack(list(info["target_mm"])), None
    if name == "oracle":
        policy.inform(targets)
    env, alone = environment("CArm/PelvisToHead-v0", "noisy"), make_policy(name)
    single, memory = begin(env, alone, 6), None
    for step in range(25):
        both, state = policy.predict(batch, state, episode_start=np.full(2, step == 0))
        one, memory = alone.predict(single, memory, episode_start=step == 0)
        assert both[1] == pytest.approx(one, abs=1e-6)
        batch, single = lanes.step(both)[0], env.step(one)[0]
    lanes.close()


def test_the_oracle_wants_to_be_told_the_target():
    with pytest.raises(CarmError, match="inform"):
        make_policy("oracle").predict(observation())


@pytest.mark.parametrize("name", ["step_and_shoot", "continuous", "oracle", "blind_check", *NEW])
def test_a_contact_is_backed_off_from_without_exposing_and_too_many_end_the_drive(name):
    policy = made(name)
    _, state = policy.predict(observation(velocities=[0, 0, 100, 0, 0, 0, 0, 0]))
    for contact in range(1, 10):
        action, state = policy.predict(observation(contact=[1], elapsed_s=[contact / 7.5]), state)
        command = decode(action[None], False, FULL_MM)
        assert not command.expose.any()
        assert not command.deploy.any()
        assert not command.declare.any()
        if contact == 1 and name not in LOOK_FIRST:
            assert command.rates[0, 2] < 0
    for later in range(20):
        action, state = policy.predict(observation(elapsed_s=[2.0 + later / 7.5]), state)
    assert state[0].give_up
    assert not decode(action[None], False, FULL_MM).expose.any()
    assert np.abs(action[:7]).max() == 0.0


def test_after_giving_up_plane_b_turns_back_where_it_touches_and_stays_there():
    policy, stuck = made("oracle"), dict(encoders=[0, -200, -200, 0, 0, 90, 0, 88], plane_b=[0, 0])
    _, state = policy.predict(observation(**stuck))
    for contact in range(1, 6):
        action, state = policy.predict(observation(**stuck, contact=[1], elapsed_s=[contact / 7.5]), state)
        assert state[0].give_up == (contact >= 4)
        assert decode(action[None], False, FULL_MM).deploy.all() == (contact == 5)
    for later in range(20):
        action, state = policy.predict(observation(**stuck, elapsed_s=[1.0 + later / 7.5]), state)
        assert decode(action[None], False, FULL_MM).deploy.all()
        assert np.abs(action[:7]).max() == 0.0


def test_a_contact_while_plane_b_swings_in_only_parks_it_and_the_next_try_is_tilted():
    policy, standing = made("oracle"), dict(encoders=[0, -200, -200, 0, 0, 90, 0, 80], plane_b=[0, 0])
    _, state = policy.predict(observation(**standing))
    for step in range(8):
        action, state = policy.predict(observation(**standing, contact=[step == 0], elapsed_s=[step / 7.5]), state)
        assert not decode(action[None], False, FULL_MM).deploy.any()
        assert np.abs(action[:7]).max() == 0.0 or step == 7
    action, _ = policy.predict(observation(**standing, elapsed_s=[2.0]), state)
    command = decode(action[None], False, FULL_MM)
    assert command.deploy.all()
    assert command.rates[0, B2] > 0
    assert np.abs(np.delete(command.rates[0], B2)).max() == 0.0


def test_the_verification_is_declared_on_only_when_both_planes_saw_it_small():
    policy = make_policy("step_and_shoot")
    pose = dict(encoders=[0, -205, -220, 0, 0, 90, 0, 90], plane_b=[1, 0])
    sure = dict(estimate_sd_mm=[[2, 100, 2], [100, 2, 2]])

    def seen(state, offset_mm, valid, t):
        return policy.predict(
            observation(
                **pose, **sure, estimate_mm=np.tile(offset_mm, (2, 1)), estimate_valid=valid,
                estimate_age_s=[0, 0], elapsed_s=[t],
            ),
            state,
        )

    _, state = policy.predict(observation(**pose))
    action, state = seen(state, [1, -1, 2], [1, 1], 0.25)
    command, _ = decode(action[None], False, FULL_MM), None
    for t in (0.5, 0.75, 1.0, 1.25):
        if command.expose.all():
            break
        action, state = policy.predict(observation(**{**pose, "encoders": [*state[0].goal_mm, 0, 0, 90, 0, 90]},
                                                   elapsed_s=[t], estimate_age_s=[t - 0.25] * 2), state)
        command = decode(action[None], False, FULL_MM)
    assert command.expose.all()
    assert command.preset[0] == 2
    assert command.field_mm == pytest.approx(VERIFY_FIELD_MM, abs=0.01)
    pose["encoders"] = [*state[0].goal_mm, 0, 0, 90, 0, 90]
    good, _ = seen(state, [0, 0, 0], [1, 1], t + 0.25)
    far, _ = seen(state, [40, 0, 0], [1, 1], t + 0.25)
    blind, _ = seen(state, [0, 0, 0], [1, 0], t + 0.25)
    assert [a[13] > 0 for a in (good, far, blind)] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("step_and_shot", {}, "did you mean step_and_shoot"),
        ("continuous", {"spacing_mm": 3}, "spacing_mm"),
        ("oracle", {"device": "artis"}, "artis_biplane"),
        ("random", {"seed": -1}, "seed=-1"),
        ("agents.registry:nothing", {}, "nothing"),
    ],
)
def test_bad_names_and_arguments_are_told_in_one_line(name, args, says):
    with pytest.raises(CarmError) as told:
        make_policy(name, **args)
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_third_parties_are_named_by_module_and_attribute():
    assert make_policy("agents.scripted.random:Random", seed=3).seed == 3


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("step_and_shoot", {"spacing_mm": -5}),
        ("step_and_shoot", {"spacing_mm": float("nan")}),
        ("step_and_shoot", {"preset": 9}),
        ("step_and_shoot", {"max_tries": 0}),
        ("continuous", {"speed_mm_s": 0}),
        ("continuous", {"preset": 1.5}),
        ("continuous", {"tolerance_mm": -1}),
        ("covariance_gated", {"gate": -1}),
        ("covariance_gated", {"spacing_mm": float("nan")}),
        ("landmark_ladder", {"stride_mm": 1}),
        ("landmark_ladder", {"within_mm": -90}),
        ("low_dose_scout", {"reach": 0}),
        ("low_dose_scout", {"least_field_mm": 10}),
        *((name, {"refine_preset": 7}) for name in NEW),
        *((name, {"refine_field_mm": 0}) for name in NEW),
        *((name, {"refine_sd_mm": float("nan")}) for name in NEW),
        *((name, {"close_sd_mm": 0}) for name in NEW),
        *((name, {"shared_error": 2}) for name in NEW),
    ],
)
def test_settings_out_of_range_are_named(name, bad):
    with pytest.raises(CarmError, match=next(iter(bad))):
        make_policy(name, **bad)


@pytest.mark.parametrize("name", NEW)
def test_goals_stay_within_the_devices_travel(name):
    policy = make_policy(name)
    low, high = policy.device.limits[:3].T
    _, state = policy.predict(observation())
    for step in range(1, 6):
        beyond = dict(estimate_mm=[[900, 0, 3000], [0, 900, 3000]], estimate_sd_mm=[[2, 100, 2], [100, 2, 2]])
        _, state = policy.predict(observation(**beyond, estimate_valid=[1, 1], elapsed_s=[step / 7.5]), state)
        assert (state[0].goal_mm >= low).all()
        assert (state[0].goal_mm <= high).all()
    assert state[0].belief.mm[2] > high[2]
