"""Orientation, equivariance, independence of the batch, and requests that cannot be served."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render.numba_renderer import NumbaRenderer
from carm_env.render.protocol import Renderer

SIZE = (64, 64)
SHAPE, SPACING = (60, 60, 60), 3.0


def ball(point_mm: tuple[float, float, float]) -> Patient:
    """A small dense ball, blurred, at a point of a 180 mm cube of air around the origin."""
    axes = [(np.arange(n) - (n - 1) / 2) * SPACING - p for n, p in zip(SHAPE, point_mm, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    hu = -1000 + 2000 * np.exp(-(x**2 + y**2 + z**2) / (2 * 6.0**2))
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING * (np.array(SHAPE) - 1) / 2
    return Patient(f"ball{point_mm}", Volume(np.round(hu).astype(np.int16), affine))


def centroid(image: np.ndarray) -> np.ndarray:
    """(column, row) of the mass."""
    rows, columns = np.indices(image.shape)
    return np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()


def seen(renderer: Renderer, point: tuple[float, float, float], primary: float, secondary: float) -> np.ndarray:
    """Where a ball shows, in pixels right of and below the image's centre."""
    cameras = cone_beam([[0, 0, 0]], primary, secondary, 785, 1100, 4)
    return centroid(renderer.render([ball(point)], cameras, SIZE)[0].sum(0)) - 31.5


def test_both_planes_show_the_body_the_right_way_round(renderer: Renderer) -> None:
    left, posterior, head = (40.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 0.0, 40.0)
    assert seen(renderer, left, 0, 0)[0] > 10 and abs(seen(renderer, left, 0, 0)[1]) < 0.1
    assert seen(renderer, head, 0, 0)[1] < -10 and abs(seen(renderer, head, 0, 0)[0]) < 0.1
    assert seen(renderer, posterior, 90, 0)[0] > 10 and abs(seen(renderer, posterior, 90, 0)[1]) < 0.1
    assert seen(renderer, head, 90, 0)[1] < -10 and abs(seen(renderer, head, 90, 0)[0]) < 0.1


def test_angulation_moves_anterior_structures_away_from_the_detector_side(renderer: Renderer) -> None:
    anterior = (0.0, -40.0, 0.0)
    assert seen(renderer, anterior, 30, 0)[0] < -5, "LAO: to the patient's right"
    assert seen(renderer, anterior, -30, 0)[0] > 5, "RAO: to the patient's left"
    assert seen(renderer, anterior, 0, 30)[1] > 5, "CRA: to the feet"
    assert seen(renderer, anterior, 0, -30)[1] < -5, "CAU: to the head"


def test_the_nearer_side_is_magnified(renderer: Renderer) -> None:
    right_of = [abs(seen(renderer, (30.0, y, 0.0), 0, 0)[0]) for y in (-40.0, 0.0, 40.0)]
    assert right_of[0] < right_of[1] < right_of[2], "the tube is behind the back"


@settings(deadline=None, max_examples=25)
@given(
    primary=st.floats(-180, 180),
    secondary=st.floats(-90, 90),
    point=st.tuples(*[st.sampled_from([-36.0, -11.0, 0.0, 17.0, 40.0])] * 3),
)
def test_fiducials_show_where_the_camera_projects_them(
    primary: float, secondary: float, point: tuple[float, float, float]
) -> None:
    cameras = cone_beam([[0, 0, 0]], primary, secondary, 785, 1100, 4)
    image = NumbaRenderer().render([ball(point)], cameras, SIZE)[0].sum(0)
    assert np.abs(centroid(image) - cameras.project(point, SIZE)[0, 0]).max() < 0.1


def test_moving_patient_and_camera_together_changes_nothing(renderer: Renderer, body: Patient) -> None:
    shift = np.array([123.4, -56.7, 890.1])
    affine = body.volume.affine.copy()
    affine[:3, 3] += shift
    moved = Patient("moved", Volume(body.volume.hu, affine))
    cameras = cone_beam([[0, 0, 0]], 25, 20, 700, 1000, 5)
    there = dataclasses.replace(cameras, source_mm=cameras.source_mm + shift, centre_mm=cameras.centre_mm + shift)
    assert np.allclose(renderer.render([body], cameras, SIZE), renderer.render([moved], there, SIZE), atol=1e-3)


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_batch_and_order_change_no_bit(order: list[int], count: int) -> None:
    renderer = NumbaRenderer()
    patients = [ball((0.0, 10.0, 0.0)), ball((5.0, 0.0, 20.0))] * 3
    isocentres = np.zeros((6, 3)) + np.arange(6)[:, None]
    cameras = cone_beam(isocentres, np.linspace(-90, 90, 6), np.linspace(60, -50, 6), 785, 1100, 4)
    together = renderer.render(patients, cameras, SIZE)
    chosen = order[:count]
    assert np.array_equal(renderer.render([patients[i] for i in chosen], cameras[chosen], SIZE), together[chosen])


