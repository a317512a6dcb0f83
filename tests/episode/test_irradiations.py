"""Irradiations follow from rows: dose adds up, verification is told from search, geometry is the machine's."""

import gymnasium
import numpy as np
import pytest

from benchmarks.runner import RunSpec, run_episode
from carm_env.episode.irradiations import irradiations
from carm_env.machine.presets import device
from carm_env.xray.collimation import IRP_OFFSET_MM

KWARGS = {"patient": "phantom:0", "perception": "noisy"}


@pytest.fixture(scope="module")
def episodes():
    env = gymnasium.make("CArm/PelvisToHead-v0", max_episode_steps=150, **KWARGS)
    specs = [RunSpec("CArm/PelvisToHead-v0", policy, KWARGS) for policy in ("step_and_shoot", "oracle", "random")]
    return {spec.policy: run_episode(spec, 0, env, frames=False) for spec in specs}


@pytest.fixture(scope="module", params=["step_and_shoot", "oracle", "random"])
def episode(request, episodes):
    record = episodes[request.param]
    return record, irradiations(record, device("artis_biplane"), 0.0, 7.5, 128)


def test_dose_of_the_irradiations_is_the_episode_s(episode):
    record, shots = episode
    assert shots.ka_r_mgy.sum() == pytest.approx(record.summary["ka_r_mgy"], rel=1e-12)
    assert shots.kap_gycm2.sum() == pytest.approx(record.summary["kap_gycm2"], rel=1e-12)
    assert shots.pulses.sum() == record.summary["exposures"]


def test_what_is_no_verification_is_the_search_dose(episode):
    record, shots = episode
    search = shots[~shots.verification].kap_gycm2.sum()
    assert search == pytest.approx(record.summary["kap_search_gycm2"], rel=1e-9, abs=1e-12)


def test_the_oracle_s_exposures_are_all_verification(episodes):
    shots = irradiations(episodes["oracle"], device("artis_biplane"), 0.0, 7.5, 128)
    assert shots.verification.all()
    assert sorted(shots.plane) == [0, 1]


def test_rows_are_in_the_order_of_time_and_planes(episode):
    _, shots = episode
    assert np.all(np.diff(2 * shots.step + shots.plane) > 0)
    assert np.all(np.diff(shots.time_s) >= 0)


def test_kap_is_reference_kerma_times_the_field_there(episode):
    _, shots = episode
    scale = (shots.sod_mm - IRP_OFFSET_MM) / shots.sid_mm
    area_cm2 = shots.field_mm.prod(axis=1) * scale**2 / 100
    np.testing.assert_allclose(shots.kap_gycm2, shots.ka_r_mgy / 1000 * area_cm2, rtol=1e-9)


def test_plane_a_s_tube_is_below_the_table_and_plane_b_s_on_the_patient_s_right(episode):
    _, shots = episode
    below = shots.cameras.source_mm[:, 1] - shots.position[:, 1]
    right = shots.position[:, 0] - shots.cameras.source_mm[:, 0]
    still_up = (shots.plane == 0) & (np.abs(shots.position[:, 3:5]).max(axis=1) < 5)
    assert np.all(below[still_up] > 700)
    assert np.all(right[(shots.plane == 1) & (np.abs(shots.position[:, 5] - 90) < 5)] > 700)


def test_a_sub_batch_keeps_rows_together(episode):
    _, shots = episode
    part = shots[np.flatnonzero(shots.plane == 0)]
    assert len(part) == (shots.plane == 0).sum() == len(part.cameras)
    np.testing.assert_array_equal(part.kv, shots.kv[shots.plane == 0])
