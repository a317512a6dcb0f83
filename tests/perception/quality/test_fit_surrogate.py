"""The surrogate's table finds what was put into the answers."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.errors import CarmError
from perception.error_cells import CHANNELS, FOUND, KNOTS, REGIONS, regressors
from perception.quality.fit_shares import Deviates, correlations, fit_shares
from perception.quality.fit_surrogate import Errors, fit_landmarks, fit_table
from tests.perception.quality.synthetic import answers

SOURCE = {"weights": "", "command": "", "data": {}, "patients": 8}


def errors(n=6000, seed=0, inflation=2.0, plane=None, scale=0.0, invalid=0.0):
    """n views whose log standard deviation is 1 + 0.5 * log(field / 200) + a normal of 0.3."""
    rng = np.random.default_rng(seed)
    region = rng.integers(len(REGIONS), size=n)
    offset, tilt = rng.uniform(0, 300, n), rng.uniform(0, 30, n)
    told = regressors(rng.uniform(50, 1000, n), rng.uniform(60, 214, n), 60.0 * region, offset, tilt)
    score = inflation * np.exp(scale * told[:, [3]]) * rng.normal(size=(n, 2))
    return Errors(
        rng.integers(8, size=n), rng.integers(2, size=n) if plane is None else np.full(n, plane), region, told,
        1.0 + 0.5 * told[:, [1]] + 0.3 * rng.normal(size=(n, 2)), score, rng.uniform(-500, 500, (n, 4)),
        rng.random(n) >= invalid,
    )  # fmt: skip


def test_standard_deviations_and_inflation_are_found():
    table = fit_table(errors(invalid=0.2), (1.0, 1.0), SOURCE)
    for cell in table.cells[0] + table.cells[1]:
        assert cell.sd[:, 2] == pytest.approx(0.5, abs=0.15)
        assert cell.spread[:, [8, 16]] == pytest.approx(np.array([[-0.3, 0.3]] * 2), abs=0.06)
        assert cell.valid == pytest.approx(0.8, abs=0.08)
        assert abs(cell.together) < 0.2
    assert sum(cell.views for row in table.cells for cell in row) == 6000


def test_the_scale_of_errors_follows_what_it_depends_on():
    table = fit_table(errors(12_000, scale=0.4), (1.0, 1.0), SOURCE)
    slopes = np.array([cell.scale[:, 3] for row in table.cells for cell in row])
    assert slopes.mean() == pytest.approx(0.4, abs=0.05)
    heights = np.array([cell.score[:, 16] for row in table.cells for cell in row])
    assert heights.mean() == pytest.approx(2.0, abs=0.25)


def test_a_cell_without_views_takes_those_of_a_coarser_one():
    table = fit_table(errors(plane=0), (1.0, 1.0), SOURCE)
    for own, lent in zip(*table.cells, strict=True):
        assert (own.score == lent.score).all()
        assert lent.views == 0
        assert lent.valid == 1.0


@pytest.mark.parametrize(("patient_share", "length_mm"), [(0.0, 30.0), (0.4, 60.0)])
def test_what_views_of_a_patient_have_in_common_is_found(patient_share, length_mm):
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(150), 40)
    place = np.zeros((len(patient), 4))
    place[:, 2] = rng.uniform(0, 400, len(patient))
    deviates = np.zeros((len(patient), len(CHANNELS)))
    for p in range(150):
        at = place[patient == p, 2]
        falls = np.exp(-np.abs(at[:, None] - at) / length_mm)
        root = np.linalg.cholesky(patient_share + (1 - patient_share) * falls + 1e-9 * np.eye(len(at)))
        deviates[patient == p] = root @ rng.normal(size=(len(at), len(CHANNELS)))
    plane = np.zeros(len(patient), int)
    views = Deviates(patient, plane, np.ones(len(patient), bool), place, deviates)
    share = fit_shares(views)[0][0]
    assert share.patient == pytest.approx(patient_share, abs=0.12)
    assert share.length_mm.mean() == pytest.approx(length_mm, rel=0.25)
    assert len(correlations(views, 1, True)[0]) == 0


def test_a_calibrated_network_needs_no_inflation():
    table = fit_table(Errors.of(answers(8000), np.full(8000, 785.0), np.zeros(8000)), (1.0, 1.0), SOURCE)
    spread = np.array([np.ptp(cell.score[:, [8, 16]], axis=1) for cell in table.cells[0][: FOUND + 1]])
    assert spread.mean() == pytest.approx(2.0, abs=0.4)
    assert KNOTS[[8, 16]].tolist() == [-1.0, 1.0]


def test_views_without_a_target_are_left_out():
    some = answers(500)
    some.true_mm[:100, -1] = np.nan
    assert len(Errors.of(some, np.full(500, 785.0), np.zeros(500)).valid) == 400


def test_landmarks_that_are_always_right_are_hardly_blurred():
    some = answers(400)
    distance = np.linalg.norm(some.true_mm[:, :20], axis=-1)
    right = answers(400, nearest=-distance, is_nearest=distance.argmin(1), visible=np.where(some.is_visible, 9.0, -9.0))
    worse = answers(400, nearest=some.nearest, is_nearest=distance.argmin(1))
    assert all(a < 2 < b for a, b in zip(fit_landmarks(right), fit_landmarks(worse), strict=True))


def test_too_few_views_are_refused():
    with pytest.raises(CarmError, match="too few to fit"):
        fit_table(errors(60), (1.0, 1.0), SOURCE)
