"""What every renderer that runs here has in common: one geometry, one material model, each to its own tolerance."""

import dataclasses

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.geometry import cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render.protocol import Renderer
from carm_env.render.reference import render_reference
from carm_env.render.registry import RENDERERS, make_renderer
from carm_env.xray.materials import mixture
from tests.render.test_accuracy import block, errors
from tests.render.test_behaviour import ball, centroid

SIZE = (48, 40)
TOLERANCES = {"numba": (0.08, 0.5), "cached": (1.0, 5.0), "nanodrr": (0.2, 5.0), "deepdrr": (1.0, 5.0)}
"""Percent of the mean: of the sum of both materials, of bone."""
ANGLES = [(0, 0), (90, 0), (35, 25), (-60, -30), (0, 60), (180, -50)]


@pytest.fixture(scope="module", params=sorted(RENDERERS))
def backend(request: pytest.FixtureRequest) -> Renderer:
    try:
        return make_renderer(request.param)
    except CarmError as missing:
        pytest.skip(str(missing))


def test_air_weighs_nothing(backend: Renderer) -> None:
    image = backend.render([block(-1000, (10, 10, 10))], cone_beam([[0, 0, 0]], 20, 10, 700, 1000, 5), SIZE)
    assert image.shape == (1, 2, *SIZE) and image.dtype == np.float32 and not image.any()


@pytest.mark.parametrize(("primary", "secondary", "sides"), [(0, 0, (40, 24, 40)), (90, 0, (24, 40, 40))])
def test_the_middle_of_a_block_has_its_thickness(
    backend: Renderer, primary: float, secondary: float, sides: tuple[int, int, int]
) -> None:
    image = backend.render([block(0, sides)], cone_beam([[0, 0, 0]], primary, secondary, 700, 1000, 1), (9, 9))[0]
    assert image[0, 4, 4] == pytest.approx(4.8 * 1000 * mixture().soft_slope, rel=5e-3)
    assert not image[1].any()


@pytest.mark.parametrize("hu", [-500, 40, 400, 1559, 2500])
def test_blocks_hold_what_the_mixture_says(backend: Renderer, hu: int) -> None:
    cameras = cone_beam([[0, 0, 0]], 0, 0, 700, 1000, 1)
    thin, thick = (backend.render([block(hu, (40, n, 40))], cameras, (9, 9))[0, :, 4, 4] for n in (12, 36))
    expected = 4.8 * np.array(mixture().densities(hu))
    assert thick - thin == pytest.approx(expected, rel=0.01, abs=0.02 * expected.sum())


def test_every_angulation_agrees_with_float64(backend: Renderer, body: Patient) -> None:
    total, bone = TOLERANCES[backend.name]
    for primary, secondary in ANGLES:
        cameras = cone_beam([[5.0, 3.0, 2.0]], primary, secondary, 500, 800, 6)
        found = errors(backend.render([body], cameras, SIZE)[0], render_reference(body.volume, cameras, SIZE)[0])
        assert found[0] <= total and found[1] <= bone, (primary, secondary)


def test_oblique_and_reversed_index_axes_agree_with_float64(backend: Renderer, oblique: Patient) -> None:
    total, bone = TOLERANCES[backend.name]
    cameras = cone_beam(np.zeros((2, 3)), [20, 80], [-15, 30], 500, 800, 6)
    truth = render_reference(oblique.volume, cameras, SIZE)
    for image, exact in zip(backend.render([oblique] * 2, cameras, SIZE), truth, strict=True):
        found = errors(image, exact)
        assert found[0] <= total and found[1] <= bone


def test_what_lies_beyond_the_ends_is_the_end_slice(backend: Renderer, body: Patient) -> None:
    top = body.volume.z_range_mm()[1]
    for z, secondary in ((top, 0.0), (top + 150, 15.0), (top, 45.0)):
        cameras = cone_beam([[5.0, 3.0, z]], 0, secondary, 500, 800, 5)
        found = errors(backend.render([body], cameras, SIZE)[0], render_reference(body.volume, cameras, SIZE)[0])
        assert found[0] <= 2 * TOLERANCES[backend.name][0]


@pytest.mark.parametrize("point", [(30.0, -20.0, 10.0), (-17.0, 36.0, -40.0), (0.0, 0.0, 40.0)])
@pytest.mark.parametrize(("primary", "secondary"), [(0, 0), (90, 0), (-35, 20)])
def test_points_show_where_the_camera_projects_them(
    backend: Renderer, point: tuple[float, float, float], primary: float, secondary: float
) -> None:
    cameras = cone_beam([[0, 0, 0]], primary, secondary, 785, 1100, 4)
    image = backend.render([ball(point)], cameras, (64, 64))[0].sum(0)
    assert np.abs(centroid(image) - cameras.project(point, (64, 64))[0, 0]).max() < 0.1


def test_patient_and_camera_moved_together_give_the_same_image(backend: Renderer, body: Patient) -> None:
    shift = np.array([123.4, -56.7, 890.1])
    affine = body.volume.affine.copy()
    affine[:3, 3] += shift
    cameras = cone_beam([[0, 0, 0]], 25, 20, 700, 1000, 5)
    there = dataclasses.replace(cameras, source_mm=cameras.source_mm + shift, centre_mm=cameras.centre_mm + shift)
    here = backend.render([body], cameras, SIZE)
    moved = backend.render([Patient("moved", Volume(body.volume.hu, affine))], there, SIZE)
    assert np.abs(here - moved).mean() <= 1e-3 * here.mean()


def test_a_frame_does_not_depend_on_its_batch(backend: Renderer, body: Patient, oblique: Patient) -> None:
    cameras = cone_beam(np.zeros((3, 3)), [0, 90, 20], [0, 0, 30], 700, 1000, 5)
    patients = [body, oblique, body]
    together = backend.render(patients, cameras, SIZE)
    for row, patient in enumerate(patients):
        alone = backend.render([patient], cameras[[row]], SIZE)[0]
        assert np.allclose(alone, together[row], rtol=1e-4, atol=1e-4)


def test_what_was_closed_renders_again(backend: Renderer, body: Patient) -> None:
    cameras = cone_beam([[0, 0, 0]], 25, 20, 700, 1000, 5)
    before = backend.render([body], cameras, SIZE)
    backend.close()
    assert np.allclose(backend.render([body], cameras, SIZE), before, rtol=1e-4, atol=1e-4)


def test_no_cameras_give_no_images(backend: Renderer) -> None:
    assert backend.render([], cone_beam(np.zeros((0, 3)), 0, 0, 700, 1000, 5), SIZE).shape == (0, 2, *SIZE)


def test_requests_that_nobody_can_serve_are_refused(backend: Renderer, body: Patient) -> None:
    good = cone_beam([[0, 0, 0]], 0, 0, 700, 1000, 5)
    with pytest.raises(CarmError, match="2 patients for 1 cameras"):
        backend.render([body, body], good, SIZE)
    with pytest.raises(CarmError, match="image size"):
        backend.render([body], good, (0, 64))
    with pytest.raises(CarmError, match="camera 0"):
        backend.render([body], dataclasses.replace(good, pitch_mm=np.array([np.nan])), SIZE)
    with pytest.raises(CarmError, match="cannot be inverted"):
        backend.render([Patient("flat", Volume(np.zeros((4, 4, 4), np.int16), np.zeros((4, 4))))], good, SIZE)
