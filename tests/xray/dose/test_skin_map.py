"""The skin's dose map: which cells an exposure meets, and how much each gets."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.geometry import Rigid
from carm_env.xray import lookup
from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.quality import BACKSCATTER_STEP_CM, quality
from carm_env.xray.dose.skin import skin_surface
from carm_env.xray.dose.skin_map import SkinMap
from carm_env.xray.materials import mixture
from tests.xray.dose.bodies import DEVICE, SOD, TRUNK_MM, add_cylinder, cylinder, irradiations, skin_map, trunk

VIEWS = st.tuples(st.floats(-180, 180), st.floats(-30, 30))
OFFSETS = st.tuples(*(st.floats(-60, 60) for _ in range(3)))


def expected_mgy(skin, exposure, table_gcm2=0.0):
    """Dose of every cell on a convex body by the formula, without kernels; NaN at the very edge of the field, and where
    the beam grazes the body, as the kernel may find some of the body on its way there."""
    camera, q = exposure.cameras, quality(float(exposure.kv[0]), float(exposure.cu_mm[0]), float(exposure.al_mm[0]))
    ray = skin.points_mm - camera.source_mm[0]
    axis = (camera.centre_mm[0] - camera.source_mm[0]) / exposure.sid_mm[0]
    column, row = (camera.project(skin.points_mm, (1, 1))[0] * camera.pitch_mm[0]).T
    beyond = np.maximum(np.abs(row) - exposure.field_mm[0, 0] / 2, np.abs(column) - exposure.field_mm[0, 1] / 2)
    hit = (beyond <= 0) & (np.sum(ray * skin.normals, axis=1) < 0) & (ray @ axis > 0)
    side_cm = np.sqrt(exposure.field_mm[0].prod()) * (ray @ axis) / exposure.sid_mm[0] / 10.0
    backscatter = np.interp(side_cm, np.arange(len(q.backscatter)) * BACKSCATTER_STEP_CM, q.backscatter)
    kerma = exposure.ka_r_mgy[0] * (exposure.sod_mm[0] - 150.0) ** 2 / np.sum(ray**2, axis=1)
    table = np.zeros((1, 2, 1, len(skin)), np.float32)
    low, high = np.array(DEVICE.table_low_mm), np.array(DEVICE.table_high_mm)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(low - camera.source_mm[0]) / ray, (high - camera.source_mm[0]) / ray])
    path = np.clip(t.max(axis=0).min(axis=1), 0, 1) - np.clip(t.min(axis=0).max(axis=1), 0, 1)
    table[0, 0, 0] = np.maximum(path, 0.0) * np.linalg.norm(ray, axis=1) / (high - low)[1] * table_gcm2
    values = lookup.beam_table(float(exposure.kv[0]), float(exposure.cu_mm[0]), float(exposure.al_mm[0]))
    through = lookup.evaluate(values, table, lookup.KERMA)[0, 0]
    dose = np.where(hit, kerma * through * backscatter * q.medium, 0.0)
    grazing = np.abs(np.sum(ray * skin.normals, axis=1)) < 0.2 * np.linalg.norm(ray, axis=1)
    return np.where((np.abs(beyond) < 0.1) | (grazing & hit), np.nan, dose)


@settings(max_examples=25, deadline=None)
@given(VIEWS, OFFSETS, st.floats(50, 120), st.floats(0, 0.9), st.floats(60, 210), st.floats(60, 210))
def test_cells_in_the_field_get_the_formula_s_dose_and_no_others_any(view, offset, kv, cu, high, wide):
    exposure = irradiations(np.add(TRUNK_MM, offset), view, (high, wide), kv=kv, cu_mm=cu)
    dose = skin_map(trunk(), exposure, 1.2).part_mgy()
    expected = expected_mgy(skin_surface(trunk()), exposure, 1.2)
    known = np.isfinite(expected)
    np.testing.assert_allclose(dose[known], expected[known], rtol=2e-3, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.floats(500, 1000), st.floats(0, 100))
def test_dose_falls_by_inverse_square_apart_from_backscatter(sod, depth):
    """The same cell at two distances from the focal spot."""
    exposure = irradiations(TRUNK_MM, (0.0, 0.0), sod_mm=sod, sid_mm=sod + 300.0)
    found = skin_map(trunk(), exposure)
    cell = np.argmax(found.part_mgy())
    d = np.linalg.norm(found.surface.points_mm[cell] - exposure.cameras.source_mm[0])
    q = quality(77.0, 0.3, 0.0)
    side_cm = 21.0 * d / sod
    backscatter = np.interp(side_cm, np.arange(len(q.backscatter)) * BACKSCATTER_STEP_CM, q.backscatter)
    assert found.peak_mgy / backscatter / q.medium == pytest.approx(((sod - 150.0) / d) ** 2, rel=5e-3)


@settings(max_examples=10, deadline=None)
@given(VIEWS, st.integers(1, 9), st.floats(0.01, 50))
def test_dose_is_proportional_to_exposures_and_kerma(view, times, kerma):
    one = skin_map(trunk(), irradiations(TRUNK_MM, view))
    many = skin_map(trunk(), irradiations(TRUNK_MM, [view] * times, ka_r_mgy=kerma))
    np.testing.assert_allclose(many.part_mgy(), times * kerma * one.part_mgy(), rtol=1e-9)
    assert many.peak_mgy == pytest.approx(times * kerma * one.peak_mgy, rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(VIEWS, OFFSETS), min_size=2, max_size=5), st.integers(1, 4))
def test_maps_add_up_over_exposures_and_parts(shots, first):
    views, offsets = zip(*shots, strict=True)
    phase, plane = np.arange(len(shots)) % 3 == 1, np.arange(len(shots)) % 2
    shots = irradiations(np.add(TRUNK_MM, offsets), views, verification=phase, plane=plane)
    whole = skin_map(trunk(), shots)
    split = skin_map(trunk(), shots[:first])
    split.add(shots[first:])
    np.testing.assert_allclose(split.dose_mgy, whole.dose_mgy, rtol=1e-9)
    np.testing.assert_allclose(whole.part_mgy("search") + whole.part_mgy("verification"), whole.part_mgy(), rtol=1e-9)
    np.testing.assert_allclose(whole.part_mgy("plane_a") + whole.part_mgy("plane_b"), whole.part_mgy(), rtol=1e-9)
    np.testing.assert_allclose(whole.part_mgy("plane_b"), skin_map(trunk(), shots[plane == 1]).part_mgy(), rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(VIEWS, st.floats(-180, 180), OFFSETS)
def test_patient_and_beam_may_be_moved_together(view, yaw, shift):
    motion = Rigid.yaw(yaw, shift)
    there = irradiations(TRUNK_MM, view)
    moved = type(there)(**{**vars(there), "cameras": there.cameras.moved(motion)})
    here = skin_map(trunk(), there).part_mgy()
    np.testing.assert_allclose(skin_map(trunk(), moved, to_table=motion).part_mgy(), here, rtol=1e-4, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(VIEWS)
def test_a_mirrored_display_changes_no_dose(view):
    plain, mirrored = (skin_map(trunk(), irradiations(TRUNK_MM, view, 100.0, flip=flip)) for flip in (False, True))
    np.testing.assert_allclose(mirrored.dose_mgy, plain.dose_mgy, rtol=1e-12)


def test_plane_a_enters_the_back_and_plane_b_the_right():
    back, right = (skin_map(trunk(), irradiations(TRUNK_MM, view)).peak() for view in ((0.0, 0.0), (90.0, 0.0)))
    np.testing.assert_allclose(back.normal, (0, 1, 0), atol=0.2)
    np.testing.assert_allclose(right.normal, (-1, 0, 0), atol=0.2)
    assert back.point_mm[1] == pytest.approx(-50.0, abs=2.0)
    assert right.point_mm[0] == pytest.approx(-160.0, abs=2.0)


def test_the_table_spares_the_back_only():
    for view, through in (((0.0, 0.0), 0.78), ((180.0, 0.0), 1.0), ((90.0, 0.0), 1.0)):
        exposure = irradiations(TRUNK_MM, view, cu_mm=0.9, kv=80.0)
        ratio = skin_map(trunk(), exposure, 1.2).peak_mgy / skin_map(trunk(), exposure).peak_mgy
        assert ratio == pytest.approx(through, abs=0.01)


def test_an_arm_spares_the_trunk_behind_it():
    """Arm of 35 mm radius at the trunk's right: what lies behind it gets what 70 mm of soft tissue let through."""
    shaded = _trunk_with_arm()
    bare = cylinder(110, 110)
    exposure = irradiations(TRUNK_MM, (90.0, 0.0))
    flank = np.array([-110.0, -160.0, -700.0])
    maps = [skin_map(patient, exposure) for patient in (bare, shaded)]
    dose = [m.part_mgy()[np.linalg.norm(m.surface.points_mm - flank, axis=1).argmin()] for m in maps]
    arm = np.zeros((1, 2, 1, 1), np.float32)
    arm[0, 0] = 7.0 * mixture().densities(0.0)[0]
    through = lookup.evaluate(lookup.beam_table(77.0, 0.3), arm, lookup.KERMA)
    assert dose[1] / dose[0] == pytest.approx(through.item(), rel=0.1)
    assert maps[1].peak().point_mm[0] == pytest.approx(-200.0, abs=3.0)


