import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.machine.collision import gantry_shapes
from carm_env.machine.presets import PRESETS
from carm_env.view.scene import corners, gantry_cameras
from carm_env.view.solid.gantry import beam_matrix, plane_matrix, plane_parts
from tests.view.solid.conftest import ARTIS, pose

pytestmark = pytest.mark.usefixtures("renders")
angle = st.floats(-45, 45)


def moved(mesh, matrix):
    points = np.asarray(mesh.points, float)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def placed(part, position, plane, preset=ARTIS):
    return moved(getattr(plane_parts(preset.planes[plane]), part), plane_matrix(position, preset, plane))


def test_plane_as_detector_is_in_front_of_the_chest_and_its_tube_under_the_table():
    assert placed("housing", pose(), 0)[:, 1].max() < -400
    assert placed("tube", pose(), 0)[:, 1].min() > ARTIS.table_high_mm[1]
    assert placed("arm", pose(), 0)[:, 2].max() > 1000


def test_plane_bs_tube_is_on_the_patients_right_and_its_arm_above():
    assert placed("tube", pose(), 1)[:, 0].max() < -225
    assert placed("housing", pose(), 1)[:, 0].min() > 225
    assert placed("arm", pose(), 1)[:, 1].min() < -900


def test_a_parked_plane_b_is_above_the_head_end():
    parked = placed("housing", pose(deploy=0.0), 1)
    assert parked[:, 1].max() < -1000 and parked[:, 2].min() > 500


def outside(points, capsules):
    """How far points lie outside the nearest capsule, [K]."""
    a, b = capsules.a_mm, capsules.b_mm
    along = b - a
    square = (along**2).sum(axis=1)
    share = np.einsum("kci,ci->kc", points[:, None] - a, along) / np.where(square > 0, square, 1.0)
    nearest = a + np.clip(share, 0, 1)[..., None] * along
    return (np.linalg.norm(points[:, None] - nearest, axis=2) - capsules.radius_mm).min(axis=1)


@settings(deadline=None, max_examples=8)
@given(angle, angle, st.floats(0, 90))
def test_what_is_drawn_is_what_collides(primary, secondary, deploy):
    where = pose(deploy, (primary, secondary), (60 + primary, secondary))
    shapes = gantry_shapes(ARTIS, where)
    for plane, mark in enumerate("AB"):
        for part, shape, most in (("housing", "detector", 45.0), ("tube", "tube", 45.0), ("arm", "arm", 70.0)):
            assert outside(placed(part, where, plane), shapes[f"{mark}_{shape}"]).max() < most


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_beam_leads_from_the_focal_spot_to_the_collimated_field(name):
    preset, field = PRESETS[name], 150.0
    spec, where = preset.planes[0], pose(a=(preset.home[3] + 20.0, 10.0))
    beam = moved(plane_parts(spec).beam, beam_matrix(plane_matrix(where, preset, 0), field, spec))
    camera = gantry_cameras(where, preset, 0)
    np.testing.assert_allclose(beam[0], camera.source_mm[0], atol=1e-3)
    wanted = corners(camera, field * spec.sid_mm / spec.sod_mm / 2)[0]
    rays = (wanted - beam[0]) / np.linalg.norm(wanted - beam[0], axis=1)[:, None]
    ends = (beam[1:] - beam[0]) / np.linalg.norm(beam[1:] - beam[0], axis=1)[:, None]
    assert np.allclose(np.sort((rays @ ends.T).max(axis=0)), 1.0, atol=1e-9)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_placing_a_plane_turns_and_never_mirrors(name):
    matrix = plane_matrix(pose(a=(120.0, 20.0)), PRESETS[name], 0)[:3, :3]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
