"""Kept frames: the same images whatever was asked before, nothing rendered twice, memory bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient
from carm_env.render.cached_renderer import CachedRenderer
from carm_env.render.light_field import parts_of
from carm_env.render.numba_renderer import NumbaRenderer
from tests.render.test_behaviour import ball, centroid

SIZE = (32, 24)
angles = {"primary": st.floats(-180, 180), "secondary": st.floats(-80, 80)}
places = st.tuples(*[st.floats(-60, 60)] * 3)


def views(count: int = 3) -> Cameras:
    isocentres = np.linspace(-20, 20, 3 * count).reshape(count, 3)
    return cone_beam(isocentres, np.linspace(-5, 95, count), np.linspace(4, -3, count), 700, 1100, 8)


@settings(deadline=None, max_examples=60)
@given(isocentre=places, flip=st.booleans(), **angles)
def test_points_of_the_focal_plane_keep_their_place(
    isocentre: tuple[float, float, float], primary: float, secondary: float, flip: bool
) -> None:
    middle = np.array([3.0, -2.0, 1.0])
    camera = cone_beam([isocentre], primary, secondary, 700, 1100, 6, flip)
    parts = parts_of(camera, middle, SIZE)
    assert parts and sum(part.weight for part in parts) == pytest.approx(1.0)
    for part in parts:
        view = part.node.camera(middle)
        across, down = view.u[0], view.v[0]
        for point in (middle, middle + 15 * across, middle - 20 * across + 25 * down):
            here = np.append(camera.project(point, SIZE)[0, 0], 1.0)
            there = part.homography @ here
            assert there[:2] / there[2] == pytest.approx(view.project(point, (part.node.side,) * 2)[0, 0], abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(isocentre=places, **angles)
def test_kept_frames_hold_the_whole_field(
    isocentre: tuple[float, float, float], primary: float, secondary: float
) -> None:
    for part in parts_of(cone_beam([isocentre], primary, secondary, 700, 1100, 9), np.zeros(3), SIZE):
        for column in (-0.5, SIZE[1] - 0.5):
            for row in (-0.5, SIZE[0] - 0.5):
                x, y, depth = part.homography @ [column, row, 1]
                assert 0 <= x / depth <= part.node.side - 1 and 0 <= y / depth <= part.node.side - 1


@settings(deadline=None, max_examples=12)
@given(isocentre=st.tuples(*[st.floats(-30, 30)] * 3))
def test_fiducials_off_the_focal_plane_are_not_shifted(isocentre: tuple[float, float, float]) -> None:
    point = (-17.0, 36.0, -20.0)
    cameras = cone_beam([isocentre], 4, -3, 785, 1200, 5)
    image = CachedRenderer().render([ball(point)], cameras, (64, 64))[0].sum(0)
    assert np.abs(centroid(image) - cameras.project(point, (64, 64))[0, 0]).max() < 0.1


def test_nothing_is_rendered_twice(body: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = CachedRenderer()
    assert renderer.precompute([body] * 3, views(), SIZE) >= 4
    assert renderer.precompute([body] * 3, views(), SIZE) == 0
    monkeypatch.setattr(NumbaRenderer, "render", lambda *_: pytest.fail("rendered again"))
    assert renderer.render([body] * 3, views(), SIZE).any()


def test_what_was_asked_before_changes_no_bit(body: Patient) -> None:
    fresh, used = CachedRenderer(), CachedRenderer()
    used.render([body] * 9, views(9), SIZE)
    used.render([body] * 3, views(), (16, 16))
    assert np.array_equal(used.render([body] * 3, views(), SIZE), fresh.render([body] * 3, views(), SIZE))


def test_memory_is_bounded_and_changes_no_bit(body: Patient) -> None:
    small, large = CachedRenderer(cache_bytes=10**5), CachedRenderer()
    for _ in range(2):
        assert np.array_equal(small.render([body] * 3, views(), SIZE), large.render([body] * 3, views(), SIZE))
    assert sum(frame.pixels.nbytes for frame in small._frames.values()) <= 10**5


def test_views_that_frames_cannot_stand_for_are_rendered_as_they_are(body: Patient) -> None:
    near = cone_beam([[0, 0, 0], [0, 0, 0], [0, 0, 0]], 10, 5, [200, 700, 400], [600, 800, 410], [8, 8, 60])
    renderer = CachedRenderer()
    assert np.array_equal(
        renderer.render([body] * 3, near, SIZE), NumbaRenderer().render([body] * 3, near, SIZE)
    )
    assert not renderer._frames
