"""What the errors of one patient's views have in common, by the distance between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.error_cells import CHANNELS, PLANES, Share

F64 = NDArray[np.float64]

BINS_MM = (0.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 2000.0)
LENGTHS_MM = np.geomspace(5.0, 300.0, 40)
PATIENT = np.linspace(0.0, 0.9, 46)
LEAST_PAIRS = 100


@dataclass(frozen=True)
class Deviates:
    """V views: patient, plane, found (else inferred) [V], place [V, 4], normal deviates [V, 4], NaN for none."""

    patient: NDArray[np.int64]
    plane: NDArray[np.int64]
    found: NDArray[np.bool_]
    place_mm: F64
    deviates: F64


def fit_shares(views: Deviates) -> tuple[tuple[Share, ...], ...]:
    """Shares by plane, then found and inferred: a curve through the correlations by distance."""
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
    fits = np.array([_fit(apart_mm, column, np.sqrt(pairs)) for column in correlation.T])
    return Share(fits[:, 0], fits[:, 1])


def _fit(apart_mm: F64, correlation: F64, weight: F64) -> tuple[float, float]:
    """(patient, length) of patient + (1 - patient) * exp(-distance / length) by least squares over a grid."""
    patient, length = np.meshgrid(PATIENT, LENGTHS_MM, indexing="ij")
    falls = np.exp(-apart_mm / length[..., None])
    curve = patient[..., None] + (1.0 - patient[..., None]) * falls
    best = np.argmin((weight * np.square(curve - correlation)).sum(axis=-1))
    return float(patient.flat[best]), float(length.flat[best])
