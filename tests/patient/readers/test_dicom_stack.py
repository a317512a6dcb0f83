"""Slices from their positions: any order and orientation, gaps, doubles, tilt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.readers import limits
from carm_env.patient.readers.dicom_stack import StackPlan, plan_stack
from tests.patient.readers.test_nifti import rotation

PIXEL, SIZE = (0.8, 0.7), (30, 20)
AXIAL, CORONAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]
HEIGHTS = np.arange(12) * 2.0
ANY = settings(max_examples=80, deadline=None)
angles = st.tuples(*[st.floats(-180, 180)] * 3)


def axes_of(orientation: np.ndarray) -> np.ndarray:
    """Rows: growing columns, growing rows, normal."""
    row, column = np.reshape(orientation, (2, 3))
    return np.stack([row, column, np.cross(row, column)])


def stack(heights: np.ndarray, orientation: np.ndarray, drift: np.ndarray | None = None) -> np.ndarray:
    """Positions [n, 3] along the normal, with an in-plane drift [n, 2] in mm."""
    axes = axes_of(np.asarray(orientation, float))
    drift = np.zeros((len(heights), 2)) if drift is None else drift
    return np.array([30.0, -40.0, 500.0]) + np.column_stack([drift, heights]) @ axes


def plan(heights: object, orientation: object = AXIAL, drift: np.ndarray | None = None) -> StackPlan:
    values = np.asarray(heights, float)
    return plan_stack(stack(values, np.asarray(orientation, float), drift), orientation, PIXEL, SIZE)


def places(one: StackPlan) -> np.ndarray:
    """LPS of the first pixel of each output slice."""
    indices = np.zeros((one.size[2], 3))
    indices[:, 2] = np.arange(one.size[2])
    return indices @ one.affine[:3, :3].T + one.affine[:3, 3]


@ANY
@given(turn=angles, order=st.permutations(range(12)), step=st.floats(0.2, 10))
def test_any_order_and_orientation_gives_the_slices_at_their_places(turn, order, step) -> None:
    orientation = rotation(turn).T[:2].ravel()
    positions = stack(np.arange(12) * step, orientation)
    one = plan_stack(positions[list(order)], orientation, PIXEL, SIZE)
    assert one.size == (*SIZE, 12)
    assert not one.weight.any()
    assert one.notes == one.doubles == one.filled_mm == ()
    np.testing.assert_allclose(positions[list(order)][one.below], places(one), atol=1e-6 * 1e3)
    np.testing.assert_allclose(limits.shear_deg(one.affine), 0.0, atol=0.05)


@ANY
@given(turn=angles, noise=st.lists(st.floats(-1, 1), min_size=12, max_size=12))
def test_rounding_of_positions_changes_nothing(turn, noise) -> None:
    orientation = rotation(turn).T[:2].ravel()
    one = plan(HEIGHTS + 0.009 * np.array(noise), orientation)
    assert one.size == (*SIZE, 12)
    assert one.notes == ()
    assert not one.shift.any()
    np.testing.assert_allclose(places(one), stack(HEIGHTS, orientation), atol=0.05)


@ANY
@given(
    start=st.integers(1, 10),
    most=st.integers(1, 5),
    orientation=st.sampled_from([AXIAL, CORONAL, SAGITTAL]),
)
def test_a_short_gap_is_filled_linearly_and_recorded(start, most, orientation) -> None:
    count = min(most, 11 - start)
    kept = [k for k in range(12) if not start <= k < start + count]
    one = plan(HEIGHTS[kept], orientation)
    np.testing.assert_allclose(places(one), stack(HEIGHTS, np.array(orientation)), atol=1e-6)
    mixed = (1 - one.weight) * HEIGHTS[kept][one.below] + one.weight * HEIGHTS[kept][one.above]
    np.testing.assert_allclose(mixed, HEIGHTS, atol=1e-9)
    assert len(one.notes) == 1 and f"{count} missing slice" in one.notes[0]
    assert len(one.filled_mm) == 1
    if orientation == AXIAL:
        expected = (500 + HEIGHTS[start - 1], 500 + HEIGHTS[start + count])
    else:
        expected = (500 - (SIZE[1] - 1) * PIXEL[1], 500.0)
    np.testing.assert_allclose(one.filled_mm[0], expected, atol=1e-3)


def test_a_long_gap_is_refused_with_its_place() -> None:
    with pytest.raises(CarmError, match=r"about 9 slices missing between 510\.0 and 530\.0 mm .*want all slices"):
        plan([*range(0, 12, 2), *range(30, 44, 2)])
    with pytest.raises(CarmError, match="and 1 more gap"):
        plan([*range(0, 22, 1), *range(40, 62, 1), *range(100, 120)])


def test_gaps_up_to_15_mm_are_filled_and_longer_ones_are_not() -> None:
    heights = [*range(20), *range(34, 60)]
    assert plan(heights).filled_mm == ((519.0, 534.0),)
    with pytest.raises(CarmError, match="15 slices missing"):
        plan([*range(20), *range(35, 60)])


def test_a_change_of_spacing_is_resampled_to_the_finer_one() -> None:
    heights = np.array([*np.arange(0, 25, 2.5), *np.arange(25, 76, 5.0)])
    one = plan(heights)
    assert one.step_mm == pytest.approx(2.5)
    assert one.size[2] == 31
    mixed = (1 - one.weight) * heights[one.below] + one.weight * heights[one.above]
    np.testing.assert_allclose(mixed, np.arange(31) * 2.5, atol=1e-9)
    assert one.notes == ("slices 2.5 to 5 mm apart: resampled to 2.5 mm",)


@ANY
@given(st.lists(st.floats(0.5, 10.0), min_size=5, max_size=40))
def test_uneven_slices_up_to_10_mm_apart_are_interpolated_between_neighbours(gaps) -> None:
    heights = np.concatenate([[0.0], np.cumsum(gaps)])
    one = plan(heights)
    mixed = (1 - one.weight) * heights[one.below] + one.weight * heights[one.above]
    grid = np.arange(one.size[2]) * one.step_mm
    np.testing.assert_allclose(mixed, grid, atol=0.51)
    assert grid[-1] <= heights[-1] + 1e-6
    assert heights[-1] - grid[-1] <= one.step_mm + 1e-6
    assert np.isin(np.abs(one.above - one.below), (0, 1)).all()


def test_small_differences_that_add_up_are_resampled() -> None:
    heights = np.cumsum([0, *([2.03] * 100), *([1.97] * 100)])
    one = plan(heights)
    assert "resampled" in one.notes[0]
    mixed = (1 - one.weight) * heights[one.below] + one.weight * heights[one.above]
    np.testing.assert_allclose(mixed, np.arange(one.size[2]) * one.step_mm, atol=1e-9)


def test_uneven_slices_further_apart_are_refused() -> None:
    with pytest.raises(CarmError, match=r"12\.5 mm apart, elsewhere 3\).*want"):
        plan([0, 3, 6, 9, 21.5, 24.5, 27.5])


@ANY
@given(order=st.permutations(range(15)))
def test_doubled_places_are_grouped_and_used_once(order) -> None:
    heights = np.concatenate([HEIGHTS, HEIGHTS[[3, 3, 7]]])[list(order)]
    one = plan(heights)
    assert one.size == (*SIZE, 12)
    assert sorted(len(group) for group in one.doubles) == [2, 3]
    for group in one.doubles:
        assert len({heights[i] for i in group}) == 1
        assert list(group) == sorted(group)


@ANY
@given(
    tilt=st.floats(1, 30),
    sideways=st.booleans(),
    reverse=st.booleans(),
    orientation=st.sampled_from([AXIAL, CORONAL, SAGITTAL]),
)
def test_tilted_slices_are_shifted_to_where_their_positions_say(tilt, sideways, reverse, orientation) -> None:
    drift = np.zeros((12, 2))
    drift[:, int(sideways)] = HEIGHTS * np.tan(np.radians(tilt)) * (-1 if reverse else 1)
    positions = stack(HEIGHTS, np.array(orientation), drift)
    one = plan_stack(positions, orientation, PIXEL, SIZE)
    assert one.tilt_deg == pytest.approx(tilt, abs=0.01)
    assert "gantry tilted by" in one.notes[0]
    assert one.shift.min() == 0.0
    assert limits.shear_deg(one.affine) == pytest.approx(0.0, abs=1e-6)
    for axis in range(2):
        assert 0 <= one.size[axis] - SIZE[axis] - one.shift[:, axis].max() < 1
    indices = np.column_stack([one.shift, np.arange(12)])
    np.testing.assert_allclose(indices @ one.affine[:3, :3].T + one.affine[:3, 3], positions, atol=1e-3)


def test_a_tilt_within_rounding_stays_in_the_affine() -> None:
    drift = np.column_stack([np.zeros(12), HEIGHTS * np.tan(np.radians(0.3))])
    one = plan(HEIGHTS, AXIAL, drift)
    assert not one.shift.any() and one.tilt_deg == 0.0
    np.testing.assert_allclose(places(one), stack(HEIGHTS, np.array(AXIAL), drift), atol=1e-6)


def test_slices_off_their_line_are_shifted_back() -> None:
    drift = np.zeros((12, 2))
    drift[5:8, 0] = 4.0
    one = plan(HEIGHTS, AXIAL, drift)
    assert one.tilt_deg == 0.0
    assert "off their line" in one.notes[0]
    indices = np.column_stack([one.shift, np.arange(12)])
    np.testing.assert_allclose(
        indices @ one.affine[:3, :3].T + one.affine[:3, 3], stack(HEIGHTS, np.array(AXIAL), drift), atol=1e-3
    )


def _two_orientations() -> StackPlan:
    turned = np.array([1, 0, 0, 0, np.cos(0.1), np.sin(0.1)])
    both = np.repeat(np.array([AXIAL, turned]), 6, axis=0)
    return plan_stack(stack(HEIGHTS, np.array(AXIAL)), both, PIXEL, SIZE)


TWINS = np.tile([[0.0, 0.0], [9.0, 0.0]], (12, 1))
JUMP = np.column_stack([np.where(np.arange(12) % 2, 40.0, 0.0), np.zeros(12)])
BAD = {
    "no slices": (lambda: plan([]), "0 different slice positions"),
    "three slices": (lambda: plan([0, 1, 2]), "only 3 different"),
    "all at one place": (lambda: plan([5.0] * 9), r"only 1 different slice positions \(in 9 images\)"),
    "NaN positions": (lambda: plan([0, 1, np.nan, 3, 4]), "not finite"),
    "absurd positions": (lambda: plan(HEIGHTS * 1e9), "absurd"),
    "NaN orientation": (lambda: plan(HEIGHTS, [np.nan] * 6), "not finite"),
    "zero orientation": (lambda: plan_stack(stack(HEIGHTS, np.array(AXIAL)), [0] * 6, PIXEL, SIZE), "unit vectors"),
    "parallel axes": (lambda: plan_stack(stack(HEIGHTS, np.array(AXIAL)), [1, 0, 0] * 2, PIXEL, SIZE), "unit vectors"),
    "mixed orientations": (_two_orientations, "mixed orientations"),
    "zero pixels": (lambda: plan_stack(stack(HEIGHTS, np.array(AXIAL)), AXIAL, (0, 1), SIZE), "pixels of 0 x 1 mm"),
    "NaN pixels": (lambda: plan_stack(stack(HEIGHTS, np.array(AXIAL)), AXIAL, (np.nan, 1), SIZE), "pixels of nan"),
    "coarse slices": (lambda: plan(np.arange(5) * 25.0), "voxel spacing"),
    "two planes side by side": (lambda: plan(np.repeat(HEIGHTS, 2), AXIAL, TWINS), "9.0 mm apart"),
    "a jump": (lambda: plan(HEIGHTS, AXIAL, JUMP), "jump"),
    "an absurd tilt": (lambda: plan(HEIGHTS, AXIAL, np.column_stack([HEIGHTS * 2, HEIGHTS * 0])), "63 degrees"),
    "a huge claim": (lambda: plan_stack(stack(HEIGHTS, np.array(AXIAL)), AXIAL, PIXEL, (65535, 65535)), "claims"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_stack_gets_one_line(case) -> None:
    make, expected = BAD[case]
    with pytest.raises(CarmError, match=expected) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert "want" in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(allow_nan=True, width=32)] * 3), min_size=1, max_size=12),
    st.lists(st.floats(width=32), min_size=6, max_size=6),
)
def test_any_numbers_give_a_plan_or_one_line(positions, orientation) -> None:
    try:
        one = plan_stack(positions, orientation, PIXEL, SIZE)
    except CarmError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert np.isfinite(one.affine).all()
