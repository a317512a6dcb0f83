"""Contact: what must be free, what must touch, and that nothing is passed through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.geometry import Capsules
from carm_env.machine.collision import gantry_shapes
from carm_env.machine.kinematics import Machine
from carm_env.machine.presets import PRESETS, device
from carm_env.machine.state import A1, DEPLOY, PAIRS, MachineState, Y, Z
from tests.machine.bodies import DT_S, at, body, command

ARTIS = device("artis_biplane")
MACHINE = Machine(ARTIS)


def drive(machine: Machine, state: MachineState, wanted: np.ndarray, deploy: bool, hull: Capsules | None, steps: int):
    """Steps until contact or the end; the last report."""
    for _ in range(steps):
        state, report = machine.step(state, wanted, [deploy], DT_S, [hull])
        if report.contact[0]:
            break
    return state, report


def fast_table(speed_mm_s: float) -> Machine:
    """A table that is at its full speed at once, which no preset may be set to."""
    return Machine(replace(ARTIS, speed_z_mm_s=speed_mm_s, accel_table_mm_s2=1e6))


def pair(report) -> str:
    return PAIRS[report.contact_pair[0]]


def sampled_distance(one: Capsules, two: Capsules) -> float:
    """Least clearance of two sets by brute force on points along the axes."""
    share = np.linspace(0, 1, 41)[:, None, None]
    p, q = (np.moveaxis(c.a_mm + share * (c.b_mm - c.a_mm), 0, 1) for c in (one, two))
    gaps = np.linalg.norm(p[:, None, :, None] - q[None, :, None, :], axis=-1).min((2, 3))
    return float((gaps - one.radius_mm[:, None] - two.radius_mm[None]).min())


@pytest.mark.parametrize("y", [-210.0, -150.0, -130.0])
@pytest.mark.parametrize("x", [-30.0, 0.0, 30.0])
def test_the_nominal_drive_is_free(x, y):
    """A at 0/0 from the groin of a tall patient to the head, B deployed there and parked again."""
    hull = body()
    state, report = drive(MACHINE, at(ARTIS, x, y, -1100), command(z=1), False, hull, 47)
    assert not report.contact[0]
    assert state.position[0, Z] > -210
    for deploy in (True, False):
        state, report = drive(MACHINE, state, command(), deploy, hull, 60)
        assert not report.contact[0]
        assert state.position[0, DEPLOY] == (90 if deploy else 0)


def test_lao_120_with_lateral_shift_touches_the_table():
    _, report = drive(MACHINE, at(ARTIS, x=-100), command(a1=1), False, None, 60)
    assert pair(report) == "A-table"


def test_raising_the_table_into_the_detector_touches_the_patient():
    state, report = drive(MACHINE, at(ARTIS), command(y=1), False, body(), 60)
    assert pair(report) == "A-patient"
    assert state.position[0, Y] == pytest.approx(-70, abs=10)


def test_deploying_b_into_an_oblique_plane_a_touches():
    state, report = drive(MACHINE, at(ARTIS, z=-210, a1=60.0), command(), True, None, 60)
    assert pair(report) == "A-B"
    assert 0 < state.position[0, DEPLOY] < 90


def test_deploying_b_beside_a_shifted_trunk_touches_the_patient():
    _, report = drive(MACHINE, at(ARTIS, x=-80), command(), True, body(), 60)
    assert pair(report) in ("B-patient", "B-table")


def test_turning_b_under_the_table_touches_it():
    _, report = drive(MACHINE, at(ARTIS, x=-60, z=-400, deploy=90.0), command(b1=1), True, None, 60)
    assert pair(report) == "B-table"


@settings(max_examples=60, deadline=None)
@given(st.floats(300, 1200), st.floats(5, 5000), st.floats(-100, 100))
def test_a_thin_bar_stops_the_fastest_table(distance, speed, x):
    """A bar of 10 mm across the way of plane A's detector is never jumped over, whatever a step covers."""
    fast = fast_table(speed)
    bar = Capsules(np.array([[x - 80, -510, -distance]]), np.array([[x + 80, -510, -distance]]), np.array([5.0]))
    state, steps = at(ARTIS, z=0), int(1200 / (speed * DT_S)) + 2
    for _ in range(min(steps, 40)):
        old = state
        state, report = fast.step(old, command(z=-1), [False], DT_S, [bar])
        assert fast.gantry.clearance_mm(state.position, [bar]).min() >= 0
        assert state.position[0, Z] > -distance
        if report.contact[0]:
            assert (state.velocity == 0).all()
            assert report.path_mm[0] == pytest.approx(old.position[0, Z] - state.position[0, Z])
            assert fast.gantry.clearance_mm(state.position, [bar]).min() <= 10.5
            return
    assert steps > 40


