import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scripted.servo import Servo
from carm_env.machine.kinematics import Machine
from carm_env.machine.presets import device
from carm_env.machine.state import MachineState
from carm_env.sim.config import DT_S

DEVICE = device("artis_biplane")
SERVO = Servo(DEVICE)


def ramp(position, velocity, command):
    """Velocity goes to the commanded one at the axis' acceleration: integrated in closed form, nothing to bump into."""
    change = command * DEVICE.max_rates - velocity
    ramp_s = np.minimum(np.abs(change) / DEVICE.accelerations, DT_S)
    after = velocity + np.sign(change) * DEVICE.accelerations * ramp_s
    return position + 0.5 * (velocity + after) * ramp_s + after * (DT_S - ramp_s), after


def follow(start, velocity, goal, steps, top=1.0):
    """Poses and velocities on the way, [steps + 1, 8] each, with the float32 of observations and actions."""
    poses, velocities = [start], [velocity]
    for _ in range(steps):
        seen = (values[-1].astype(np.float32).astype(float) for values in (poses, velocities))
        command = SERVO.fractions(*seen, goal, top).astype(np.float32).astype(float)
        position, velocity = ramp(poses[-1], velocities[-1], command)
        poses.append(position)
        velocities.append(velocity)
    return np.array(poses), np.array(velocities)


def poses(seed):
    rng = np.random.default_rng(seed)
    return rng.uniform((-100, -260, -1500, -40, -40, 0, -90, 0), (100, -120, 60, 40, 40, 115, 45, 90), (2, 8))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.floats(-1, 1))
def test_lands_and_rests_exactly_from_any_speed(seed, speed):
    start, goal = poses(seed)
    velocity = np.zeros(8)
    velocity[:3] = speed * 0.3 * DEVICE.max_rates[:3]
    way, speeds = follow(start, velocity, goal, 130)
    assert np.abs(way[-1] - goal)[:3].max() < 0.2
    assert np.abs(way[-1] - goal)[3:].max() < 0.05
    assert np.abs(speeds[-1]).max() == 0.0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_does_not_overshoot_from_rest(seed):
    start, goal = poses(seed)
    way, _ = follow(start, np.zeros(8), goal, 130)
    side = np.sign(goal - start)
    assert ((way - goal) * side < 0.02).all()


def test_is_within_two_steps_of_the_fastest_way():
    start, goal = DEVICE.home.copy(), DEVICE.home.copy()
    start[2], goal[2] = -1100.0, -200.0
    way, _ = follow(start, np.zeros(8), goal, 80)
    needed = int(np.argmax(np.abs(way[:, 2] - goal[2]) < 0.2))
    fastest_s = 900.0 / 150.0 + 150.0 / 300.0
    assert needed * DT_S <= fastest_s + 2 * DT_S


def test_keeps_the_speed_it_was_allowed():
    start, goal = DEVICE.home.copy(), DEVICE.home.copy()
    start[2], goal[2] = -1100.0, -200.0
    _, speeds = follow(start, np.zeros(8), goal, 40, 100.0 / 150.0)
    assert speeds[:, 2].max() == pytest.approx(100.0, abs=1e-3)


def test_the_machine_moves_as_the_servo_expects():
    machine, start = Machine(DEVICE), DEVICE.home.copy()
    start[:3] = 0.0, -200.0, -800.0
    command = np.array([0.5, -1.0, 0.9, 0.1, 0, 0, 0, 0])
    state, _ = machine.step(MachineState(start[None], np.zeros((1, 8))), command[None], [False], DT_S, [None])
    position, velocity = ramp(start, np.zeros(8), command)
    assert state.position[0] == pytest.approx(position, abs=1e-9)
    assert state.velocity[0] == pytest.approx(velocity, abs=1e-9)


def test_an_axis_that_a_machine_lacks_gets_no_command():
    servo = Servo(device("cios_spin"))
    assert servo.fractions(np.zeros(8), np.zeros(8), np.full(8, 50.0))[1] == 0.0
