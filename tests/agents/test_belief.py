from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.belief import Belief, Evidence, Rules, prior_of
from carm_env.errors import CarmError

RECORD = np.array([1.0, 70.0, 175.0, 80.0, 0.0])
PRIOR = (np.array([0.0, -270.0, -215.0]), np.diag([20.0, 25.0, 40.0]) ** 2)


def frame(plane=0, at=(0, -250, -300), off=(5, 0, 60), sd=5.0, angles=None):
    angles = ((0.0, 0.0), (90.0, 0.0))[plane] if angles is None else angles
    seen = np.array([sd, 100.0, sd]) if plane == 0 else np.array([100.0, sd, sd])
    return Evidence.of(plane, np.array(at, float), np.array(angles), np.array(off, float), seen)


@pytest.mark.parametrize("known", list(product([True, False], repeat=5)))
def test_every_part_of_a_record_may_be_missing_and_none_makes_the_prior_wider(known):
    mean, covariance = prior_of("sella", np.where(known, RECORD, np.nan))
    assert np.isfinite(mean).all()
    assert np.linalg.eigvalsh(covariance).min() > 100.0
    assert (np.diag(covariance) <= np.diag(prior_of("sella", np.full(5, np.nan))[1]) * 1.02).all()


def test_a_taller_person_is_expected_to_reach_further_down_and_a_typing_error_is_bounded():
    low = [prior_of("pubic_symphysis", np.array([np.nan, np.nan, cm, np.nan, np.nan]))[0][2] for cm in (150, 190, 1900)]
    assert low[1] < low[0] - 50
    assert low[2] > low[0] - 400


def test_an_unknown_point_is_named():
    with pytest.raises(CarmError, match="big_toe"):
        prior_of("big_toe", RECORD)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(4)), st.floats(2.0, 40.0), st.floats(-60, 60))
def test_order_does_not_matter_and_the_covariance_stays_positive_definite(order, sd, off):
    frames = [frame(0, sd=sd), frame(1, sd=sd + 1), frame(0, at=(0, -250, -280), off=(0, 0, 50), sd=9), frame(1)]
    rules = Rules(gate=np.inf)
    one, other = Belief(*PRIOR, rules), Belief(*PRIOR, rules)
    for i, j in zip(range(4), order, strict=True):
        one, other = one.updated(frames[i]), other.updated(frames[j])
    assert one.mm == pytest.approx(other.mm, abs=1e-8)
    assert (one.covariance_mm2 == one.covariance_mm2.T).all()
    assert np.linalg.eigvalsh(one.covariance_mm2).min() > 0


def test_a_direction_that_no_view_sees_is_left_alone():
    front = Belief(*PRIOR).updated(frame(0))
    assert front.mm[1] == pytest.approx(PRIOR[0][1])
    assert front.sd_mm[1] == pytest.approx(25.0)
    assert front.seen.tolist() == [True, False, True]
    assert Belief(*PRIOR).updated(frame(1)).seen.tolist() == [False, True, True]


@pytest.mark.parametrize("angles", [(0, 0), (30, 10), (45, 0), (90, 0), (60, -25)])
def test_a_tilted_views_beam_is_known_from_its_angles(angles):
    from agents.belief.evidence import view_axes

    axes = view_axes(*np.radians(angles))
    sd = np.sqrt(np.square(axes).T @ [16.0, 16.0, 1e4])
    e = Evidence.of(0, np.zeros(3), np.array(angles, float), np.zeros(3), sd)
    assert np.linalg.norm(e.information @ axes[2]) < 1e-6
    assert axes[0] @ e.information @ axes[0] == pytest.approx(1 / 16, rel=0.02)


@pytest.mark.parametrize("count", [2, 5, 50])
def test_equal_frames_at_one_place_keep_the_share_that_they_have_in_common(count):
    wide = (np.zeros(3), np.eye(3) * 1e8)
    belief = Belief(*wide, Rules(share=0.5))
    for _ in range(count):
        belief = belief.updated(frame(0, at=(0, 0, 0), off=(0, 0, 0), sd=4.0))
    assert belief.sd_mm[2] ** 2 == pytest.approx(16.0 * (0.5 + 0.5 / count), rel=1e-3)


def test_a_lone_outlier_is_set_aside_and_a_consistent_run_replaces_the_belief():
    belief = Belief(*PRIOR)
    for _ in range(2):
        belief = belief.updated(frame(0, at=(0, -270, -215), off=(0, 0, 0)))
    before = belief.mm
    far = frame(0, at=(0, -270, -215), off=(0, 0, 300))
    assert belief.updated(far).mm == pytest.approx(before)
    assert belief.updated(far).updated(frame(0, at=(0, -270, -215), off=(0, 0, 0))).surprises == ()
    for _ in range(3):
        belief = belief.updated(far)
    assert belief.mm[2] == pytest.approx(85.0, abs=5.0)
    assert belief.surprises == ()


def test_surprises_that_contradict_each_other_do_not_add_up():
    belief = Belief(*PRIOR).updated(frame(0, at=(0, -270, -215), off=(0, 0, 0)))
    for off in (300, -400, 900, -700):
        belief = belief.updated(frame(0, at=(0, -270, -215), off=(0, 0, off)))
    assert belief.mm[2] == pytest.approx(-215.0, abs=1.0)


@pytest.mark.parametrize("sd", [(2, 2, 2), (1.5, 6, 2), (1, 12, 1), (5, 5, 5)])
@pytest.mark.parametrize("off", [(0, 0, 0), (3, -4, 0), (0, 9, 0), (12, 0, 0)])
def test_the_chance_of_success_agrees_with_random_draws(sd, off):
    belief = Belief(np.array(off, float), np.diag(np.square(sd)).astype(float))
    drawn = np.random.default_rng(0).normal(off, sd, (20000, 3))
    for axes in ([0, 1, 2], [0, 2]):
        share = (np.linalg.norm(drawn[:, axes], axis=1) <= 10.0).mean()
        assert belief.chance(np.zeros(3), 10.0, axes) == pytest.approx(share, abs=0.06 if share > 0.3 else 0.2)
