import numpy as np
import pytest

from carm_env.geometry import Rigid
from carm_env.patient.load import load_patient
from carm_env.patient.model import Volume
from carm_env.view.solid.mesh import surfaces
from carm_env.view.solid.panel import on_table
from tests.view.conftest import dummy_volume

pytestmark = pytest.mark.usefixtures("renders")


def box(mesh):
    return np.reshape(mesh.bounds, (3, 2))


@pytest.fixture(scope="module")
def body():
    return surfaces(dummy_volume())


def test_the_skin_encloses_the_body_and_ends_where_the_ct_ends(body):
    np.testing.assert_allclose(box(body.skin), [(-190, 190), (-105, 105), (-900, 30)], atol=8.0)


def test_bone_is_where_it_is_dense(body):
    np.testing.assert_allclose(box(body.bone), [(100, 140), (20, 60), (-520, -480)], atol=8.0)


def test_normals_point_outwards(body):
    away = np.asarray(body.skin.points) - [0.0, 0.0, -560.0]
    outwards = np.einsum("ki,ki->k", away, np.asarray(body.skin.point_data["Normals"])) > 0
    assert outwards.mean() > 0.95


def test_the_couch_and_lungs_are_no_skin():
    volume = dummy_volume()
    hu = volume.hu.copy()
    hu[:, -4:-3] = 100
    hu[22:38, 14:26, 60:80] = -900
    found = surfaces(Volume(hu, volume.affine))
    assert box(found.skin)[1, 1] < 115
    middle = np.linalg.norm(np.asarray(found.skin.points) - [0.0, 0.0, -340.0], axis=1)
    assert middle.min() > 80


def test_air_has_no_surfaces():
    volume = dummy_volume()
    found = surfaces(Volume(np.full_like(volume.hu, -1000), volume.affine))
    assert found.skin.n_cells == found.bone.n_cells == 0
    assert on_table(found, Rigid.yaw(0.0, (0.0, 0.0, 0.0))).skin.n_cells == 0


def test_a_body_is_moved_onto_the_table(body):
    turn = Rigid.yaw(30.0, (10.0, -100.0, -50.0))
    moved = on_table(body, turn)
    expected = turn.points(np.asarray(body.bone.points, float)[None])[0]
    np.testing.assert_allclose(np.asarray(moved.bone.points), expected, atol=1e-2)


@pytest.mark.slow
def test_a_phantoms_bones_lie_inside_its_skin_and_both_inside_its_ct():
    patient = load_patient("phantom:3")
    found = surfaces(patient.volume)
    ends = patient.volume.to_mm([np.zeros(3), np.array(patient.volume.hu.shape) - 1.0]).T
    skin, bone = box(found.skin), box(found.bone)
    assert (skin[:, 0] > ends[:, 0] - 4).all() and (skin[:, 1] < ends[:, 1] + 4).all()
    assert (bone[:, 0] > skin[:, 0] - 4).all() and (bone[:, 1] < skin[:, 1] + 4).all()
    for name in ("right_femoral_head", "left_humeral_head"):
        nearest = np.linalg.norm(np.asarray(found.bone.points) - patient.landmarks[name], axis=1).min()
        assert nearest < 40
