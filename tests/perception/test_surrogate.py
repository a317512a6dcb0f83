"""``perception=surrogate``: the network's errors from a table."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from carm_env.errors import CarmError
from carm_env.sim.localisers import make_localiser
from carm_env.sim.perception import UNSEEN_SD_MM
from carm_env.sim.streams import stream
from perception.error_cells import KNOTS, REGIONS, place_mm, regressors
from perception.error_table import ErrorTable
from perception.surrogate import SHIPPED, SurrogateLocaliser, _common
from tests.sim.localisers.frames import FULL_MM, TARGET_MM, make, rows

ROUTE_MM = np.linspace((20.0, -160.0, -1000.0), (0.0, -200.0, -200.0), 6)
NEAR_MM, FAR_MM = TARGET_MM + np.array((5.0, 0.0, -10.0)), TARGET_MM + np.array((5.0, 0.0, -600.0))
FIELDS = ("displacement_mm", "covariance_mm2", "landmark_nearest", "landmark_visible", "valid")


@pytest.fixture(scope="module")
def surrogate():
    """With the shipped table."""
    return SurrogateLocaliser()


@pytest.fixture
def record():
    """The shipped table's record."""
    return json.loads(SHIPPED.read_text(encoding="utf-8"))


def over_episodes(localiser, isocentre_mm, n, steps=1, **how):
    """(errors x and z, standard deviations x and z) of ``steps`` frames of n episodes, [n, steps, 2] each."""
    frames, context = make(np.tile(isocentre_mm, (n * steps, 1)), **how)
    seeds = np.repeat(np.arange(n), steps)
    rng = [stream(int(s), "perception", 1 + i % steps, 0) for i, s in enumerate(seeds)]
    out = localiser.estimate(frames, replace(context, rng=rng, episode_seed=seeds))
    assert out.valid.all()
    error = (out.displacement_mm - (TARGET_MM - isocentre_mm))[:, [0, 2]]
    sd = np.sqrt(np.diagonal(out.covariance_mm2, axis1=1, axis2=2))[:, [0, 2]]
    return error.reshape(n, steps, 2), sd.reshape(n, steps, 2)


def test_the_same_seed_gives_the_same_answer_and_another_does_not(surrogate):
    one, same, other = (surrogate.estimate(*make(ROUTE_MM, seed=s)) for s in (3, 3, 4))
    assert all((getattr(one, name) == getattr(same, name)).all() for name in FIELDS)
    assert (one.displacement_mm != other.displacement_mm).any()


def test_a_frame_is_bit_equal_alone_and_in_a_batch(surrogate):
    frames, context = make(ROUTE_MM)
    whole = surrogate.estimate(frames, context)
    for i in range(len(ROUTE_MM)):
        part = surrogate.estimate(*rows(frames, context, np.array([i])))
        assert all((getattr(part, name)[0] == getattr(whole, name)[i]).all() for name in FIELDS)


def test_the_image_is_not_looked_at(surrogate):
    frames, context = make(ROUTE_MM)
    tiny = np.zeros((len(ROUTE_MM), 16, 16))
    small = replace(
        frames, signal=tiny.astype(np.float32), image=tiny.astype(np.uint8), mask=tiny > 0,
        cameras=replace(frames.cameras, pitch_mm=frames.cameras.pitch_mm * 4),
    )  # fmt: skip
    one = surrogate.estimate(frames, context)
    other = surrogate.estimate(small, make(ROUTE_MM)[1])
    assert one.valid.all()
    assert all((getattr(one, name) == getattr(other, name)).all() for name in FIELDS)


