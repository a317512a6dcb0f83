"""What a row tells: the quantised signal, and points in the axes of the image."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.geometry import cone_beam
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.presets import device
from carm_env.sim.localisers.rows import View
from perception.data.rows import FLOOR, in_image_axes, nearest, quantised, visible

SIZE = (128, 128)
SOD, SID, PITCH = 785.0, 1100.0, 300.0 / 128
ANGLE = st.floats(-180, 180)
LENGTH = st.floats(-300, 300)
POINTS = st.lists(st.tuples(LENGTH, LENGTH, LENGTH), min_size=1, max_size=8)


def view(iso, primary, secondary, flip):
    cameras = cone_beam([iso], primary, secondary, SOD, SID, PITCH, flip)
    return SimpleNamespace(cameras=cameras), np.array([iso])


def perspective(uvw, sod, sid, pitch):
    """(column, row) of points in image axes."""
    return uvw[..., :2] * sid / (sod + uvw[..., 2:]) / pitch + (SIZE[0] - 1) / 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 20.0), st.floats(0.1, 5.0))
def test_the_log_signal_comes_back_within_half_a_step(seed, middle, spread):
    rng = np.random.default_rng(seed)
    signal = (middle * np.exp(rng.normal(0, spread, (3, 16, 16)))).astype(np.float32)
    mask = np.zeros(signal.shape, bool)
    mask[:, 2:14, 3:12] = True
    image, levels = quantised(signal, mask)
    true = np.log(np.maximum(signal, FLOOR))
    step = (levels[:, 1] - levels[:, 0]) / 255.0
    back = levels[:, 0, None, None] + image * step[:, None, None]
    assert np.abs(back - true)[mask].max() <= (0.5 * step.max()) * (1 + 1e-4) + 1e-5
    assert (image[~mask] == 0).all()
    assert (image.reshape(3, -1).max(1) == 255).all()


@pytest.mark.parametrize("value", [0.0, 1e-9, 1.0])
def test_an_even_or_a_closed_field_is_quantised_too(value):
    signal = np.full((2, 8, 8), value, np.float32)
    mask = np.stack([np.ones((8, 8), bool), np.zeros((8, 8), bool)])
    image, levels = quantised(signal, mask)
    assert np.isfinite(levels).all()
    assert (image == 0).all()
    assert levels[0, 0] == pytest.approx(np.log(max(value, FLOOR)))


@settings(max_examples=150, deadline=None)
@given(st.tuples(LENGTH, LENGTH, LENGTH), ANGLE, st.floats(-90, 90), st.booleans(), POINTS)
def test_image_axes_agree_with_the_cameras_projection(iso, primary, secondary, flip, offsets):
    shot, isocentre = view(iso, primary, secondary, flip)
    points = np.array(iso) + np.array(offsets)
    uvw = in_image_axes(points, shot, isocentre)
    assert np.linalg.norm(uvw, axis=-1) == pytest.approx(np.linalg.norm(points - iso, axis=-1)[None], abs=1e-6)
    projected = shot.cameras.project(points, SIZE)
    if not flip:
        assert perspective(uvw, SOD, SID, PITCH) == pytest.approx(projected, abs=1e-5)
    beam = shot.cameras.centre_mm - shot.cameras.source_mm
    assert uvw[..., 2] == pytest.approx(((points - iso) @ (beam / np.linalg.norm(beam)).T).T, abs=1e-6)
    assert (uvw[..., 0] - (points - iso) @ shot.cameras.u[0]) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "plane", "angles"),
    [
        ("artis_biplane", 0, (0, 0)),
        ("artis_biplane", 1, (90, 0)),
        ("cios_spin", 0, (180, 0)),
        ("cios_spin", 0, (95, 20)),
    ],
)
def test_image_axes_agree_with_the_cameras_of_every_machine(name, plane, angles):
    preset = device(name)
    position = np.zeros((1, 8))
    position[0, :3], position[0, 3 + 2 * plane : 5 + 2 * plane] = (10, -150, -300), angles
    cameras = plane_cameras(preset, position, [plane], [0], SIZE[0])
    points = position[0, :3] + np.random.default_rng(0).uniform(-90, 90, (12, 3))
    uvw = in_image_axes(points, SimpleNamespace(cameras=cameras), position[:, :3])
    spec = preset.planes[plane]
    seen = perspective(uvw, spec.sod_mm, spec.sid_mm, spec.pitch_mm(SIZE[0]))
    for row, column in ((0, cameras.u[0]), (1, cameras.v[0])):
        assert uvw[0, :, row] == pytest.approx((points - position[0, :3]) @ column)
    assert seen == pytest.approx(cameras.project(points, SIZE), abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(ANGLE, st.floats(-50, 50), st.booleans(), st.floats(20, 400), st.integers(0, 2**31))
def test_visible_agrees_with_what_perception_may_see(primary, secondary, flip, field_mm, seed):
    iso = np.array([5.0, -120.0, -300.0])
    shot, isocentre = view(tuple(iso), primary, secondary, flip)
    points = iso + np.random.default_rng(seed).normal(0, 200, (40, 3)) * [1, 1, 5]
    points[3] = np.nan
    seen = visible(in_image_axes(points, shot, isocentre), np.array([SOD]), np.array([field_mm]))[0]
    beam = (shot.cameras.centre_mm - shot.cameras.source_mm)[0]
    oracle = View(
        shot.cameras.u[0], shot.cameras.v[0], beam / np.linalg.norm(beam), shot.cameras.source_mm[0], iso, field_mm / 2
    )
    assert (seen == (oracle.outside_mm(points) == 0)).all()
    assert not seen[3]


def test_nearest_is_the_closest_known_landmark_or_none():
    points = np.full((3, 20, 3), np.nan)
    points[0, [2, 7]] = [[0, 0, 50], [30, 30, 0]]
    points[1, 19] = 900.0
    assert nearest(points).tolist() == [7, 19, -1]


def test_rows_hold_the_truth_of_their_views(shot):
    images, rows = shot
    column = rows.to_pydict()
    points = np.array(column["landmarks_mm"]).reshape(len(images), 20, 3)
    made_for = np.array(column["label"])
    within = np.abs(np.array(column["isocentre_mm"])[:, 0]) < 140.0
    at = np.flatnonzero((made_for >= 0) & within)
    assert len(at) > 8
    assert np.nanmax(np.abs(points[at, made_for[at]])) < 20.0 * 3**0.5
    assert (np.array(column["nearest"]) == nearest(points)).all()
    sod, field = np.array(column["sod_mm"]), np.array(column["field_mm"])
    assert (np.array(column["visible"]) == visible(points, sod, field)).all()
    assert (np.array(column["level_high"]) > np.array(column["level_low"])).all()
    assert len(images) == rows.num_rows


def test_bones_appear_where_the_rows_say(shot):
    """The skull's centre in a frontal view is darker than the open field about it."""
    images, rows = shot
    column = rows.to_pydict()
    row = column["label"].index(0)
    u, v, w = np.array(column["landmarks_mm"][row]).reshape(20, 3)[0]
    scale = column["sid_mm"][row] / (column["sod_mm"][row] + w) / column["pitch_mm"][row]
    at = np.round(np.array([v, u]) * scale + (images.shape[1] - 1) / 2).astype(int)
    assert images[row][tuple(at)] < np.percentile(images[row], 60)
