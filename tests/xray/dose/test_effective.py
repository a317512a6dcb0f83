"""Regions of the body, effective dose by region, dose to the operator, and the settings of all of them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.model import Demographics
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.effective import copper_factor, effective_usv
from carm_env.xray.dose.operator import operator_usv
from carm_env.xray.dose.regions import REGIONS, bounds_mm, region_at, shares, side_of
from tests.xray.dose.bodies import IN_PLACE, TRUNK_MM, cylinder, irradiations, trunk

CONFIG = DoseConfig()
MARKS = {
    "pubic_symphysis": -900.0, "right_iliac_crest": -725.0, "left_iliac_crest": -735.0, "right_hemidiaphragm": -500.0,
    "left_hemidiaphragm": -510.0, "T1": -330.0,
}  # fmt: skip
BOUNDS = (-730.0, -505.0, -330.0)


def _person(marks=MARKS, sella=-190.0, **other):
    points = {name: np.array([0.0, -160.0, z]) for name, z in marks.items()}
    targets = {} if sella is None else {"sella": np.array([0.0, -160.0, sella])}
    return cylinder(100, 80, 50, landmarks=points, targets=targets, **other)


def test_bounds_are_the_landmarks():
    bounds = bounds_mm(_person(), CONFIG)
    np.testing.assert_allclose(bounds[:3], BOUNDS)
    assert -250 < bounds[3] < -220


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(sorted(MARKS)), max_size=5), st.booleans(), st.sampled_from([None, 150.0, 190.0]))
def test_bounds_rise_and_stay_near_whatever_is_missing(gone, headless, height):
    kept = {name: z for name, z in MARKS.items() if name not in gone}
    person = _person(kept, None if headless else -190.0, demographics=Demographics(height_cm=height))
    bounds = bounds_mm(person, CONFIG)
    assert np.all(np.diff(bounds) > 0)
    if kept or not headless:
        np.testing.assert_allclose(bounds[:3], BOUNDS, atol=120.0)


def test_landmarks_in_the_wrong_order_still_give_rising_bounds():
    assert np.all(np.diff(bounds_mm(_person(MARKS | {"T1": -880.0}), CONFIG)) >= 0)


def test_a_phantom_s_regions_hold_what_belongs_there(phantom):
    bounds = bounds_mm(phantom, CONFIG)
    points = phantom.landmarks | phantom.targets
    where = {"pubic_symphysis": "pelvis", "T12": "abdomen", "carina": "thorax", "sella": "head", "skull": "head"}
    assert {name: region_at(bounds, points[name][2]) for name in where} == where


@settings(max_examples=60, deadline=None)
@given(st.floats(-1200, 100), st.floats(1, 600))
def test_a_stretch_is_shared_out_whole(low, length):
    part = shares(np.array([*BOUNDS, -240.0]), [low], [low + length])[0]
    assert part.sum() == pytest.approx(1.0)
    assert np.all(part >= 0)


@settings(max_examples=30, deadline=None)
@given(st.floats(-1000, 0), st.floats(0.0, 0.9), st.floats(60, 210))
def test_effective_dose_changes_smoothly_along_the_body(z, cu, field):
    here, there = (
        effective_usv(irradiations((0, -160, level), (0, 0), field, cu_mm=cu), _person(), IN_PLACE, CONFIG).sum()
        for level in (z, z + 1.0)
    )
    assert abs(here - there) <= here * 0.1


def test_effective_dose_is_kap_times_the_region_s_factor():
    """A field well within the abdomen, behind 0.4 mm of copper: 0.26 mSv per Gy cm2."""
    shot = irradiations((0.0, -160.0, -620.0), (0.0, 0.0), 150.0, cu_mm=0.4)
    found = effective_usv(shot, _person(), IN_PLACE, CONFIG)[0]
    np.testing.assert_allclose(found, [0.0, 260.0 * shot.kap_gycm2[0], 0.0, 0.0, 0.0])


def test_a_field_turned_across_the_body_reaches_as_far_as_it_is_long_there():
    """A lateral and a cranial view of a field that is longer along the body than across it."""
    person = _person()
    across, along = (
        effective_usv(irradiations((0, -160, -730), (0, 0), field, cu_mm=0.4), person, IN_PLACE, CONFIG)[0]
        for field in ((60.0, 200.0), (200.0, 60.0))
    )
    np.testing.assert_allclose(across[:2], along[:2])
    assert np.count_nonzero(across) == np.count_nonzero(along) == 2
    tall = effective_usv(irradiations((0, -160, -600), (0, 0), (200, 60)), person, IN_PLACE, CONFIG)[0]
    flat = effective_usv(irradiations((0, -160, -600), (0, 0), (60, 200)), person, IN_PLACE, CONFIG)[0]
    assert (np.count_nonzero(tall), np.count_nonzero(flat)) == (2, 1)


def test_copper_follows_the_chest_s_measured_factors():
    np.testing.assert_allclose(0.34 * copper_factor([0.0, 0.1, 0.4, 0.9, 1.5]), [0.16, 0.27, 0.34, 0.40, 0.40])


def test_the_operator_s_dose_is_williams_and_inverse_square():
    shot = irradiations(TRUNK_MM, (0.0, 0.0), kv=77.0)
    per_kap = operator_usv(shot, CONFIG)[0] / shot.kap_gycm2[0]
    assert per_kap == pytest.approx(4.9, abs=0.02)
    far = operator_usv(shot, DoseConfig(operator_distance_m=2.0, operator_shield=0.1))[0]
    assert far / shot.kap_gycm2[0] == pytest.approx(per_kap / 40.0)


@pytest.mark.parametrize(("normal", "side"), [((0, 1, 0), "back"), ((-0.9, 0.1, 0.3), "right"), ((0, 0, 1), "top")])
def test_sides_are_told_by_the_normal(normal, side):
    assert side_of(normal) == side


def test_a_body_without_landmarks_reaches_from_symphysis_to_vertex():
    low, high = trunk().volume.z_range_mm()
    bounds = bounds_mm(trunk(), CONFIG)
    assert np.all((bounds > low) & (bounds < high))
    assert [region_at(bounds, z) for z in np.linspace(low, high, 30)][-1] == REGIONS[-1]


@pytest.mark.parametrize("name", [f.name for f in fields(DoseConfig)])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, "much", True, None])
def test_impossible_settings_are_refused_by_name_and_value(name, value):
    with pytest.raises(CarmError, match=rf"{name}={value!r} is not usable: want a number (from|above) 0"):
        replace(CONFIG, **{name: value})


@pytest.mark.parametrize("name", ["operator_shield", "edge_share", "head_share"])
def test_shares_end_at_1(name):
    with pytest.raises(CarmError, match=rf"{name}=1\.1 .* to 1"):
        replace(CONFIG, **{name: 1.1})
