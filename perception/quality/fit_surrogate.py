"""Fits the table of ``perception=surrogate`` to a network's answers about patients that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import norm, rankdata

from carm_env.errors import CarmError
from carm_env.sim.localisers.noisy import nearest_probabilities, visible_probabilities
from carm_env.tensor_file import digest
from perception.data.batches import ViewSet
from perception.data.store import read_info, read_views
from perception.data.views import DRIVE, LANDMARK
from perception.error_cells import (
    CHANNELS,
    EDGES_MM,
    FOUND,
    KNOTS,
    PLANES,
    REGIONS,
    Cell,
    outside_mm,
    place_mm,
    regressors,
    tilt_deg,
)
from perception.error_table import ErrorTable
from perception.network import WIDEST_MM
from perception.quality.answers import Answers, ask
from perception.quality.calibrate import TARGET, Calibration, calibrated
from perception.quality.fit_shares import Deviates, fit_shares
from perception.weights import load_net

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEAST_VIEWS = 100
"""Cells with fewer views take those of coarser ones."""
RIDGE, SCALE_RIDGE = 1.0, 10.0
"""Of the regressions of standard deviations and of errors: keep slopes small where a regressor hardly varies."""
BLURS_MM = np.geomspace(0.5, 50.0, 25)


@dataclass(frozen=True)
class Errors:
    """V views of the target, image axes.

    Attributes:
        patient, plane, region: [V]; known: the truth is known and the answer valid, [V].
        told: regressors, [V, 5]; log_sd: of the reported standard deviations (mm), [V, 2].
        score: error over reported standard deviation, [V, 2]; place_mm: see ``error_table``, [V, 4].
        valid: the answer tells something, [V].
    """

    patient: I64
    plane: I64
    region: I64
    told: F64
    log_sd: F64
    score: F64
    place_mm: F64
    valid: Flags

    @classmethod
    def of(cls, answers: Answers, sod_mm: F64, tilt: F64) -> Errors:
        """From calibrated answers; views without a target are left out.

        Args:
            sod_mm: distance from source to isocentre, [V]; tilt: of the views, degrees, [V].
        """
        known = np.asarray(np.isfinite(answers.true_mm[:, TARGET]).all(-1))
        answers, sod_mm, tilt = answers.where(known), sod_mm[known], tilt[known]
        true, covariance = answers.true_mm[:, TARGET], answers.covariance_mm2[:, TARGET]
        scaled = np.abs(true[:, :2]) * (sod_mm / (sod_mm + true[:, 2]))[:, None]
        apart = outside_mm(*(scaled - 0.5 * answers.field_mm[:, None]).T)
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        offset = np.linalg.norm(true[:, :2], axis=1)
        return cls(
            answers.patient, answers.plane, np.searchsorted(EDGES_MM, apart, side="left"),
            regressors(answers.quanta, answers.field_mm, np.maximum(apart, 0.0), offset, tilt),
            np.log(sd), (answers.mean_mm[:, TARGET] - true[:, :2]) / sd, place_mm(-true, answers.field_mm),
            (answers.valid >= 0) & (np.square(sd).sum(axis=1) < 2 * WIDEST_MM**2),
        )  # fmt: skip


def fit_table(errors: Errors, blurs_mm: tuple[float, float], source: dict[str, Any]) -> ErrorTable:
    """The table of a network's errors.

    Args:
        blurs_mm: of ``fit_landmarks``; source: what the table's readers should know of its making.

    Raises:
        CarmError: too few views to fit anything.
    """
    if errors.valid.sum() < LEAST_VIEWS:
        raise CarmError(f"{int(errors.valid.sum())} views are too few to fit; want at least {LEAST_VIEWS}")
    deviates = np.full((len(errors.valid), len(CHANNELS)), np.nan)
    cells = tuple(tuple(_cell(errors, p, r, deviates) for r in range(len(REGIONS))) for p in range(PLANES))
    shares = fit_shares(
        Deviates(errors.patient, errors.plane, errors.region < FOUND, errors.place_mm, deviates)
    )
    return ErrorTable(cells, shares, *blurs_mm, source)


def _cell(errors: Errors, plane: int, region: int, deviates: F64) -> Cell:
    """One cell; the deviates of its own views are written into ``deviates``."""
    chosen, pool = _pools(errors, plane, region)
    told, log_sd, score = errors.told[pool], errors.log_sd[pool], errors.score[pool]
    sd = _regression(told, log_sd, RIDGE)
    residual = log_sd - sd[0] - told @ sd[1:]
    scale = _regression(told, np.log(np.maximum(np.abs(score), 1e-3)), SCALE_RIDGE)[1:]
    score = score / np.exp(told @ scale)
    normal = np.column_stack([_normal(residual), _normal(score)])
    together = float(np.clip((normal[:, 0] * normal[:, 1]).mean() / np.square(normal[:, 0]).mean(), -0.99, 0.99))
    normal[:, 1] = (normal[:, 1] - together * normal[:, 0]) / np.sqrt(1 - together**2)
    own = chosen & errors.valid
    if own.sum() == len(told):
        deviates[own] = normal
    valid = (errors.valid[chosen].sum() + 0.5) / (chosen.sum() + 0.5)
    return Cell(
        float(chosen.sum()), float(valid), told.min(axis=0), told.max(axis=0), sd.T, together,
        _quantiles(residual), scale.T, _quantiles(score),
    )  # fmt: skip


def _regression(told: F64, values: F64, ridge: float) -> F64:
    """Constant and slopes of values [V, 2], [6, 2]; slopes are drawn to 0 as by ``ridge`` views."""
    centre = told.mean(axis=0)
    apart = told - centre
    slopes = np.linalg.solve(apart.T @ apart + ridge * np.eye(apart.shape[1]), apart.T @ (values - values.mean(axis=0)))
    return np.concatenate([(values.mean(axis=0) - centre @ slopes)[None], slopes])


def _pools(errors: Errors, plane: int, region: int) -> tuple[Flags, Flags]:
    """A cell's views, and the valid ones to fit to: its own, both planes', all found or inferred, or all."""
    same = errors.region == region
    chosen = same & (errors.plane == plane)
    for pool in (chosen, same, (errors.region < FOUND) == (region < FOUND)):
        if (pool & errors.valid).sum() >= LEAST_VIEWS:
            return chosen, pool & errors.valid
    return chosen, errors.valid


def _normal(values: F64) -> F64:
    """Normal scores of each column."""
    return np.asarray(norm.ppf((rankdata(values, axis=0) - 0.5) / len(values)))


def _quantiles(values: F64) -> F64:
    """Quantiles of each column at ``KNOTS``, [2, 25]."""
    return np.quantile(values, ndtr(KNOTS), axis=0).T


def fit_landmarks(answers: Answers) -> tuple[float, float]:
    """Blurs in millimetres with which visible landmarks (micro F1) and nearest ones (share) are as right as said."""
    chosen = np.flatnonzero((answers.kind == LANDMARK) & (answers.is_nearest >= 0))
    points, truth, seen = answers.true_mm[chosen, :TARGET], answers.is_nearest[chosen], answers.is_visible[chosen]
    draws = np.random.default_rng(0).standard_normal((len(chosen), TARGET))
    distance = np.linalg.norm(points, axis=-1)
    distance[np.isnan(distance)] = np.inf
    beyond = np.abs(points[..., :2]) - 0.5 * answers.field_mm[chosen, None, None]
    outside = np.where(seen[:, :TARGET], 0.0, np.maximum(outside_mm(beyond[..., 0], beyond[..., 1]), 1.0))

    def visible_f1(sd_mm: float) -> float:
        said = [visible_probabilities(o, sd_mm, g) > 0.5 for o, g in zip(outside, draws, strict=True)]
        return _f1(np.array(said), seen[:, :TARGET])

    def nearest_right(sd_mm: float) -> float:
        said = [nearest_probabilities(d, sd_mm, g).argmax() for d, g in zip(distance, draws, strict=True)]
        return float((np.array(said) == truth).mean())

    wanted = _f1(answers.visible[chosen, :TARGET] > 0, seen[:, :TARGET])
    right = float((answers.nearest[chosen].argmax(axis=1) == truth).mean())
    return _blur(visible_f1, wanted), _blur(nearest_right, right)


def _f1(said: Flags, truth: Flags) -> float:
    return 2.0 * float((said & truth).sum()) / float(said.sum() + truth.sum())


def _blur(quality: Callable[[float], float], wanted: float) -> float:
    return float(BLURS_MM[int(np.argmin([abs(quality(blur) - wanted) for blur in BLURS_MM]))])


def fit_surrogate(weights: Path, data: Path, split: str, command: str) -> ErrorTable:
    """The table of a network on a data set's split.

    Raises:
        CarmError: no such weights or views, or too few of them.
    """
    net, record = load_net(weights, want="localizer-small")
    views = ViewSet(read_views(data, split, (LANDMARK, DRIVE)))
    answers = calibrated(ask(net, views), Calibration.of(record.get("calibration", {})))
    source = {
        "weights": digest(weights), "command": command, "data": {**read_info(data), "split": split},
        "patients": len(np.unique(answers.patient)),
    }  # fmt: skip
    c = views.views.columns
    tilt = tilt_deg(c["primary_deg"], c["secondary_deg"], c["plane"])
    return fit_table(Errors.of(answers, c["sod_mm"].astype(float), tilt), fit_landmarks(answers), source)