def test_rendering_twice_and_flipping_axes_in_memory_change_no_bit(renderer: Renderer, body: Patient) -> None:
    cameras = cone_beam([[0, 0, 0]], 25, 20, 700, 1000, 5)
    fortran = Patient("fortran", Volume(np.asfortranarray(body.volume.hu), body.volume.affine))
    first = renderer.render([body], cameras, SIZE)
    assert np.array_equal(first, renderer.render([body], cameras, SIZE))
    assert np.array_equal(first, renderer.render([fortran], cameras, SIZE))


def test_columns_and_rows_of_any_number(renderer: Renderer, body: Patient) -> None:
    cameras = cone_beam([[0, 0, 0]], 25, 20, 700, 1000, 1)
    large = renderer.render([body], cameras, (301, 67))
    small = renderer.render([body], cameras, (11, 5))
    assert np.allclose(large[:, :, 145:156, 31:36], small, atol=1e-3) and small.any()


def test_no_cameras_make_no_images(renderer: Renderer) -> None:
    assert renderer.render([], cone_beam(np.zeros((0, 3)), 0, 0, 700, 1000, 5), SIZE).shape == (0, 2, *SIZE)


def test_the_cache_is_bounded_and_changes_no_bit() -> None:
    patients, small, large = [ball((0, 0, 0)), ball((9, 9, 9)), ball((0, 0, 0))], NumbaRenderer(1), NumbaRenderer()
    cameras = cone_beam(np.zeros((3, 3)), [0, 10, 20], 5, 700, 1000, 5)
    assert np.array_equal(small.render(patients, cameras, SIZE), large.render(patients, cameras, SIZE))
    assert len(small._cache) == 1 and len(large._cache) == 2


def bad_camera(**change: float) -> Cameras:
    return cone_beam(
        [[0, 0, 0]], **{"primary_deg": 0, "secondary_deg": 0, "sod_mm": 7e2, "sid_mm": 1e3, "pitch_mm": 5} | change
    )


@pytest.mark.parametrize("change", [{"primary_deg": np.nan}, {"sod_mm": np.inf}, {"pitch_mm": 0}, {"sid_mm": 1e9}])
def test_impossible_cameras_are_refused(renderer: Renderer, body: Patient, change: dict[str, float]) -> None:
    with pytest.raises(CarmError, match="camera 0"), np.errstate(invalid="ignore"):
        renderer.render([body], bad_camera(**change), SIZE)


def test_impossible_requests_are_refused(renderer: Renderer, body: Patient) -> None:
    with pytest.raises(CarmError, match="2 patients for 1 cameras"):
        renderer.render([body, body], bad_camera(), SIZE)
    for size in ((0, 64), (64, 10**6), (64,)):
        with pytest.raises(CarmError, match="image size"):
            renderer.render([body], bad_camera(), size)


@pytest.mark.parametrize(
    ("hu", "affine", "message"),
    [
        (np.zeros((4, 4, 4), np.int16), np.zeros((4, 4)), "cannot be inverted"),
        (np.zeros((4, 4, 4), np.int16), np.full((4, 4), np.nan), "cannot be inverted"),
        (np.zeros((4, 4), np.int16), np.eye(4), "int16"),
        (np.zeros((4, 0, 4), np.int16), np.eye(4), "int16"),
        (np.zeros((4, 4, 4)), np.eye(4), "int16"),
    ],
)
def test_impossible_volumes_are_refused(renderer: Renderer, hu: np.ndarray, affine: np.ndarray, message: str) -> None:
    with pytest.raises(CarmError, match=message):
        renderer.render([Patient("broken", Volume(hu, affine))], bad_camera(), SIZE)
