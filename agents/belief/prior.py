"""Where a point lies on the table before anything was seen, given what is recorded of the patient."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.sim import nominal

F64 = NDArray[np.float64]

_FILE = Path(__file__).parent / "data" / "prior.json"
_HEIGHT = 2
_FARTHEST_SD = 3.0
"""A record further from the mean than this (a typing error, a child) counts as this far."""


@dataclass(frozen=True)
class Population:
    """Means and covariances of K points about the anchors (mm) and of the record (five values); see ``make_prior``.

    ``cross`` [K, 3, 5] is the covariance of points with the record.
    """

    points: tuple[str, ...]
    record_mean: F64
    record_covariance: F64
    mean_mm: F64
    covariance_mm2: F64
    cross: F64


@cache
def population() -> Population:
    """The shipped statistics: phantoms of the training split."""
    stored = json.loads(_FILE.read_text(encoding="utf-8"))
    names = ("record_mean", "record_covariance", "mean_mm", "covariance_mm2", "cross")
    return Population(tuple(stored["points"]), *(np.array(stored[name]) for name in names))


def prior_of(point: str, record: F64) -> tuple[F64, F64]:
    """Mean [3] and covariance [3, 3] of a point in the table frame, mm.

    The regression on whatever is recorded, plus the placement's statistics (``sim.nominal``); the recorded height is
    known to be off. A yaw shifts a point by its distance from the vertex, where the patient is anchored.

    Args:
        point: a landmark's name, or "sella".
        record: sex (0 F, 1 M), age, height cm, weight kg, arms raised (0, 1); NaN where the record is silent, [5].

    Raises:
        CarmError: a point of which nothing is known.
    """
    people = population()
    if point not in people.points:
        raise CarmError(f"no prior for point {point!r}; points: {', '.join(people.points)}")
    mean, covariance = _given(people, people.points.index(point), np.asarray(record, float))
    anchor = np.array([0.0, -nominal.MATTRESS_MM, nominal.VERTEX_Z_MM])
    lever = np.radians(nominal.PLACEMENT_YAW_SD_DEG) * np.array([mean[2], 0.0, -mean[0]])
    return anchor + mean, covariance + np.diag(np.square(nominal.PLACEMENT_SD_MM)) + np.outer(lever, lever)


def _given(people: Population, k: int, record: F64) -> tuple[F64, F64]:
    """Mean and covariance about the anchors of point ``k`` given the known part of a record."""
    known = np.flatnonzero(np.isfinite(record))
    spread = people.record_covariance.copy()
    spread[_HEIGHT, _HEIGHT] += nominal.HEIGHT_ERROR_SD_CM**2
    sd = np.sqrt(np.diag(spread))[known]
    off = np.clip(record[known] - people.record_mean[known], -_FARTHEST_SD * sd, _FARTHEST_SD * sd)
    gain = np.linalg.solve(spread[np.ix_(known, known)], people.cross[k][:, known].T).T
    covariance = people.covariance_mm2[k] - gain @ people.cross[k][:, known].T
    return people.mean_mm[k] + gain @ off, 0.5 * (covariance + covariance.T)
