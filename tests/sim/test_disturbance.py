"""Injected errors change what they say and nothing else."""

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.sim.disturbance import Disturbance, DisturbanceConfig, disturbance_settings
from carm_env.sim.perception import PRIOR_SD_MM, Estimate
from tests.sim.drive import action, simulator

PRIOR = np.diag(np.square(PRIOR_SD_MM))


def estimate(count=1, lanes=None, valid=True):
    n = np.arange(count, dtype=np.int64)
    return Estimate(
        lane=n * 0 if lanes is None else np.asarray(lanes),
        plane=n * 0,
        displacement_mm=np.tile([10.0, 0.0, 300.0], (count, 1)) + n[:, None],
        covariance_mm2=np.tile(np.diag([4.0, 1e4, 4.0]), (count, 1, 1)),
        landmark_nearest=np.full((count, 20), 0.05),
        landmark_visible=np.full((count, 20), 0.3),
        valid=np.full(count, valid),
    )


def disturbed(given, lanes=1, step=1, seed=5, **settings):
    m = len(given.lane)
    return Disturbance(DisturbanceConfig(**settings), lanes, 1).apply(given, np.full(m, seed), np.full(m, step))


def test_off_hands_the_estimate_through():
    given = estimate()
    assert disturbed(given) is given


def test_bias_shifts_by_exactly_that():
    given = estimate(3)
    out = disturbed(given, bias_mm=(1.5, -2.0, 8.0))
    np.testing.assert_array_equal(out.displacement_mm, given.displacement_mm + np.array([1.5, -2.0, 8.0]))
    np.testing.assert_array_equal(out.covariance_mm2, given.covariance_mm2)


def test_overconfidence_scales_the_standard_deviation_only():
    given = estimate()
    out = disturbed(given, overconfidence=3.0)
    np.testing.assert_allclose(np.sqrt(out.covariance_mm2), np.sqrt(given.covariance_mm2) / 3.0)
    np.testing.assert_array_equal(out.displacement_mm, given.displacement_mm)


def test_noise_has_its_size_and_the_same_draws_at_every_size():
    def errors(size):
        d = Disturbance(DisturbanceConfig(noise_mm=size), 1, 1)
        given = estimate()
        steps = range(2000)
        told = [d.apply(given, np.array([3]), np.array([t])).displacement_mm[0] for t in steps]
        return np.array(told) - given.displacement_mm[0]

    small, large = errors(2.0), errors(6.0)
    assert small.std() == pytest.approx(2.0, rel=0.05)
    np.testing.assert_allclose(large, 3.0 * small, atol=1e-9)


def test_dropout_has_its_frequency_and_leaves_nothing():
    d = Disturbance(DisturbanceConfig(dropout=0.3), 1, 1)
    told = [d.apply(estimate(), np.array([4]), np.array([t])) for t in range(2000)]
    lost = [e for e in told if not e.valid[0]]
    assert 0.27 < len(lost) / 2000 < 0.33
    np.testing.assert_array_equal(lost[0].covariance_mm2[0], PRIOR)
    assert not lost[0].displacement_mm.any()


def test_what_is_not_valid_stays_as_it_is():
    given = estimate(valid=False)
    out = disturbed(given, bias_mm=(5.0, 5.0, 5.0), noise_mm=3.0, overconfidence=2.0)
    np.testing.assert_array_equal(out.displacement_mm, given.displacement_mm)
    np.testing.assert_array_equal(out.covariance_mm2, given.covariance_mm2)


def test_delay_holds_back_so_many_exposures_and_never_crosses_a_reset():
    d = Disturbance(DisturbanceConfig(delay=2), 1, 1)

    def tell(x):
        given = estimate()
        given.displacement_mm[0, 0] = x
        out = d.apply(given, np.array([0]), np.array([1]))
        return float(out.displacement_mm[0, 0]) if out.valid[0] else None

    assert [tell(x) for x in (1.0, 2.0, 3.0, 4.0)] == [None, None, 1.0, 2.0]
    d.reset(0)
    assert [tell(x) for x in (5.0, 6.0, 7.0)] == [None, None, 5.0]


def test_a_lane_does_not_depend_on_the_batch():
    settings = {"noise_mm": 4.0, "dropout": 0.2, "delay": 1}
    together = Disturbance(DisturbanceConfig(**settings), 2, 1)
    alone = Disturbance(DisturbanceConfig(**settings), 2, 1)
    for step in range(1, 6):
        a = together.apply(estimate(2, [0, 1]), np.array([7, 8]), np.array([step, step]))
        other = estimate(2, [0, 1])
        one = Estimate(*(getattr(other, name)[1:] for name in other.__dataclass_fields__))
        b = alone.apply(one, np.array([8]), np.array([step]))
        np.testing.assert_array_equal(a.displacement_mm[1], b.displacement_mm[0])


def test_the_simulator_tells_the_shifted_estimate():
    told = []
    for settings in ({}, {"bias_mm": (0.0, 0.0, 25.0)}):
        sim = simulator(perception="oracle", disturbance=settings)
        sim.reset([3])
        told.append(sim.step(action(expose_a=1.0)[None]).estimate_mm[0, 0].copy())
    np.testing.assert_allclose(told[1] - told[0], [0.0, 0.0, 25.0], atol=2e-3)


@pytest.mark.parametrize(
    "given",
    [{"bias_mm": [1, 2]}, {"bias_mm": 3}, {"noise_mm": -1}, {"dropout": 1.5}, {"delay": 0.5}, {"delay": True},
     {"overconfidence": 0}, {"noise_mm": float("nan")}, {"nois_mm": 1}],
)  # fmt: skip
def test_bad_sizes_are_told_in_one_line(given):
    with pytest.raises(CarmError, match="disturbance") as told:
        disturbance_settings(given)
    assert "\n" not in str(told.value)
