"""Dose to points in the body, in the field and beside it."""

import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.geometry import Rigid
from carm_env.render.reference import line_integrals
from carm_env.xray import lookup
from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.points import point_doses
from carm_env.xray.dose.quality import BACKSCATTER_STEP_CM, quality
from tests.xray.dose.bodies import DEVICE, IN_PLACE, SOD, TRUNK_MM, cylinder, irradiations, trunk

VIEWS = st.tuples(st.floats(-180, 180), st.floats(-30, 30))
INSIDE = st.tuples(st.floats(-100, 100), st.floats(-60, 60), st.floats(-100, 100))
BACK_MM = -40.0
"""The back of a water cylinder whose middle is 24 cm thick, as in the Monte Carlo."""
BUILD_UP = {10.0: (2.92, 3.89, 4.73, 5.49), 20.0: (3.62, 5.43, 7.34, 9.29)}
DEPTHS_CM = (4.5, 8.5, 12.5, 16.5)
"""Monte Carlo of a water slab of 24 cm, 80 kV, 0.3 mm Cu (benchmarks/results/slab_monte_carlo.json): dose on the axis
of a square field over that of the primary beam, by side (cm), at four depths; and 3 cm beside a 10 cm field over that
of the open beam."""
BESIDE = (0.1161, 0.0952, 0.0618, 0.0359)


def doses(points, exposures, patient=None, table_gcm2=0.0, to_table=IN_PLACE, **settings):
    grid = body_grid(patient or trunk())
    return point_doses(np.atleast_2d(points), exposures, grid, to_table, DEVICE, table_gcm2, DoseConfig(**settings))


def mgy(*args, **kwargs):
    return doses(*args, **kwargs).mgy.sum(axis=(0, 1))


@settings(max_examples=20, deadline=None)
@given(VIEWS, INSIDE, st.floats(55, 110), st.floats(0, 0.9))
def test_the_primary_s_share_follows_line_integrals_and_inverse_square(view, offset, kv, cu):
    """Without build-up and with a closed-down field's backscatter: air kerma times transmission times tissue."""
    point = np.add(TRUNK_MM, offset)
    exposure = irradiations(point, view, 1.0, kv=kv, cu_mm=cu)
    source = exposure.cameras.source_mm
    integrals = line_integrals(trunk().volume, source, point[None], 0.5)
    through = lookup.evaluate(
        lookup.beam_table(kv, cu), integrals[:, :, None, None].astype(np.float32), lookup.KERMA
    ).item()
    q = quality(kv, cu, 0.0)
    backscatter = np.interp(0.1, np.arange(len(q.backscatter)) * BACKSCATTER_STEP_CM, q.backscatter)
    expected = ((SOD - 150.0) / SOD) ** 2 * through * q.medium * backscatter
    assert mgy(point, exposure, buildup_per_cm_gcm2=0.0)[0] == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("side_cm", BUILD_UP)
def test_build_up_is_the_monte_carlo_s_within_15_percent(side_cm):
    points, exposures = _axis(side_cm)
    depths = np.zeros((1, 2, 1, len(points)), np.float32)
    depths[0, 0, 0] = DEPTHS_CM
    primary = lookup.evaluate(lookup.beam_table(80.0, 0.3), depths, lookup.KERMA)[0, 0] * quality(80.0, 0.3, 0.0).medium
    for point, exposure, through, expected in zip(points, exposures, primary, BUILD_UP[side_cm], strict=True):
        assert mgy(point, exposure, _slab())[0] / _open(exposure, point) / through == pytest.approx(expected, rel=0.15)


def test_dose_beside_the_field_is_the_monte_carlo_s_within_30_percent():
    points, exposures = _axis(10.0)
    for point, exposure, expected in zip(points, exposures, BESIDE, strict=True):
        found = doses(np.add(point, (50.0 + 30.0, 0.0, 0.0)), exposure, _slab())
        assert found.inside_mgy.sum() == 0.0
        open_beam = _open(exposure, point) * quality(80.0, 0.3, 0.0).medium
        assert found.outside_mgy.sum() / open_beam == pytest.approx(expected, rel=0.3)


@cache
def _slab():
    return cylinder(250, 120, 400, (4.0, 2.5, 4.0), name="slab")


def _axis(side_cm):
    """Points on the axis at ``DEPTHS_CM``, and exposures from the back whose field there has a side."""
    points = np.array([(0.0, BACK_MM - 10.0 * depth, -700.0) for depth in DEPTHS_CM])
    return points, [irradiations(point, (0.0, 0.0), 10.0 * side_cm, kv=80.0) for point in points]