def _trunk_with_arm():
    """A round trunk and an arm 20 mm to its right that a bridge at the lowest slices makes one body."""
    patient = cylinder(220, 110, name="trunk with an arm")
    patient.volume.hu[:] = -1000
    add_cylinder(patient, (0.0, -160.0), 110.0)
    add_cylinder(patient, (-165.0, -160.0), 35.0)
    x, y, _ = np.rint(patient.volume.to_index([[-150.0, -180.0, 0.0], [-90.0, -140.0, 0.0]])).astype(int).T
    patient.volume.hu[x[0] : x[1], y[0] : y[1], :8] = 0
    return patient


def test_a_source_inside_the_patient_is_refused_and_leaves_the_map_as_it_was():
    found = skin_map(trunk(), irradiations(TRUNK_MM, (0.0, 0.0)))
    before = found.dose_mgy.copy()
    inside = irradiations([TRUNK_MM, (0.0, -160.0 - SOD, -700.0)], (0.0, 0.0))
    with pytest.raises(CarmError, match=r"irradiation 1 has a source inside the patient, at \(0, -160, -700\) mm"):
        found.add(inside)
    np.testing.assert_array_equal(found.dose_mgy, before)


@pytest.mark.parametrize("table", [-0.1, np.nan, np.inf])
def test_an_impossible_table_is_refused(table):
    with pytest.raises(CarmError, match="table_gcm2"):
        skin_map(trunk(), irradiations(TRUNK_MM, (0.0, 0.0)), table)