def test_without_the_bar_the_same_move_is_free():
    fast = fast_table(5000)
    state, report = fast.step(at(ARTIS, z=0), command(z=-1), [False], DT_S, [None])
    assert not report.contact[0]
    assert state.position[0, Z] < -600


def test_contact_holds_against_further_pushing_and_lets_go_backwards():
    hull = body()
    state, _ = drive(MACHINE, at(ARTIS), command(y=1), False, hull, 60)
    for _ in range(20):
        state, _ = MACHINE.step(state, command(y=1), [False], DT_S, [hull])
        assert MACHINE.gantry.clearance_mm(state.position, [hull]).min() >= 0
    before = state.position[0, Y]
    state, report = MACHINE.step(state, command(y=-1), [False], DT_S, [hull])
    assert not report.contact[0]
    assert state.position[0, Y] < before


def test_a_start_in_contact_may_back_out_but_not_go_deeper():
    hull = body()
    start = at(ARTIS, y=-40)
    assert MACHINE.gantry.clearance_mm(start.position, [hull])[0, 0] < 0
    deeper, report = MACHINE.step(start, command(y=1), [False], DT_S, [hull])
    assert pair(report) == "A-patient"
    np.testing.assert_array_equal(deeper.position, start.position)
    state, report = drive(MACHINE, start, command(y=-1), False, hull, 20)
    assert not report.contact[0]
    assert MACHINE.gantry.clearance_mm(state.position, [hull])[0, 0] > 0


def test_clearance_agrees_with_brute_force_on_the_drawn_shapes():
    rng, hull = np.random.default_rng(5), body()
    for _ in range(5):
        pose = rng.uniform(ARTIS.limits[:, 0], ARTIS.limits[:, 1])
        got = MACHINE.gantry.clearance_mm(pose, [hull])[0]
        shapes = gantry_shapes(ARTIS, pose)
        planes = [
            Capsules(
                *(
                    np.concatenate([getattr(s, f) for k, s in shapes.items() if k[0] == p])
                    for f in ("a_mm", "b_mm", "radius_mm")
                )
            )
            for p in "AB"
        ]
        wanted = [sampled_distance(planes[0], hull), sampled_distance(planes[1], hull), sampled_distance(*planes)]
        np.testing.assert_allclose(got[[0, 2, 4]], wanted, atol=12)
        assert (got[[0, 2, 4]] <= np.array(wanted) + 1e-6).all()


@pytest.mark.parametrize("name", PRESETS)
def test_drawn_housings_surround_source_and_detector(name):
    preset = device(name)
    pose = at(preset, 10, -150, -400, **({"deploy": 90.0} if preset.has_plane_b else {})).position[0]
    from carm_env.machine.cameras import plane_cameras

    shapes = gantry_shapes(preset, pose)
    for plane in range(len(preset.planes)):
        view = plane_cameras(preset, pose, plane, 0, 128)
        for part, centre in (("tube", view.source_mm[0]), ("detector", view.centre_mm[0])):
            dot = Capsules(centre[None], centre[None], np.zeros(1))
            assert sampled_distance(shapes[f"{'AB'[plane]}_{part}"], dot) < 0


def test_parked_b_is_out_of_the_way_of_every_pose_of_plane_a():
    rng = np.random.default_rng(1)
    poses = rng.uniform(ARTIS.limits[:, 0], ARTIS.limits[:, 1], (1000, 8))
    poses[:, 5:] = 90, 0, 0
    clearance = MACHINE.gantry.clearance_mm(poses, [body()] * 1000)
    assert clearance[:, 2:].min() > 0


def test_a_single_plane_machine_has_no_clearance_of_plane_b():
    cios = device("cios_spin")
    clearance = Machine(cios).gantry.clearance_mm(at(cios).position, [None])[0]
    assert np.isfinite(clearance[1])
    assert np.isinf(clearance[[0, 2, 3, 4]]).all()


def test_cios_drive_from_pelvis_to_head_is_free():
    cios = device("cios_spin")
    state, report = drive(Machine(cios), at(cios, z=-1100), command(z=1), False, body(), 45)
    assert not report.contact[0]
    assert state.position[0, A1] == 180
