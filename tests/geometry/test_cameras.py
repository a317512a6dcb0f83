"""Where fiducials appear: sides, angle signs, magnification, and the pixels of the reference views."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.geometry import Cameras, Rigid, cone_beam, detector_direction
from tests.conftest import DATA

LEFT, RIGHT, BACK, FRONT, HEAD, FEET = [50, 0, 0], [-50, 0, 0], [0, 50, 0], [0, -50, 0], [0, 0, 50], [0, 0, -50]
MIDDLE = (128 - 1) / 2
degrees = st.floats(-180, 180)
coordinate = st.floats(-200, 200)
point = st.tuples(coordinate, coordinate, coordinate)


def camera(primary: float, secondary: float = 0.0, flip: bool = False) -> Cameras:
    return cone_beam([[0, 0, 0]], primary, secondary, 785, 1100, 300 / 128, flip)


def seen(view: Cameras, *points: list[int]) -> np.ndarray:
    """Columns to the right and rows below the middle, [K, 2]."""
    return view.project(points, (128, 128))[0] - MIDDLE


def test_frontal_plane_shows_patient_left_on_the_right_and_the_head_up():
    left, right, head, feet = seen(camera(0), LEFT, RIGHT, HEAD, FEET)
    assert left[0] > 10
    assert right[0] < -10
    assert head[1] < -10
    assert feet[1] > 10
    np.testing.assert_allclose([left[1], right[1], head[0], feet[0]], 0, atol=1e-9)


def test_lateral_plane_shows_the_back_on_the_right_and_the_head_up():
    back, front, head, feet = seen(camera(90), BACK, FRONT, HEAD, FEET)
    assert back[0] > 10
    assert front[0] < -10
    assert head[1] < -10
    assert feet[1] > 10


def test_lateral_tube_stands_on_the_patients_right():
    view = camera(90)
    assert view.source_mm[0, 0] == pytest.approx(-785)
    assert view.centre_mm[0, 0] == pytest.approx(315)


def test_anterior_beam_with_flip_keeps_the_frontal_layout():
    left, head = seen(camera(180, flip=True), LEFT, HEAD)
    assert left[0] > 10
    assert head[1] < -10
    assert camera(180, flip=True).source_mm[0, 1] == pytest.approx(-785)


@pytest.mark.parametrize(
    ("primary", "secondary", "towards"),
    [(30, 0, (1, -1, 0)), (-30, 0, (-1, -1, 0)), (0, 20, (0, -1, 1)), (0, -20, (0, -1, -1))],
    ids=["LAO", "RAO", "CRA", "CAU"],
)
def test_detector_goes_where_the_angle_is_named_after(primary, secondary, towards):
    np.testing.assert_array_equal(np.sign(detector_direction(primary, secondary)[0]).round(9), towards)


def test_lao_moves_what_lies_in_front_to_the_patients_right_in_the_image():
    """Seen from the patient's left front, the front of the body lies to the right of the back (image left)."""
    front, back = seen(camera(30), FRONT, BACK)
    assert front[0] < -10
    assert back[0] > 10
    front, back = seen(camera(-30), FRONT, BACK)
    assert front[0] > 10
    assert back[0] < -10


def test_cra_moves_what_lies_in_front_towards_the_feet_in_the_image():
    front, back = seen(camera(0, 20), FRONT, BACK)
    assert front[1] > 5
    assert back[1] < -5
    front, back = seen(camera(0, -20), FRONT, BACK)
    assert front[1] < -5
    assert back[1] > 5


def test_projection_agrees_with_a_hand_calculation():
    """60 mm to the left and 100 mm nearer to the detector: 60 * 1100 / (785 + 100) mm beside the middle."""
    column, row = seen(camera(0), [60, -100, 0])[0]
    assert column == pytest.approx(60 * 1100 / 885 / (300 / 128))
    assert row == pytest.approx(0, abs=1e-9)


def test_points_behind_the_source_have_no_pixel():
    assert np.isnan(camera(0).project([0, 786, 0], (128, 128))).all()


@given(degrees, degrees)
def test_axes_are_orthonormal_and_the_image_is_seen_from_the_detector_side(primary, secondary):
    view = camera(primary, secondary)
    beam = detector_direction(primary, secondary)[0]
    axes = np.stack([view.u[0], view.v[0], beam])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(view.u[0], view.v[0]), -beam, atol=1e-12)


@given(degrees, degrees, point)
def test_the_isocentre_projects_to_the_middle(primary, secondary, isocentre):
    view = cone_beam([isocentre], primary, secondary, 785, 1100, 2.0)
    np.testing.assert_allclose(view.project(isocentre, (64, 128))[0, 0], [63.5, 31.5], atol=1e-7)


@given(degrees, point, point)
def test_moving_camera_and_point_together_changes_no_pixel(yaw, shift, target):
    motion, view = Rigid.yaw(yaw, shift), camera(30, 20)
    moved = view.moved(motion).project(motion.points([target]), (128, 128))
    np.testing.assert_allclose(moved, view.project(target, (128, 128)), atol=1e-6)


@given(degrees, point, point)
def test_inverse_undoes_a_rigid_motion(yaw, shift, target):
    motion = Rigid.yaw(yaw, shift)
    np.testing.assert_allclose(motion.inverse().points(motion.points([target])), [target], atol=1e-9)
    np.testing.assert_allclose(motion.points(motion.inverse().points([target])), [target], atol=1e-9)


def test_batches_equal_single_cameras():
    primary, secondary = np.array([0.0, 90, -20]), np.array([0.0, 10, 45])
    many = cone_beam(np.arange(9.0).reshape(3, 3), primary, secondary, 785, 1100, 2.0)
    targets = np.arange(12.0).reshape(4, 3)
    for m in range(3):
        one = cone_beam(np.arange(9.0).reshape(3, 3)[m], primary[m], secondary[m], 785, 1100, 2.0)
        np.testing.assert_array_equal(many[[m]].project(targets, (99, 99)), one.project(targets, (99, 99)))


def _reference() -> tuple[dict, dict]:
    views = Path(DATA).parent / "reference" / "views" / "views.json"
    marks = DATA / "acrin-flt-breast-001" / "whole_body.landmarks.json"
    if not (views.exists() and marks.exists()):
        pytest.skip("no reference views or landmarks of the whole-body CT: set CARM_DATA_DIR")
    stored = json.loads(marks.read_text())
    points = {**stored["landmarks"], **stored["targets"]}
    return json.loads(views.read_text()), {k: p["position"] for k, p in points.items() if p}


def test_landmarks_of_the_reference_views_fall_on_their_pixels():
    reference, points = _reference()
    size = (reference["pixels"], reference["pixels"])
    compared = 0
    for name, view in reference["views"].items():
        camera_ = cone_beam(
            view["isocentre_lps_mm"],
            view["primary_deg"],
            view["secondary_deg"],
            reference["sod_mm"],
            reference["sid_mm"],
            reference["pitch_mm"],
        )
        for landmark, pixel in view["landmark_column_row_px"].items():
            if landmark in points:
                got = camera_.project(points[landmark], size)[0, 0]
                np.testing.assert_allclose(got, pixel, atol=0.1, err_msg=f"{name} {landmark}")
                compared += 1
    assert compared >= 8 * 20
