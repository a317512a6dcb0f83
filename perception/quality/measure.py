"""Figures of a localiser on a set of views: F1, displacement errors, coverage; with intervals clustered by patient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.data.views import LANDMARK
from perception.quality.answers import Answers
from perception.quality.calibrate import TARGET, Calibration, coverage, expected_calibration_error

F64 = NDArray[np.float64]
NEAR_MM = 40.0
RESAMPLES = 1000


def clustered(values: F64, patient: NDArray[np.int64], statistic: Any, seed: int = 0) -> list[float | None]:
    """A statistic with its 95 % percentile interval, whole patients drawn: [value, low, high]."""
    if len(values) == 0:
        return [None, None, None]
    rng = np.random.default_rng(seed)
    groups = [values[patient == p] for p in np.unique(patient)]
    drawn = [
        statistic(np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return [float(statistic(values)), float(low), float(high)]


def f1(predicted: ArrayLike, true: ArrayLike, classes: int) -> dict[str, float]:
    """Micro and macro F1 of single labels (micro F1 is then the share that is right); macro over classes that occur."""
    said, truth = np.asarray(predicted), np.asarray(true)
    scores = []
    for k in range(classes):
        hit = float(((said == k) & (truth == k)).sum())
        total = float((said == k).sum() + (truth == k).sum())
        if (truth == k).any():
            scores.append(2.0 * hit / total)
    return {"micro": float((said == truth).mean()), "macro": float(np.mean(scores))}


def measure(answers: Answers, calibration: Calibration) -> dict[str, Any]:
    """Everything that is reported of calibrated answers, as plain JSON values."""
    landmark, right = _named(answers)
    return {
        "views": len(answers.valid),
        "patients": len(np.unique(answers.patient)),
        "nearest_landmark": {
            "views": len(right),
            "micro_f1": clustered(right, landmark.patient, np.mean),
            "macro_f1": f1(landmark.nearest.argmax(1), landmark.is_nearest, TARGET)["macro"] if len(right) else None,
        },
        "visible_landmarks": {
            "micro_f1": _visible_f1(answers),
            "expected_calibration_error": expected_calibration_error(
                answers.visible[:, :TARGET], answers.is_visible[:, :TARGET]
            ),
        },
        "target": target_figures(answers),
        "coverage": coverage(answers, calibration),
        "valid": float((answers.valid > 0).mean()),
    }


def in_short(answers: Answers) -> dict[str, Any]:
    """One patient's figures in a flat row, without intervals, which one does not give; None where no view is."""
    _, right = _named(answers)
    row: dict[str, Any] = {
        "views": len(answers.valid),
        "landmark_views": len(right),
        "nearest_micro_f1": round(float(right.mean()), 4) if len(right) else None,
        "visible_micro_f1": round(_visible_f1(answers), 4),
    }
    error = answers.error_mm(TARGET)
    for name, chosen in _groups(answers).items():
        values = error[chosen]
        row[f"{name}_views"] = len(values)
        for what, percent in (("median", 50), ("p95", 95)):
            row[f"{name}_{what}_mm"] = round(float(np.percentile(values, percent)), 2) if len(values) else None
    return row


def _named(answers: Answers) -> tuple[Answers, F64]:
    """The landmark views, and whether the nearest landmark was named in each (0 or 1)."""
    landmark = answers.where((answers.kind == LANDMARK) & (answers.is_nearest >= 0))
    return landmark, (landmark.nearest.argmax(1) == landmark.is_nearest).astype(float)


def _visible_f1(answers: Answers) -> float:
    seen, said = answers.is_visible[:, :TARGET], answers.visible[:, :TARGET] > 0
    return 2.0 * float((seen & said).sum()) / max(float(seen.sum() + said.sum()), 1.0)


def _groups(answers: Answers) -> dict[str, NDArray[np.bool_]]:
    """Views by where the target is; none of those in which it is unknown."""
    known = np.asarray(np.isfinite(answers.true_mm[:, TARGET]).all(-1))
    inside = answers.is_visible[:, TARGET]
    return {
        "everywhere": known,
        "within_40mm": known & (answers.distance_mm(TARGET) <= NEAR_MM),
        "in_field": known & inside,
        "outside": known & ~inside,
    }


def target_figures(answers: Answers) -> dict[str, Any]:
    """In-plane error of the target: everywhere, near the isocentre, in the field, outside of it; by plane."""
    error = answers.error_mm(TARGET)
    out: dict[str, Any] = {}
    for name, chosen in _groups(answers).items():
        out[name] = _errors(error, answers, chosen)
        for plane, letter in enumerate("ab"):
            out[f"{name}_{letter}"] = _errors(error, answers, chosen & (answers.plane == plane))
    return out


def _errors(error: F64, answers: Answers, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    values, patient = error[chosen], answers.patient[chosen]
    return {
        "views": len(values),
        "median_mm": clustered(values, patient, np.median),
        "p95_mm": clustered(values, patient, lambda v: np.percentile(v, 95)),
    }
