import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.sim.localisers import LOCALISERS, make_localiser
from carm_env.sim.localisers.noisy import NoisyLocaliser
from carm_env.sim.perception import PRIOR_SD_MM, UNSEEN_SD_MM
from carm_env.sim.streams import stream
from tests.sim.localisers.frames import TARGET_MM, landmarks_mm, make, rows

EVERY = sorted(LOCALISERS)
ROUTE_MM = np.linspace((20.0, -160.0, -1000.0), (0.0, -200.0, -200.0), 12)
NEAR_MM = TARGET_MM + np.array([30.0, 20.0, -25.0])


def many(localiser, isocentre_mm, n=800, **how):
    """n independent estimates of one view."""
    frames, context = make(np.tile(isocentre_mm, (n, 1)), **how)
    return localiser.estimate(frames, context)


def seen_errors(estimate, isocentre_mm):
    return (estimate.displacement_mm - (TARGET_MM - isocentre_mm))[:, [0, 2]]


@pytest.mark.parametrize("name", EVERY)
def test_a_row_a_frame_with_proper_probabilities_and_covariances(name):
    frames, context = make(ROUTE_MM)
    out = make_localiser(name).estimate(frames, context)
    assert (out.lane == frames.lane).all()
    assert (out.plane == frames.plane).all()
    assert out.landmark_nearest.sum(axis=1) == pytest.approx(1.0)
    assert ((out.landmark_visible >= 0) & (out.landmark_visible <= 1)).all()
    assert np.linalg.eigvalsh(out.covariance_mm2).min() > 0
    prior = np.diag(np.square(PRIOR_SD_MM))
    assert (out.displacement_mm[~out.valid] == 0).all()
    assert (out.covariance_mm2[~out.valid] == prior).all()


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=10, deadline=None)
@given(st.permutations(range(len(ROUTE_MM))), st.integers(1, len(ROUTE_MM)))
def test_an_estimate_does_not_depend_on_its_batch(name, order, size):
    localiser, pick = make_localiser(name), np.array(order[:size])
    frames, context = make(ROUTE_MM)
    whole = localiser.estimate(frames, context)
    part = localiser.estimate(*rows(frames, context, pick))
    for field in ("displacement_mm", "covariance_mm2", "landmark_nearest", "landmark_visible", "valid"):
        assert (getattr(whole, field)[pick] == getattr(part, field)).all()


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"surrogate"}))
def test_an_empty_field_is_not_valid_to_those_that_see_it(name):
    frames, context = make(ROUTE_MM, empty=True)
    assert not make_localiser(name).estimate(frames, context).valid.any()


@pytest.mark.parametrize("name", ["oracle", "noisy"])
@pytest.mark.parametrize("quanta", [50.0, 5000.0])
@pytest.mark.parametrize("field_mm", [80.0, 214.0])
def test_noise_alone_does_not_look_like_anatomy_nor_hide_it(name, quanta, field_mm):
    localiser = make_localiser(name)
    for seed in range(5):
        assert not localiser.estimate(*make(NEAR_MM, quanta=quanta, field_mm=field_mm, empty=True, seed=seed)).valid[0]
        assert localiser.estimate(*make(NEAR_MM, quanta=quanta, field_mm=field_mm, seed=seed)).valid[0]


def test_oracle_tells_the_truth():
    frames, context = make(ROUTE_MM)
    out = make_localiser("oracle").estimate(frames, context)
    assert out.valid.all()
    assert out.displacement_mm == pytest.approx(TARGET_MM - ROUTE_MM)
    for iso, nearest in zip(ROUTE_MM, out.landmark_nearest, strict=True):
        assert np.argmax(nearest) == np.nanargmin(np.linalg.norm(landmarks_mm() - iso, axis=1))
    assert not out.landmark_visible[:, [5, 6, 7, 8]].any()


def test_visible_landmarks_are_those_in_the_cone_of_the_field():
    points = np.full((20, 3), np.nan)
    points[:5] = NEAR_MM + np.array([[50, 0, 0], [0, 0, 79], [81, 0, 0], [78, -150, 0], [85, 150, 0]])
    out = make_localiser("oracle").estimate(*make(NEAR_MM, field_mm=160.0, points=points))
    # towards the detector (-y) the cone is wider than at the isocentre, towards the tube (+y) narrower
    assert out.landmark_visible[0, :5].tolist() == [1, 1, 0, 1, 0]