@pytest.mark.parametrize(("field_mm", "most"), [(FULL_MM, 4.0), (100.0, 8.0)])
def test_errors_of_bodies_unlike_the_tables_grow_told_and_untold(surrogate, field_mm, most):
    """Each in half of the episodes, independently; the same in all frames of one; in small fields more."""
    both = (surrogate, SurrogateLocaliser(unlike=4.0))
    (plain, plain_sd), (more, more_sd) = (over_episodes(s, NEAR_MM, 600, 2, field_mm=field_mm) for s in both)
    told, untold = more_sd / plain_sd, more / plain / (more_sd / plain_sd)
    for factor, largest in ((told, most), (untold, 4.0)):
        assert np.ptp(factor, axis=(1, 2)).max() < 1e-6
        each = factor[:, 0, 0]
        assert each.min() >= 1.0 - 1e-9 and 0.88 * largest < each.max() <= largest + 1e-9
        assert np.mean(each > 1.001) == pytest.approx(0.5, abs=0.07)
        assert np.median(each[each > 1.001]) == pytest.approx(largest**0.5, rel=0.15)
    assert abs(np.corrcoef(np.log(told[:, 0, 0]), np.log(untold[:, 0, 0]))[0, 1]) < 0.15


@pytest.mark.parametrize("value", [0.5, -1.0, float("nan"), 1e9, "much", None])
def test_a_factor_that_is_none_is_refused(value):
    with pytest.raises(CarmError, match="unlike"):
        SurrogateLocaliser(unlike=value)


def test_errors_shrink_once_the_target_is_in_the_field(surrogate):
    (near, near_sd), (far, far_sd) = (over_episodes(surrogate, at, 200) for at in (NEAR_MM, FAR_MM))
    assert np.median(np.abs(near)) < 2.5 < 8.0 < np.median(np.abs(far))
    assert np.median(near_sd) < 3.0 < 15.0 < np.median(far_sd)


def test_repeated_frames_of_an_episode_err_alike_the_more_so_the_more_quanta(surrogate):
    scatter = []
    for quanta in (20.0, 100.0, 1000.0):
        error, _ = over_episodes(surrogate, NEAR_MM, 150, steps=3, quanta=quanta)
        scatter.append(error.var(axis=1, ddof=1).mean() / error.var())
    assert scatter[0] > 2 * scatter[1] > 4 * scatter[2]
    assert scatter[0] < 0.4


def test_errors_of_an_episode_part_with_distance_and_those_of_episodes_have_nothing_in_common(surrogate):
    here, _ = over_episodes(surrogate, FAR_MM, 300)
    alike = [
        np.corrcoef(here[:, 0, 1], over_episodes(surrogate, FAR_MM - [0, 0, away], 300)[0][:, 0, 1])[0, 1]
        for away in (10.0, 100.0, 400.0)
    ]
    assert alike[0] > 0.75 > 0.6 > alike[1] > alike[2] + 0.05
    assert abs(np.corrcoef(here[:-1, 0, 1], here[1:, 0, 1])[0, 1]) < 0.2


@pytest.mark.parametrize(("below_mm", "region"), [(10.0, "inside"), (300.0, "outside 150-400")])
def test_errors_have_the_quantiles_of_the_table(surrogate, below_mm, region):
    error, sd = over_episodes(surrogate, TARGET_MM - [0.0, 0.0, below_mm], 3000)
    cell = surrogate.table.cells[0][REGIONS.index(region)]
    told = regressors(2000.0, FULL_MM, max(below_mm - FULL_MM / 2, 0.0), below_mm, 0.0)
    scale = np.exp(cell.scale @ np.clip(told, cell.low, cell.high))
    score = (error / sd)[:, 0] * [1.0, -1.0] / scale
    for axis in (0, 1):
        found, want = np.quantile(score[:, axis], ndtr(KNOTS[6:19:6])), cell.score[axis][6:19:6]
        assert found == pytest.approx(want, abs=0.1 * (want[2] - want[0]))


