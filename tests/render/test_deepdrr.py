"""Images of the DeepDRR backend, through a package that stands in DeepDRR's place."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render.deepdrr_renderer import DeepDrrRenderer
from carm_env.render.reference import render_reference
from carm_env.xray.materials import mixture
from tests.render.test_accuracy import block, errors
from tests.render.test_behaviour import ball, centroid, seen

SIZE = (24, 20)
TOTAL, BONE = 0.1, 2.0
"""Percent: densities are mapped before they are interpolated, which leaves the total and blurs bone."""


def pair(z_mm: float = 2.0, secondary: float = 0.0, sid: tuple[float, float] = (800.0, 800.0)) -> Cameras:
    """A frontal and a lateral camera."""
    return cone_beam([[5.0, 3.0, z_mm]] * 2, [0, 90], secondary, 500, sid, 8)


@pytest.mark.parametrize("spacing", [(2, 2, 2), (0.7, 1.3, 2.5)])
@pytest.mark.parametrize("angles", [(0, 0), (90, 0), (30, 20)])
def test_a_block_has_its_path_length_and_mixture(
    log: SimpleNamespace, spacing: tuple[float, float, float], angles: tuple[float, float]
) -> None:
    for hu in (-500, 400, 1559):
        patient = block(hu, (24, 30, 20), spacing)
        camera = cone_beam([[0, 0, 0]], *angles, 500, 800, 0.5)
        image = DeepDrrRenderer().render([patient], camera, (3, 3))[0]
        truth = render_reference(patient.volume, camera, (3, 3))[0]
        assert np.allclose(image.sum(0), truth.sum(0), rtol=0.01)


def test_air_is_empty(log: SimpleNamespace) -> None:
    image = DeepDrrRenderer().render([block(-1000, (10, 10, 10))], cone_beam([[0, 0, 0]], 20, 10, 700, 1000, 5), SIZE)
    assert image.shape == (1, 2, *SIZE) and image.dtype == np.float32 and not image.any()


@pytest.mark.parametrize("name", ["body", "oblique"])
@pytest.mark.parametrize("angles", [(0, 0), (90, 0), (35, 25), (-60, -30), (0, 50), (180, -50)])
def test_any_angulation_agrees_with_float64(
    log: SimpleNamespace, name: str, angles: tuple[float, float], request: pytest.FixtureRequest
) -> None:
    patient = request.getfixturevalue(name)
    cameras = cone_beam([[5.0, 3.0, 2.0]] * 2, *angles, 500, 800, 12, flip=[False, True])
    images = DeepDrrRenderer().render([patient] * 2, cameras, SIZE)
    for image, truth in zip(images, render_reference(patient.volume, cameras, SIZE), strict=True):
        total, bone = errors(image, truth)
        assert total <= TOTAL and bone <= BONE


def test_both_planes_show_the_body_the_right_way_round(log: SimpleNamespace) -> None:
    renderer = DeepDrrRenderer()
    left, posterior, head = (40.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 0.0, 40.0)
    assert seen(renderer, left, 0, 0)[0] > 10 and seen(renderer, head, 0, 0)[1] < -10
    assert seen(renderer, posterior, 90, 0)[0] > 10 and seen(renderer, head, 90, 0)[1] < -10


@pytest.mark.parametrize("size", [(64, 64), (48, 63)])
def test_fiducials_show_where_the_camera_projects_them(log: SimpleNamespace, size: tuple[int, int]) -> None:
    renderer, point = DeepDrrRenderer(), (17.0, -11.0, 20.0)
    for primary, secondary, flip in [(0, 0, False), (90, 0, False), (40, -30, False), (180, 10, True)]:
        cameras = cone_beam([[0, 0, 0]], primary, secondary, 785, 1100, 4, flip)
        tilted = dataclasses.replace(cameras, centre_mm=cameras.centre_mm + 9.0 * cameras.u - 7.0 * cameras.v)
        for camera in (cameras, tilted):
            image = renderer.render([ball(point)], camera, size)[0].sum(0)
            assert np.abs(centroid(image) - camera.project(point, size)[0, 0]).max() < 0.1


def test_moving_patient_and_camera_together_changes_nothing(log: SimpleNamespace, body: Patient) -> None:
    shift = np.array([123.4, -56.7, 890.1])
    affine = body.volume.affine.copy()
    affine[:3, 3] += shift
    moved = Patient("moved", Volume(body.volume.hu, affine))
    cameras = pair(secondary=20)
    there = dataclasses.replace(cameras, source_mm=cameras.source_mm + shift, centre_mm=cameras.centre_mm + shift)
    renderer = DeepDrrRenderer()
    images = [renderer.render([p] * 2, c, SIZE) for p, c in ((body, cameras), (moved, there))]
    assert np.allclose(*images, atol=1e-3)


def test_end_slices_continue(log: SimpleNamespace, body: Patient) -> None:
    for end, tilt in zip(body.volume.z_range_mm(), (-30, 30), strict=True):
        cameras = pair(end, tilt)
        images = DeepDrrRenderer().render([body] * 2, cameras, SIZE)
        for image, truth in zip(images, render_reference(body.volume, cameras, SIZE), strict=True):
            assert errors(image, truth)[0] <= TOTAL


def test_metal_attenuates_though_its_soft_tissue_is_negative(log: SimpleNamespace) -> None:
    patient, camera = block(6000, (4, 4, 4)), cone_beam([[0, 0, 0]], 0, 0, 500, 800, 0.5)
    soft, bone = DeepDrrRenderer().render([patient], camera, (1, 1))[0, :, 0, 0]
    truth = render_reference(patient.volume, camera, (1, 1))[0, :, 0, 0]
    assert soft < 0 and mixture().densities(6000)[0] < 0
    weights = mixture().mu_soft, mixture().mu_bone
    assert np.dot(weights, [soft, bone]) == pytest.approx(np.dot(weights, truth), rel=0.01)


def test_metres_of_tissue_are_finite(log: SimpleNamespace) -> None:
    wall = Patient("wall", Volume(np.full((4, 400, 4), 1000, np.int16), np.diag([50.0, 50, 50, 1])))
    assert np.isfinite(DeepDrrRenderer().render([wall], cone_beam([[75, 9975, 75]], 0, 0, 2e4, 4e4, 1), (3, 3))).all()


def test_rays_end_by_the_farthest_pixel_of_their_own_image(log: SimpleNamespace, body: Patient) -> None:
    """A detector inside the body: at most 13 mm behind it show, not the rest up to the other plane's detector."""
    renderer, cameras = DeepDrrRenderer(), pair(sid=(540.0, 800.0))
    together = renderer.render([body] * 2, cameras, SIZE)
    for row in range(2):
        alone = renderer.render([body], cameras[row], SIZE)
        assert np.array_equal(together[row], alone[0])
        truth = render_reference(body.volume, cameras[row], SIZE)[0]
        assert errors(alone[0], truth)[0] <= (TOTAL if row else 10.0)


def test_any_energy_gives_the_same_densities_of_its_own_mixture(log: SimpleNamespace, body: Patient) -> None:
    for kev in (60.0, 80.0):
        image = DeepDrrRenderer(ct_energy_kev=kev).render([body], pair()[0], SIZE)[0]
        attenuation = np.dot([mixture(kev).mu_soft, mixture(kev).mu_bone], image.reshape(2, -1))
        truth = render_reference(body.volume, pair()[0], SIZE)[0].reshape(2, -1)
        expected = np.dot([mixture().mu_soft, mixture().mu_bone], truth) * mixture(kev).mu_water / mixture().mu_water
        assert np.abs(attenuation - expected).mean() <= 0.002 * expected.mean()
