"""No exposure, no dose; doses add up; plane B only when swung in; pulse rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.sim.config import SimConfig
from carm_env.xray.exposure import Technique
from tests.sim.drive import action, at_target, drive, simulator, wander


def test_no_exposure_no_dose_and_an_unchanged_image():
    sim = simulator()
    sim.reset([1])
    shown = sim.step(action(expose_a=1)[None]).copy()
    later = drive(sim, np.tile(action(z=0.5), (5, 1, 1)))
    for r in later:
        np.testing.assert_array_equal(r.image, shown.image)
        assert r.kap_gycm2.sum() == 0 and r.ka_r_mgy.sum() == 0 and not r.exposed.any()
        assert r.kap_total_gycm2[0] == shown.kap_total_gycm2[0] > 0
    assert later[-1].image_age_s[0, 0] == pytest.approx(5 * 2 / 15)
    assert later[-1].estimate_age_s[0, 0] > later[0].estimate_age_s[0, 0]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_dose_is_additive_and_never_negative(seed):
    sim = simulator()
    sim.reset([seed])
    steps = drive(sim, wander(seed, 8))
    kap = np.array([r.kap_gycm2[0] for r in steps])
    ka_r = np.array([r.ka_r_mgy[0] for r in steps])
    assert (kap >= 0).all() and (ka_r >= 0).all()
    assert (kap > 0).tolist() == [r.exposed[0].tolist() for r in steps]
    assert steps[-1].kap_total_gycm2[0] == pytest.approx(kap.sum(), rel=1e-12)
    assert steps[-1].ka_r_total_mgy[0] == pytest.approx(ka_r.sum(), rel=1e-12)
    assert steps[-1].exposures[0] == sum(r.pulses[0].sum() for r in steps)


def test_parked_plane_b_does_not_expose():
    sim = simulator()
    sim.reset([1])
    assert not sim.step(action(expose_b=1)[None]).exposed.any()
    at_target(sim)
    assert sim.step(action(deploy=1, expose_b=1)[None]).exposed.tolist() == [[False, True]]


PULSES = [
    (30, [4, 4, 4, 4]), (15, [2, 2, 2, 2]), (10, [1, 1, 1, 1]), (7.5, [1, 1, 1, 1]), (6, [1, 0, 1, 0]),
    (3.75, [1, 0, 1, 0]), (3, [1, 0, 0, 1]), (2.5, [1, 0, 0, 1]),
]  # fmt: skip


@pytest.mark.parametrize(("rate", "expected"), PULSES)
def test_a_step_charges_whole_pulses_and_never_more_than_the_rate(rate, expected):
    sim = simulator(pulse_rate_hz=rate, perception="none")
    sim.reset([1])
    assert [int(sim.step(action(expose_a=1)[None]).pulses[0, 0]) for _ in expected] == expected


def test_fifteen_pulses_a_second_cost_twice_the_dose_of_seven_and_a_half():
    kap = []
    for rate in (7.5, 15):
        sim = simulator(pulse_rate_hz=rate, exposure_control="ideal")
        sim.reset([1])
        kap.append(sim.step(action(expose_a=1)[None]).kap_total_gycm2[0])
    assert kap[1] == pytest.approx(2 * kap[0])


def test_an_estimate_costs_its_latency_and_none_does_not():
    times = {}
    for perception in ("oracle", "none"):
        sim = simulator(perception=perception)
        sim.reset([1])
        times[perception] = sim.step(action(expose_a=1)[None]).elapsed_s[0]
    assert times["none"] == pytest.approx(2 / 15)
    assert times["oracle"] == pytest.approx(2 / 15 + 0.1)


def test_a_smaller_field_and_a_lower_preset_cost_less():
    def kap(**kind):
        sim = simulator()
        sim.reset([1])
        return sim.step(action(expose_a=1, **kind)[None]).kap_total_gycm2[0]

    assert kap(field_a=-0.5) < kap()
    presets = [kap(preset=p) for p in (-0.75, -0.25, 0.25, 0.75)]
    assert presets == sorted(presets)
    assert presets[0] < presets[3]


def test_a_field_beyond_the_ct_is_flagged():
    sim = simulator()
    sim.reset([1])
    assert not at_target(sim).step(action(deploy=1, expose_a=1, field_a=-0.5)[None]).edge_of_ct[0, 0]
    low, _ = sim.setups[0].patient.volume.z_range_mm()
    bottom = sim.setups[0].patient_to_table.points(np.array([[0.0, 0.0, low]]))[0, 2]
    sim.result.position[0, 2] = bottom + 20
    assert sim.step(action(expose_a=1)[None]).edge_of_ct[0, 0]


def test_a_focal_spot_inside_the_patient_is_refused_by_name_and_value():
    sim = simulator()
    sim.reset([1])
    setup = sim.setups[0]
    inside = setup.patient_to_table.points(np.array([setup.patient.landmarks["L5"]]))[0]
    sim.result.position[0, :3] = inside + np.array([0.0, -sim.device.planes[0].sod_mm, 0.0])
    with pytest.raises(CarmError, match=r"focal spot of plane A at \(.*\) mm LPS lies inside the patient \(-?\d+ HU\)"):
        sim.imaging.shoot(
            [setup], sim.result.position, np.array([1]), np.array([0]), np.array([0]), np.array([100.0]), np.array([2]),
            np.array([1]), Technique.none(1),
        )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"curve": "canon"}, "exposure curve 'canon' is unknown"),
        ({"rows": [[200.0, 0.9, 224.0, 12.6]]}, "tube voltage 200.0 kV is outside"),
        ({"grid": 3}, "unknown X-ray setting 'grid'"),
    ],
)
def test_impossible_x_ray_settings_are_refused_when_the_simulator_is_made(settings, says):
    with pytest.raises(CarmError, match=says):
        simulator(xray=settings)


def test_the_table_in_the_beam_costs_dose_that_the_detector_sees():
    """A posterior beam crosses the table, so the tube gives more for the same image."""
    dose = []
    for gcm2 in (0.0, 1.2):
        sim = simulator(xray={"table_gcm2": gcm2}, exposure_control="ideal")
        sim.reset([1])
        r = sim.step(action(expose_a=1)[None])
        dose.append((r.ka_r_mgy[0, 0], r.k_detector_ngy[0, 0]))
    assert dose[1][1] == pytest.approx(dose[0][1], rel=1e-3)
    assert 1.15 < dose[1][0] / dose[0][0] < 1.35


@pytest.mark.parametrize(("asked", "used"), [(30, 30), (20, 15), (10, 7.5), (7.5, 7.5), (6, 3.75), (1, 0.9375)])
def test_the_rate_in_use_is_the_next_lower_one_of_whole_steps(asked, used):
    assert SimConfig(pulse_rate_hz=asked).used_rate_hz == pytest.approx(used)