def test_common_deviates_are_standard_normal_and_correlate_as_the_table_says(surrogate):
    share, own = surrogate.table.shares[0][1], np.zeros(4)
    at = [place_mm(np.array([0.0, -200.0, z]), 214.0) for z in (-800.0, -760.0)]
    drawn = np.array([[_common(seed, 0).mixed(share, place, 1e9, own) for place in at] for seed in range(3000)])
    assert drawn.mean(axis=0) == pytest.approx(0.0, abs=0.08)
    assert drawn.std(axis=0) == pytest.approx(1.0, abs=0.06)
    want = share.patient + (1 - share.patient) * np.exp(-40.0 / share.length_mm)
    assert (drawn[:, 0] * drawn[:, 1]).mean(axis=0) == pytest.approx(want, abs=0.08)


@pytest.mark.parametrize("plane", [0, 1])
def test_the_direction_along_the_beam_stays_open(surrogate, plane):
    out = surrogate.estimate(*make(ROUTE_MM, plane=plane))
    assert (np.sqrt(out.covariance_mm2[:, 1 - plane, 1 - plane]) >= UNSEEN_SD_MM - 1e-9).all()
    assert out.displacement_mm[:, 1 - plane] == pytest.approx(0.0, abs=1e-9)


def test_a_field_beside_the_body_or_a_target_that_is_not_known_is_not_valid(surrogate):
    frames, context = make([NEAR_MM, NEAR_MM + np.array((600.0, 0.0, 0.0))])
    assert surrogate.estimate(frames, context).valid.tolist() == [True, False]
    frames, context = make([NEAR_MM])
    assert not surrogate.estimate(frames, replace(context, target_mm=np.full((1, 3), np.nan))).valid.any()


def test_a_patient_without_landmarks_has_estimates_all_the_same(surrogate):
    out = surrogate.estimate(*make([NEAR_MM], points=np.full((20, 3), np.nan)))
    assert out.valid.all()
    assert out.landmark_nearest[0] == pytest.approx(1 / 20)


def test_it_needs_no_torch():
    code = "import sys; from carm_env.sim.localisers import make_localiser; make_localiser('surrogate'); "
    told = subprocess.run(
        [sys.executable, "-c", code + "print([m for m in ('torch', 'scipy', 'numba') if m in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"


def test_a_record_survives_writing_and_reading(record):
    assert ErrorTable.of(record).record() == record


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.update(schema=2), "schema '2'"),
        (lambda r: r.pop("cells"), "cells is no list"),
        (lambda r: r["cells"].append([]), "cells is no list"),
        (lambda r: r["cells"][0][0].pop("score"), "a cell has"),
        (lambda r: r["cells"][0][0].update(valid=1.5), "valid is not"),
        (lambda r: r["cells"][0][0].update(valid=float("nan")), "valid is not"),
        (lambda r: r["cells"][1][2].update(score=[[0.0] * 24] * 2), "score is not"),
        (lambda r: r["cells"][1][2]["score"][0].reverse(), "does not rise"),
        (lambda r: r["cells"][1][2].update(sd="x"), "sd is not"),
        (lambda r: r["shares"][0][0].update(length_mm=[0.0] * 4), "length_mm is not"),
        (lambda r: r["shares"][0][0].update(patient=[2.0] * 4), "patient is not"),
        (lambda r: r["edges_mm"].__setitem__(0, -20.0), "edges_mm"),
        (lambda r: r.update(visible_sd_mm=None), "visible_sd_mm is not"),
    ],
)
def test_a_malformed_table_is_refused(record, tmp_path, change, words):
    change(record)
    path = tmp_path / "errors.json"
    path.write_text(json.dumps(record))
    with pytest.raises(CarmError, match=r"errors\.json") as refused:
        make_localiser("surrogate", errors=str(path))
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, " " * 2**19])
def test_a_file_that_holds_no_table_is_refused(tmp_path, text):
    path = tmp_path / "errors.json"
    path.write_text(text)
    with pytest.raises(CarmError, match=r"errors\.json"):
        SurrogateLocaliser(str(path))


@pytest.mark.parametrize("errors", ["nowhere.json", 3])
def test_a_table_that_is_not_there_is_refused(errors):
    with pytest.raises(CarmError, match="carm perception surrogate"):
        SurrogateLocaliser(errors)
