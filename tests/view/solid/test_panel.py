import numpy as np
import pytest

from carm_env.view.solid.lookout import Lookout
from carm_env.view.solid.panel import gantry_points
from tests.view.solid.conftest import ARTIS, SIZE, TARGET_MM, picture, pose


def green_at(found):
    """Middle (column, row) of what is green, the key left out."""
    green = np.clip(found[:-40, :, 1] - found[:-40, :, [0, 2]].max(axis=-1) - 20, 0, None)
    assert green.any()
    row, column = np.indices(green.shape)
    return np.array([(green * column).sum(), (green * row).sum()]) / green.sum() + 0.5


@pytest.mark.parametrize("target", [TARGET_MM, (150.0, -300.0, -700.0), (-100.0, -50.0, -500.0)])
def test_the_target_is_seen_where_the_camera_puts_it(panel, target):
    at = green_at(picture(panel, target_mm=target))
    np.testing.assert_allclose(at, panel.view.project(np.array(target)), atol=1.5)


def test_the_head_is_left_and_up_is_anterior(panel):
    head, feet, front = panel.view.project(np.array([(0.0, 0, 0), (0, 0, -900), (0, -300, 0)]))
    assert head[0] < feet[0] - 50
    assert front[1] < head[1] - 30


@pytest.mark.parametrize("plane", [0, 1])
def test_the_beam_is_lit_while_exposing(panel, plane):
    lit = tuple(plane == p for p in range(2))
    change = np.abs(picture(panel, exposed=lit) - picture(panel)).max(axis=-1)
    path = TARGET_MM * [1, 1, 0] + [0, 0, -300] + np.array([(0, -200, 0), (-300, 0, 0)][plane])
    column, row = panel.view.project(path.astype(float)).astype(int)
    assert change[row - 2 : row + 3, column - 2 : column + 3].mean() > 15
    assert (change > 8).mean() < 0.25


def test_a_picture_does_not_depend_on_the_one_before(panel):
    first = picture(panel)
    picture(panel, position=pose(0.0, (30.0, 10.0)), exposed=(True, False), estimate=[0, -100, -300, 50, 80, 50])
    np.testing.assert_array_equal(picture(panel), first)


def test_an_estimate_is_shown_with_its_uncertainty(panel):
    bare = picture(panel)

    def changed(sd):
        found = picture(panel, estimate=[60.0, -350.0, -600.0, sd, sd, sd])
        return (np.abs(found - bare).max(axis=-1) > 15)[:-40].sum()

    assert changed(90.0) > 4 * changed(30.0) > 0


def test_a_parked_plane_b_is_not_shown(panel):
    def orange(deploy):
        found = picture(panel, position=pose(deploy))
        return ((found[..., 0] - found[..., 2] > 40) & (found[..., 0] > 120)).sum()

    assert orange(90.0) > 4 * orange(0.0)


def test_the_whole_gantry_and_table_are_in_the_picture(panel):
    seen = panel.view.project(gantry_points(ARTIS, pose()[None], 2))
    assert (seen > 0).all() and (seen < SIZE).all()
    rim = picture(panel)
    assert np.abs(np.diff(rim[[0, -1]], axis=1)).max() < 12
    assert np.abs(rim[:, 0] - rim[:, -1]).max() < 12


def test_a_view_holds_its_points_tightly():
    points = np.random.default_rng(0).normal(size=(50, 3)) * (300, 100, 900)
    view = Lookout.over(points, (1.0, 0.5, 0.3), (400, 300), margin=0.1)
    seen = view.project(points) / [400, 300]
    assert seen.min() == pytest.approx(0.1, abs=0.01)
    assert seen.max() == pytest.approx(0.9, abs=0.01) or np.ptp(seen[:, 0]) == pytest.approx(0.8, abs=0.01)
