"""What the errors of one patient's views have in common, by the distance between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from perception.error_table import CHANNELS, PLANES, Share

F64 = NDArray[np.float64]

BINS_MM = (0.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 2000.0)
LENGTHS_MM = (20.0, 30.0, 45.0, 70.0, 100.0, 150.0)
LEAST_PAIRS = 100
MOST = 0.95
"""Of ``patient`` and ``near`` together."""


@dataclass(frozen=True)
class Deviates:
    """V views: patient, plane, found (else inferred) [V], place [V, 3], normal deviates [V, 4], NaN for none."""

    patient: NDArray[np.int64]
    plane: NDArray[np.int64]
    found: NDArray[np.bool_]
    place_mm: F64
    deviates: F64


def fit_shares(views: Deviates) -> tuple[tuple[Share, ...], ...]:
    """Shares by plane, then found and inferred: patient + near * exp(-distance / length) through the correlations."""
    return tuple(tuple(_share(*correlations(views, p, found)) for found in (True, False)) for p in range(PLANES))


def correlations(views: Deviates, plane: int, found: bool) -> tuple[F64, F64, F64]:
    """(mean distance, correlation [bins, 4], pairs) of pairs of views of a patient, for bins that hold enough."""
    usable = (views.plane == plane) & (views.found == found) & np.isfinite(views.deviates).all(axis=1)
    total = np.zeros((len(BINS_MM) - 1, 2 + len(CHANNELS)))
    for patient in np.unique(views.patient[usable]):
        rows = np.flatnonzero(usable & (views.patient == patient))
        a, b = rows[np.array(np.triu_indices(len(rows), 1))]
        apart = np.linalg.norm(views.place_mm[a] - views.place_mm[b], axis=1)
        columns = np.column_stack([np.ones(len(a)), apart, views.deviates[a] * views.deviates[b]])
        np.add.at(total, np.searchsorted(BINS_MM, apart, side="right").clip(1, len(total)) - 1, columns)
    total = total[total[:, 0] >= LEAST_PAIRS]
    mean = total[:, 1:] / total[:, :1]
    return mean[:, 0], mean[:, 1:], total[:, 0]


def _share(apart_mm: F64, correlation: F64, pairs: F64) -> Share:
    fits = [_fit(apart_mm, correlation, np.sqrt(pairs), length) for length in LENGTHS_MM]
    _, patient, near, length = min(fits, key=lambda fit: fit[0])
    scale = np.minimum(1.0, MOST / np.maximum(patient + near, 1e-9))
    return Share(patient * scale, near * scale, length)


def _fit(apart_mm: F64, correlation: F64, weight: F64, length_mm: float) -> tuple[float, F64, F64, float]:
    """(squared deviation, patient [4], near [4], length)."""
    if len(apart_mm) == 0:
        return 0.0, np.zeros(len(CHANNELS)), np.zeros(len(CHANNELS)), length_mm
    design = np.column_stack([np.ones(len(apart_mm)), np.exp(-apart_mm / length_mm)]) * weight[:, None]
    found = [nnls(design, column * weight) for column in correlation.T]
    return sum(f[1] ** 2 for f in found), *np.array([f[0] for f in found]).T, length_mm
