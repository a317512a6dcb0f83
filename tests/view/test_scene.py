import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.geometry import Rigid
from carm_env.machine.collision import gantry_shapes
from carm_env.machine.presets import PRESETS
from carm_env.patient.model import Volume
from carm_env.view.scene import (
    backdrop,
    believed_error,
    body_on_table,
    bounds,
    corners,
    estimated_targets,
    gantry_cameras,
    image_left,
    silhouette,
)
from tests.view.conftest import OFFSET_MM, dummy_volume, scene_of

ARTIS = PRESETS["artis_biplane"]
angle = st.floats(-45, 45)


def pose(deploy=90.0, a=(0.0, 0.0), b=(90.0, 0.0)):
    return np.array([5.0, -100.0, -300.0, *a, *b, deploy])


@settings(deadline=None, max_examples=40)
@given(angle, angle, st.floats(0, 90))
def test_source_and_detector_lie_inside_the_housings_that_collide(primary, secondary, deploy):
    where = pose(deploy, (primary, secondary), (60 + primary, secondary))
    shapes = gantry_shapes(ARTIS, where)
    for plane, mark in enumerate("AB"):
        tube, detector = shapes[f"{mark}_tube"], shapes[f"{mark}_detector"]
        cameras = gantry_cameras(where, ARTIS, plane)
        middle = (tube.a_mm[0] + tube.b_mm[0]) / 2
        np.testing.assert_allclose(cameras.source_mm[0], middle, atol=1e-6)
        nearest = np.linalg.norm((detector.a_mm + detector.b_mm) / 2 - cameras.centre_mm[0], axis=1).min()
        assert nearest < detector.radius_mm[0]


def test_a_deployed_lateral_plane_looks_from_the_patients_right():
    cameras = gantry_cameras(pose(), ARTIS, 1)
    assert cameras.source_mm[0] == pytest.approx([5.0 - 780, -100, -300])
    assert cameras.centre_mm[0] == pytest.approx([5.0 + 320, -100, -300])


def test_the_field_at_the_isocentre_keeps_its_size():
    cameras = gantry_cameras(pose(a=(20.0, 10.0)), ARTIS, 0)
    spec = ARTIS.planes[0]
    edge = corners(cameras, 190.0 * spec.sid_mm / spec.sod_mm / 2)[0]
    at_isocentre = cameras.source_mm[0] + (edge - cameras.source_mm[0]) * spec.sod_mm / spec.sid_mm
    assert np.linalg.norm(at_isocentre[1] - at_isocentre[0]) == pytest.approx(190.0)
    assert at_isocentre.mean(axis=0) == pytest.approx([5.0, -100.0, -300.0])


def test_the_silhouette_is_moved_onto_the_table():
    outline = silhouette([0.0, 10.0], [50.0, 60.0], [-50.0, -60.0], [-30.0, -30.0], [70.0, 70.0],
                         Rigid.yaw(0.0, OFFSET_MM))  # fmt: skip
    assert outline.top.tolist() == [[-40, 50], [-30, 60], [-30, -60], [-40, -50]]
    assert outline.side.tolist() == [[-40, -140], [-30, -140], [-30, -40], [-40, -40]]


def point_in_air():
    """A dense cube of 40 mm around (120, 40, -500), LPS."""
    volume = dummy_volume()
    return Volume(np.where(volume.hu > 1000, volume.hu, np.int16(-1000)), volume.affine)


def centre(picture):
    """(z, across) of the bright part of a backdrop."""
    row, column = np.argwhere(picture.image > 0.5 * picture.image.max()).mean(axis=0)
    return picture.placement @ [column + 0.5, row + 0.5, 1.0]


@pytest.mark.parametrize(("axis", "across"), [(0, 120.0 + OFFSET_MM[0]), (1, 40.0 + OFFSET_MM[1])])
def test_the_backdrop_shows_a_point_where_it_is(axis, across):
    picture = backdrop(point_in_air(), axis, Rigid.yaw(0.0, OFFSET_MM))
    assert centre(picture) == pytest.approx([-500.0 + OFFSET_MM[2], across], abs=4.5)


def test_a_yaw_turns_the_backdrop_as_it_turns_the_body():
    turn = Rigid.yaw(10.0, OFFSET_MM)
    expected = turn.points([[120.0, 0.0, -500.0]])[0]
    assert centre(backdrop(point_in_air(), 0, turn)) == pytest.approx(expected[[2, 0]], abs=4.5)


def test_the_outline_encloses_the_picture_of_the_body():
    body = body_on_table(dummy_volume(), Rigid.yaw(0.0, OFFSET_MM))
    assert body.top[:, 1].max() == pytest.approx(190, abs=12)
    assert body.side[:, 1].min() == pytest.approx(-105 + OFFSET_MM[1], abs=12)
    assert set(body.backdrops) == {"top", "side"}


def test_both_views_show_the_body_and_the_whole_drive(scene):
    shown = bounds(scene.record, scene.body, scene.preset)
    np.testing.assert_array_equal(shown["top"][0], shown["side"][0])
    for view, axis in (("top", 0), ("side", 1)):
        points = np.concatenate([scene.record.position[:, [2, axis]], getattr(scene.body, view)])
        assert (points.min(axis=0) > shown[view][:, 0]).all()
        assert (points.max(axis=0) < shown[view][:, 1]).all()


def test_an_estimate_points_at_the_target_from_where_it_was_made(scene):
    track = estimated_targets(scene.record)
    assert np.isnan(track[:4]).all()
    target = [scene.record.steps[f"target_{axis}_mm"][0] for axis in "xyz"]
    np.testing.assert_allclose(track[4:, :3] - target, np.tile([6.0, -3.0, 4.0], (56, 1)))


def test_the_believed_error_leads_from_the_isocentre_to_the_estimate(scene):
    track = estimated_targets(scene.record)
    believed = believed_error(scene.record, track)
    assert np.isnan(believed[:4]).all()
    assert believed[10] == pytest.approx(np.linalg.norm(track[10, :3] - scene.record.position[10, :3]))
    one = scene_of(12, planes=1)
    flat = estimated_targets(one.record)[8, [0, 2]] - one.record.position[8, [0, 2]]
    assert believed_error(one.record, estimated_targets(one.record))[8] == pytest.approx(np.linalg.norm(flat))


@pytest.mark.parametrize(
    ("primary", "left"), [(0.0, "R"), (180.0, "L"), (90.0, "front"), (-90.0, "back"), (30.0, "R")]
)
def test_the_left_side_of_an_image_is_named(primary, left):
    cameras = gantry_cameras(pose(a=(primary, 0.0)), ARTIS, 0)
    assert image_left(cameras.u[0]) == left
