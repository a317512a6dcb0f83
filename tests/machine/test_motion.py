"""Rates, accelerations, limits, rest, plane B's swing, independence of lanes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.machine.kinematics import Machine, approach
from carm_env.machine.presets import device
from carm_env.machine.state import B1, DEPLOY, MachineState, Y, Z
from tests.machine.bodies import DT_S, at, body, command

ARTIS = device("artis_biplane")
MACHINE = Machine(ARTIS)
fraction = st.sampled_from([-1.0, -0.3, 0.0, 0.5, 1.0])
commands = st.lists(
    st.tuples(st.lists(fraction, min_size=8, max_size=8), st.booleans(), st.integers(1, 12)), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(commands, st.booleans())
def test_limits_rates_and_accelerations_hold_under_any_commands(sequence, with_patient):
    state, hull = at(ARTIS), body() if with_patient else None
    low, high = ARTIS.limits.T
    for fractions, deploy, repeats in sequence:
        for _ in range(repeats):
            old = state
            state, report = MACHINE.step(old, [fractions], [deploy], DT_S, [hull])
            assert ((low <= state.position) & (state.position <= high)).all()
            assert (np.abs(state.velocity) <= ARTIS.max_rates + 1e-9).all()
            assert (np.abs(state.position - old.position) <= ARTIS.max_rates * DT_S + 1e-9).all()
            stopped = report.at_limit | report.contact[:, None]
            change = np.abs(state.velocity - old.velocity)[~stopped]
            assert (change <= np.broadcast_to(ARTIS.accelerations * DT_S, (1, 8))[~stopped] + 1e-9).all()
            assert (state.velocity[stopped] == 0).all()
            assert report.path_mm[0] == pytest.approx(np.linalg.norm((state.position - old.position)[0, :3]))


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
@settings(deadline=None)
def test_zero_command_brings_every_axis_to_exact_rest_in_its_braking_way(fractions):
    velocity = np.array([fractions]) * ARTIS.max_rates
    velocity[:, DEPLOY] = 0.0
    state = MachineState(at(ARTIS, y=-120, b1=60.0).position, velocity)
    start = state.position
    for _ in range(int(np.ceil((np.abs(velocity) / ARTIS.accelerations).max() / DT_S + 1e-9))):
        state, _ = MACHINE.step(state, command(), [False], DT_S, [None])
    assert (state.velocity == 0).all()
    braking = velocity * np.abs(velocity) / (2 * ARTIS.accelerations)
    np.testing.assert_allclose(state.position - start, braking, atol=1e-9)


def test_a_step_splits_into_smaller_ones():
    full, _ = MACHINE.step(at(ARTIS), command(z=0.7, a1=-1), [True], DT_S, [None])
    state = at(ARTIS)
    for _ in range(4):
        state, _ = MACHINE.step(state, command(z=0.7, a1=-1), [True], DT_S / 4, [None])
    np.testing.assert_allclose(state.position, full.position, atol=1e-9)
    np.testing.assert_allclose(state.velocity, full.velocity, atol=1e-9)


def test_table_reaches_its_speed_and_travels_as_the_formula_says():
    state = at(ARTIS, z=-1000)
    for _ in range(15):
        state, _ = MACHINE.step(state, command(z=1), [False], DT_S, [None])
    assert state.velocity[0, Z] == 150
    assert state.position[0, Z] == pytest.approx(-1000 + 150 * 2 - 150**2 / (2 * 300))


def test_a_travel_limit_is_reported_and_left_again():
    state = at(ARTIS, y=-329)
    for _ in range(3):
        state, report = MACHINE.step(state, command(y=-1), [False], DT_S, [None])
    assert state.position[0, Y] == -330
    assert report.at_limit[0].tolist() == [axis == Y for axis in range(8)]
    state, report = MACHINE.step(state, command(), [False], DT_S, [None])
    assert not report.at_limit.any()
    state, report = MACHINE.step(state, command(y=1), [False], DT_S, [None])
    assert state.position[0, Y] > -330
    assert not report.at_limit.any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=6), st.booleans())
def test_plane_b_swings_smoothly_and_lands_exactly_however_often_it_is_turned_round(turns, last):
    state = at(ARTIS)
    for deploy, repeats in [*turns, (last, 70)]:
        for _ in range(repeats):
            old = state
            state, _ = MACHINE.step(old, command(), [deploy], DT_S, [None])
            assert 0 <= state.position[0, DEPLOY] <= 90
            assert abs(state.velocity[0, DEPLOY]) <= 15 + 1e-9
            assert abs(state.velocity - old.velocity)[0, DEPLOY] <= 30 * DT_S + 1e-6
    assert state.position[0, DEPLOY] == (90 if last else 0)
    assert state.velocity[0, DEPLOY] == 0


@given(st.floats(0, 90), st.floats(-15, 15), st.booleans(), st.integers(1, 80))
def test_small_steps_follow_the_same_way_as_one_long_step(start, speed, deploy, steps):
    target = 90.0 if deploy else 0.0
    towards = speed * (target - start) > 0
    if towards and speed**2 / 60 > abs(target - start):
        return
    one = [np.array([start]), np.array([speed])]
    many = [np.array([start]), np.array([speed])]
    for _ in range(steps):
        many = list(approach(*many, np.array([target]), 15.0, 30.0, 0.1))
    one = list(approach(*one, np.array([target]), 15.0, 30.0, 0.1 * steps))
    np.testing.assert_allclose(np.ravel(many), np.ravel(one), atol=1e-4)


def test_deploying_takes_the_time_of_its_angular_path():
    state, steps = at(ARTIS), 0
    while state.position[0, DEPLOY] < 90:
        state, _ = MACHINE.step(state, command(), [True], DT_S, [None])
        steps += 1
    assert steps == int(np.ceil((90 / 15 + 15 / 30) / DT_S))


def test_a_single_plane_machine_leaves_the_axes_of_plane_b_alone():
    cios = device("cios_spin")
    state = at(cios, y=-150)
    state.position[0, B1:] = 12, 3, 45
    new, _ = Machine(cios).step(state, np.ones((1, 8)), [True], DT_S, [body()])
    assert new.position[0, B1:].tolist() == [12, 3, 45]
    assert new.position[0, Y] == -150
    assert new.position[0, Z] > -800


def lanes(seed: int, n: int = 12) -> tuple[MachineState, np.ndarray, np.ndarray, list]:
    """Lanes near contact, with different patients."""
    rng = np.random.default_rng(seed)
    position = rng.uniform(ARTIS.limits[:, 0], ARTIS.limits[:, 1], (n, 8))
    position[: n // 2] = at(ARTIS, y=-80).position + rng.uniform(-15, 15, (n // 2, 8)) * [1, 1, 1, 1, 1, 1, 1, 0]
    velocity = rng.uniform(-1, 1, (n, 8)) * ARTIS.max_rates
    velocity[:, DEPLOY] = 0.0
    hulls = [None if k % 5 == 4 else body(200 + 10 * k, 250 + 10 * k) for k in range(n)]
    return MachineState(position, velocity), rng.uniform(-1, 1, (n, 8)), rng.random(n) < 0.5, hulls


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_lanes_are_independent_and_their_order_is_free_bit_for_bit(seed):
    state, wanted, deploy, hulls = lanes(seed)
    new, report = MACHINE.step(state, wanted, deploy, DT_S, hulls)
    order = np.random.default_rng(seed).permutation(len(deploy))
    for rows in [order, *[[k] for k in range(len(deploy))]]:
        part = MachineState(state.position[rows], state.velocity[rows])
        again, told = MACHINE.step(part, wanted[rows], deploy[rows], DT_S, [hulls[k] for k in rows])
        np.testing.assert_array_equal(again.position, new.position[rows])
        np.testing.assert_array_equal(again.velocity, new.velocity[rows])
        for name in ("at_limit", "contact", "contact_pair", "path_mm"):
            np.testing.assert_array_equal(getattr(told, name), getattr(report, name)[rows])


def test_a_step_changes_nothing_that_it_was_given():
    state, wanted, deploy, hulls = lanes(3)
    kept = state.position.copy(), state.velocity.copy(), wanted.copy()
    MACHINE.step(state, wanted, deploy, DT_S, hulls)
    for now, before in zip((state.position, state.velocity, wanted), kept, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("wanted", "dt_s", "hulls", "told"),
    [
        (np.full((1, 8), 1.5), DT_S, [None], "outside"),
        (np.full((1, 8), np.nan), DT_S, [None], "outside"),
        (np.zeros((2, 8)), DT_S, [None], "shape"),
        (np.zeros((1, 8)), DT_S, [], "0 hulls"),
        (np.zeros((1, 8)), 0.0, [None], "more than 0"),
    ],
)
def test_bad_commands_are_refused(wanted, dt_s, hulls, told):
    with pytest.raises(CarmError, match=told):
        MACHINE.step(at(ARTIS), wanted, [False], dt_s, hulls)