def _open(exposure, point):
    d = np.linalg.norm(exposure.cameras.source_mm[0] - point)
    return float(((SOD - 150.0) / d) ** 2)


@settings(max_examples=15, deadline=None)
@given(VIEWS, st.floats(60, 200), st.integers(1, 5), st.floats(0.1, 9))
def test_doses_are_proportional_to_exposures_and_kerma(view, field, times, kerma):
    points = np.add(TRUNK_MM, [(0, 0, 0), (90, 0, 40), (0, 50, -150)])
    one = doses(points, irradiations(TRUNK_MM, view, field))
    many = doses(points, irradiations(TRUNK_MM, [view] * times, field, ka_r_mgy=kerma))
    np.testing.assert_allclose(many.inside_mgy, times * kerma * one.inside_mgy, rtol=1e-9)
    np.testing.assert_allclose(many.outside_mgy, times * kerma * one.outside_mgy, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.floats(-180, 180), st.floats(60, 150))
def test_dose_falls_across_the_edge_and_with_distance_from_the_field(primary, field):
    along = np.linspace(0.123, 190.0, 39)
    points = np.add(TRUNK_MM, np.stack([0 * along, 0 * along, along], axis=1))
    found = doses(points, irradiations(TRUNK_MM, (primary, 0.0), field))
    inside, outside = found.inside_mgy.sum(axis=(0, 1)), found.outside_mgy.sum(axis=(0, 1))
    np.testing.assert_array_equal(inside > 0, along <= field / 2)
    np.testing.assert_array_equal(outside > 0, along > field / 2)
    assert inside[inside > 0].min() > outside.max()
    assert np.all(np.diff(outside[outside > 0]) < 0)


def test_nothing_is_charged_far_from_the_field():
    found = doses(np.add(TRUNK_MM, (0.0, 0.0, 180.0)), irradiations(TRUNK_MM, (0.0, 0.0), 60.0), edge_reach_mm=100.0)
    assert found.mgy.sum() == 0.0


def test_the_table_spares_only_what_lies_behind_it():
    through = [
        mgy(TRUNK_MM, irradiations(TRUNK_MM, view), table_gcm2=1.2)[0] / mgy(TRUNK_MM, irradiations(TRUNK_MM, view))[0]
        for view in ((0.0, 0.0), (90.0, 0.0), (180.0, 0.0))
    ]
    assert 0.7 < through[0] < 0.85
    np.testing.assert_allclose(through[1:], 1.0)


def test_phases_and_planes_are_kept_apart():
    parts = {"verification": [0, 0, 1, 1], "plane": [0, 1, 0, 1]}
    shots = irradiations([TRUNK_MM] * 4, (0.0, 0.0), ka_r_mgy=[1, 2, 3, 4], **parts)
    found = doses(TRUNK_MM, shots).inside_mgy[..., 0]
    np.testing.assert_allclose(found / found[0, 0], [[1, 2], [3, 4]])


def test_a_point_that_is_not_known_has_no_dose():
    found = mgy([TRUNK_MM, (np.nan, 0.0, 0.0)], irradiations(TRUNK_MM, (0.0, 0.0)))
    assert found[0] > 0
    assert np.isnan(found[1])


@settings(max_examples=10, deadline=None)
@given(VIEWS, st.floats(-180, 180), INSIDE)
def test_patient_and_beam_may_be_moved_together(view, yaw, shift):
    motion = Rigid.yaw(yaw, shift)
    points = np.add(TRUNK_MM, [(0, 0, 0), (70, 20, 60), (-80, -20, -90)])
    there = irradiations(TRUNK_MM, view, 100.0)
    moved = type(there)(**{**vars(there), "cameras": there.cameras.moved(motion)})
    np.testing.assert_allclose(mgy(points, moved, to_table=motion), mgy(points, there), rtol=1e-5)


def test_many_points_are_charged_in_a_few_milliseconds(phantom):
    """Measured: 1 to 4 ms for 1500 points of a whole body, one core."""
    grid = body_grid(phantom)
    at = np.argwhere(grid.inside)
    points = grid.to_mm(at[:: len(at) // 1500])
    exposure = irradiations(phantom.landmarks["L5"], (20.0, 10.0))
    doses(points, exposure, phantom)
    took = []
    for _ in range(10):
        start = time.perf_counter()
        doses(points, exposure, phantom)
        took.append(time.perf_counter() - start)
    assert np.median(took) < 0.025