def test_noisy_sees_nothing_along_the_beam():
    for plane, axis in ((0, 1), (1, 0)):
        out = many(NoisyLocaliser(), NEAR_MM, n=20, plane=plane)
        assert np.abs(out.displacement_mm[:, axis]).max() < 1e-9
        assert (out.covariance_mm2[:, axis, axis] >= UNSEEN_SD_MM**2 - 1e-6).all()


@pytest.mark.parametrize("isocentre_mm", [NEAR_MM, TARGET_MM - (0, 0, 300.0), TARGET_MM - (20.0, 0, 700.0)])
@pytest.mark.parametrize("overconfidence", [1.0, 2.0])
def test_noisy_errs_as_much_as_it_says(isocentre_mm, overconfidence):
    out = many(NoisyLocaliser(overconfidence=overconfidence), isocentre_mm, quanta=300.0)
    assert out.valid.all()
    ratio = seen_errors(out, isocentre_mm).std(axis=0) / np.sqrt(out.covariance_mm2[0, [0, 2], [0, 2]])
    assert ratio == pytest.approx(overconfidence, rel=0.09)


def test_noisy_is_better_with_dose_with_field_and_near_the_target():
    noisy = NoisyLocaliser()
    few, plenty = (seen_errors(many(noisy, NEAR_MM, quanta=q), NEAR_MM).std() for q in (30.0, 3000.0))
    assert few > 2.0 * plenty
    off_mm = TARGET_MM - (0, 0, 70.0)
    small, large = (seen_errors(many(noisy, off_mm, field_mm=f), off_mm).std() for f in (80.0, 214.0))
    assert small > 2.0 * large
    far, further = (seen_errors(many(noisy, TARGET_MM - (0, 0, d)), TARGET_MM - (0, 0, d)).std() for d in (250, 750))
    assert further > 1.5 * far > 1.5 * large


def test_noisy_abstains_where_it_finds_no_landmark():
    points = np.full((20, 3), np.nan)
    points[0] = TARGET_MM
    assert not NoisyLocaliser().estimate(*make(TARGET_MM - (0, 0, 500.0), points=points)).valid[0]


def test_noisy_works_without_landmarks():
    frames, context = make(ROUTE_MM, points=np.full((20, 3), np.nan))
    out = NoisyLocaliser().estimate(frames, context)
    assert out.valid.all()
    assert out.landmark_nearest == pytest.approx(1 / 20)
    assert not out.landmark_visible.any()


@pytest.mark.parametrize("empty", [False, True])
def test_noisy_draws_the_same_number_whatever_it_sees(empty):
    frames, context = make(ROUTE_MM[:1], empty=empty)
    NoisyLocaliser().estimate(frames, context)
    other = stream(0, "perception", 0, 0)
    other.standard_normal(42)
    assert context.rng[0].standard_normal() == other.standard_normal()


class Theirs:
    def __init__(self, **args):
        self.args = args

    def estimate(self, frames, context): ...


def build_nothing(**args):
    return ("made", args)


def test_third_parties_are_named_by_module_and_attribute():
    assert make_localiser("tests.sim.localisers.test_localisers:Theirs", a=1).args == {"a": 1}


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("orcale", {}, "oracle"),
        ("oracle", {"sd": 1}, "sd"),
        ("noisy", {"floor_mm": -1.0}, "floor_mm=-1.0"),
        ("noisy", {"overconfidence": float("nan")}, "overconfidence=nan"),
        ("no_such_module:thing", {}, "no_such_module"),
        ("math:no_such", {}, "no_such"),
        ("math:pi", {}, "float"),
        ("tests.sim.localisers.test_localisers:build_nothing", {}, "makes a tuple; want something with a method"),
    ],
)
def test_bad_names_and_arguments_are_told_in_one_line(name, args, says):
    with pytest.raises(CarmError) as told:
        make_localiser(name, **args)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