def test_nothing_irradiated_nothing_on_the_map():
    empty = skin_map(trunk(), irradiations(TRUNK_MM, (0.0, 0.0))[:0])
    past = skin_map(trunk(), irradiations((0.0, -160.0, 600.0), (0.0, 0.0)))
    for found in (empty, past):
        assert found.peak_mgy == found.mean_mgy() == 0.0
        assert found.peak().point_mm is None


def test_what_leaves_the_body_is_not_charged():
    found = skin_map(trunk(), irradiations(TRUNK_MM, (0.0, 0.0)))
    assert found.surface.normals[found.part_mgy() > 0, 1].min() > 0.0


def test_an_exposure_is_marked_in_a_few_milliseconds(phantom):
    """Measured: 0.3 to 1 ms for a whole body of 10,000 cells, one core."""
    surface, grid = skin_surface(phantom), body_grid(phantom)
    found = SkinMap(surface, grid, Rigid.yaw(0.0, np.zeros(3)), DEVICE, 1.2)
    exposure = irradiations(phantom.landmarks["L5"], (20.0, 10.0))
    found.add(exposure)
    took = []
    for _ in range(10):
        start = time.perf_counter()
        found.add(exposure)
        took.append(time.perf_counter() - start)
    assert np.median(took) < 0.010
    assert len(surface) > 5000
