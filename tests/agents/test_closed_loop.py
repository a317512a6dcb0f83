import numpy as np
import pytest

from tests.agents.drive import ride

FULL, FLAT, REACH = "CArm/PelvisToHead-v0", "CArm/PelvisToHead2D-v0", "CArm/LandmarkReach-v0"


def test_the_three_strategies_arrive_and_their_doses_are_ordered():
    oracle, stops, pedal = (ride(name, 0) for name in ("oracle", "step_and_shoot", "continuous"))
    assert oracle.success
    assert stops.success
    assert pedal.success
    assert oracle.exposures == 2
    assert stops.exposures <= 12 < pedal.exposures
    assert oracle.kap_gycm2 < stops.kap_gycm2 < pedal.kap_gycm2
    assert oracle.elapsed_s <= stops.elapsed_s < pedal.elapsed_s
    assert oracle.collisions == stops.collisions == pedal.collisions == 0


@pytest.mark.parametrize("env_id", [FLAT, REACH])
@pytest.mark.parametrize("policy", ["oracle", "step_and_shoot", "continuous"])
def test_they_arrive_with_one_plane_too(env_id, policy):
    result = ride(policy, 1, env_id=env_id)
    assert result.success
    assert (result.exposures == 1) == (policy == "oracle")


@pytest.mark.parametrize("policy", ["step_and_shoot", "continuous"])
def test_they_cope_with_errors_of_perception(policy):
    results = [ride(policy, seed, "noisy") for seed in (0, 2)]
    assert all(r.success for r in results)
    assert max(r.error_mm for r in results) > 0.5


@pytest.mark.parametrize("policy", ["step_and_shoot", "continuous"])
def test_without_perception_they_neither_declare_nor_expose_for_ever(policy):
    result = ride(policy, 0, "none")
    assert result.outcome == "running"
    assert result.steps == 450
    assert result.exposures < 100


def test_a_shorter_spacing_takes_more_looks_when_the_target_is_unknown():
    assert ride("step_and_shoot", 0, "none", spacing_mm=60.0).exposures > ride("step_and_shoot", 0, "none").exposures


@pytest.mark.parametrize("env_id", [FULL, FLAT])
def test_the_nominal_drive_fails(env_id):
    results = [ride("blind_check", seed, "none", env_id) for seed in range(10, 15)]
    assert np.mean([r.success for r in results]) <= 0.2
    assert {r.outcome for r in results} == {"false_arrival"}


@pytest.mark.slow
@pytest.mark.parametrize("env_id", [FULL, FLAT, REACH])
def test_the_nominal_drive_fails_on_many_seeds(env_id):
    assert np.mean([ride("blind_check", seed, "none", env_id, "phantom").success for seed in range(50)]) <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("perception", ["oracle", "noisy"])
@pytest.mark.parametrize("policy", ["oracle", "step_and_shoot", "continuous"])
def test_they_arrive_on_many_seeds(policy, perception):
    results = [ride(policy, seed, perception, patient="phantom") for seed in range(12)]
    assert np.mean([r.success for r in results]) >= (1.0 if perception == "oracle" or policy == "oracle" else 0.9)


NEW = ["regress_jump", "covariance_gated", "low_dose_scout", "landmark_ladder"]


@pytest.mark.parametrize("perception", ["oracle", "noisy"])
@pytest.mark.parametrize("policy", NEW)
def test_each_strategy_reaches_the_head_with_little_more_than_the_oracles_dose(policy, perception):
    result = ride(policy, 0, perception)
    assert result.success
    assert result.kap_gycm2 < 3.0 * ride("oracle", 0).kap_gycm2
    assert result == ride(policy, 0, perception)


@pytest.mark.parametrize("env_id", [FULL, FLAT, REACH])
@pytest.mark.parametrize("policy", NEW)
def test_each_strategy_gives_up_soon_where_nothing_is_recognised(policy, env_id):
    result = ride(policy, 0, "none", env_id)
    assert result.outcome == "running"
    assert 2 <= result.exposures <= 12


@pytest.mark.parametrize("env_id", [FLAT, REACH])
@pytest.mark.parametrize("policy", NEW)
def test_each_strategy_arrives_with_one_plane_too(policy, env_id):
    result = ride(policy, 1, "noisy", env_id)
    assert result.success
    assert result.error_mm > 0.1
