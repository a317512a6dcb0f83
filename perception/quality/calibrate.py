"""Calibration on validation patients: temperatures, scaled variances, conformal radii.

Temperature: Guo et al., ICML 2017, arXiv 1706.04599. Variances: one factor that makes the mean squared Mahalanobis
distance what a Gaussian has (Levi et al., Sensors 22, 2022, 5540). Radii: split conformal prediction, in units of the
scaled standard deviations (Angelopoulos and Bates, arXiv 2107.07511).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from perception.quality.answers import Answers

F64 = NDArray[np.float64]
TARGET = len(LANDMARKS)
LEVELS = (0.9, 0.95)
GROUPS = ("found", "inferred")
"""A point is found where it is said to be visible, else inferred."""


@dataclass(frozen=True)
class Calibration:
    """What turns a network's raw answers into ones that can be believed.

    Attributes:
        nearest_temperature, visible_temperature: divide logits.
        variance: factor of covariances, by group, of target and landmarks.
        radius: Mahalanobis radius (after ``variance``) that holds a target's truth at each of ``LEVELS``, by group.
    """

    nearest_temperature: float = 1.0
    visible_temperature: float = 1.0
    variance: dict[str, list[float]] = field(default_factory=lambda: {g: [1.0, 1.0] for g in GROUPS})
    radius: dict[str, list[float]] = field(default_factory=lambda: {g: [2.15, 2.45] for g in GROUPS})

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, record: Any) -> Calibration:
        """Reads ``record``.

        Raises:
            CarmError: fields that are missing, unknown or not positive.
        """
        try:
            made = cls(**record)
            pairs = [table[group] for table in (made.variance, made.radius) for group in GROUPS]
            numbers = [made.nearest_temperature, made.visible_temperature, *(n for a, b in pairs for n in (a, b))]
            good = all(isinstance(n, int | float) and 0 < n < 1e6 for n in numbers)
        except (TypeError, KeyError, ValueError):
            good = False
        if not good:
            raise CarmError(f"calibration {str(record)[:80]!r} cannot be used; want that of carm perception train")
        return made

    def factors(self, visible_logits: F64) -> F64:
        """Factors of the covariances of V frames' points, [V, 21]."""
        found = visible_logits > 0
        table = np.array([self.variance[g] for g in GROUPS])
        which = np.arange(visible_logits.shape[-1]) != TARGET
        return np.where(found, table[0][which.astype(int)], table[1][which.astype(int)])


def calibrate(answers: Answers) -> Calibration:
    """Fits a calibration to answers of validation patients.

    Raises:
        CarmError: too few views to fit anything.
    """
    if len(answers.valid) < 100:
        raise CarmError(f"{len(answers.valid)} views are too few to calibrate; want at least 100")
    variance = {g: [_scale(answers, g, [TARGET]), _scale(answers, g, range(TARGET))] for g in GROUPS}
    radius = {}
    for group in GROUPS:
        square = _squares(answers, group, [TARGET]) / variance[group][0]
        radius[group] = [_conformal(np.sqrt(square), level) for level in LEVELS]
    known = answers.is_nearest >= 0
    return Calibration(
        _temperature(lambda t: _nearest_nll(answers.nearest[known], answers.is_nearest[known], t)),
        _temperature(lambda t: _visible_nll(answers.visible, answers.is_visible, t)),
        variance, radius,
    )  # fmt: skip


def calibrated(answers: Answers, calibration: Calibration) -> Answers:
    """The same answers with covariances and logits as calibrated."""
    factors = calibration.factors(answers.visible)[..., None, None]
    return Answers(**{
        **vars(answers),
        "covariance_mm2": answers.covariance_mm2 * factors,
        "nearest": answers.nearest / calibration.nearest_temperature,
        "visible": answers.visible / calibration.visible_temperature,
    })  # fmt: skip


def coverage(answers: Answers, calibration: Calibration) -> dict[str, Any]:
    """Share of views whose true target lies within each conformal radius, of calibrated answers, by group."""
    out: dict[str, Any] = {}
    for group in GROUPS:
        square = _squares(answers, group, [TARGET])
        radii = zip(LEVELS, calibration.radius[group], strict=True)
        inside = {str(level): _share(np.sqrt(square) <= radius) for level, radius in radii}
        mean_square = float(square.mean() / 2) if len(square) else None
        out[group] = {"views": len(square), "inside": inside, "mean_square": mean_square}
    return out


def expected_calibration_error(logits: F64, truth: NDArray[np.bool_], bins: int = 15) -> float:
    """Mean gap between probability and frequency over equal bins, weighted by their size."""
    p, t = expit(logits).ravel(), truth.ravel().astype(float)
    which = np.minimum((p * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    gap = np.abs(np.bincount(which, p, bins) - np.bincount(which, t, bins))
    return float(gap.sum() / count.sum())


def _share(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _squares(answers: Answers, group: str, points: Any) -> F64:
    rows = []
    for point in points:
        square = answers.mahalanobis2(point)
        chosen = np.isfinite(square) & ((answers.visible[:, point] > 0) == (group == "found"))
        rows.append(square[chosen & (answers.distance_mm(point) < 600.0) | chosen & (point == TARGET)])
    return np.concatenate(rows)


def _scale(answers: Answers, group: str, points: Any) -> float:
    square = _squares(answers, group, points)
    return float(square.mean() / 2.0) if len(square) > 20 else 1.0


def _conformal(scores: F64, level: float) -> float:
    """The ceil((n + 1) level)-th smallest score; of a Gaussian in the plane where there are few."""
    n = len(scores)
    if n < 20:
        return float(np.sqrt(-2.0 * np.log(1.0 - level)))
    return float(np.sort(scores)[min(n, int(np.ceil((n + 1) * level))) - 1])


def _temperature(nll: Any) -> float:
    found = minimize_scalar(lambda log_t: nll(float(np.exp(log_t))), bounds=(-2.0, 2.0), method="bounded")
    return float(np.exp(found.x))


def _nearest_nll(logits: F64, truth: NDArray[np.int64], temperature: float) -> float:
    return float(-log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean())


def _visible_nll(logits: F64, truth: NDArray[np.bool_], temperature: float) -> float:
    scaled = logits / temperature
    return float(-np.where(truth, log_expit(scaled), log_expit(-scaled)).mean())
