"""What is known of landmarks before and after some are seen: a joint Gaussian over points of the body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

POSTURES = ("at the sides", "crossed", "raised")

_INFLATION = 1.35
_OWN_SD_MM = 4.0
_PLACE_SD_MM = 2000.0
_TURN_SD_DEG = (2.5, 2.5, 4.0)
"""How a patient lies on the table: about x (pillow, wedge), about y (askew), about z (rolled)."""
_HEAD_SD_DEG = (10.0, 5.0, 8.0)
"""How a head is held beyond what phantoms do: the flexed head of a patient with raised arms lies 14 degrees off."""
_SIZE_SD = 0.04
_LOOSE_SD_MM = {
    "hemidiaphragm": 14.0, "carina": 8.0, "aortic_arch_top": 10.0, "scapula": 9.0, "humeral_head": 8.0, "elbow": 15.0,
    "wrist": 20.0,
}  # fmt: skip
"""Breath moves domes by some centimetres and with them the carina; arms are held in more ways than phantoms do."""
_BEND_SD_MM = 8.0
"""Of the trunk's bow at 250 mm from its middle, forwards or sideways: kyphosis and scoliosis beyond the phantoms'."""
_HEAD = ("skull", "sella", "right_eye_lens", "left_eye_lens")


@dataclass(frozen=True, eq=False)
class Sighting:
    """One point seen in the CT.

    Attributes:
        name: of the point. at: LPS mm [3]. sd: standard deviations of the error along the axes, mm [3]; infinite
            where an axis is not told.
        source: which detector saw it; those of one source are judged together.
    """

    name: str
    at: F64
    sd: F64
    source: str


@dataclass(frozen=True, eq=False)
class Belief:
    """A Gaussian over points: ``mean`` [P, 3] LPS mm, ``cov`` [P * 3, P * 3]."""

    names: tuple[str, ...]
    mean: F64
    cov: F64

    def at(self, name: str) -> F64:
        """Mean of a point, LPS mm [3]."""
        return np.asarray(self.mean[self.names.index(name)], np.float64)

    def sd(self, name: str) -> F64:
        """Standard deviations of a point along the axes, mm [3]."""
        i = 3 * self.names.index(name)
        return np.asarray(np.sqrt(np.maximum(np.diag(self.cov)[i : i + 3], 0.0)), np.float64)

    def given(self, seen: list[Sighting]) -> Belief:
        """What remains to be believed after sightings."""
        if not seen:
            return self
        rows, values, noise = self._observed(seen)
        gain = np.linalg.solve(self.cov[np.ix_(rows, rows)] + np.diag(noise), self.cov[rows]).T
        mean = self.mean.ravel() + gain @ (values - self.mean.ravel()[rows])
        cov = self.cov - gain @ self.cov[rows]
        return Belief(self.names, mean.reshape(-1, 3), 0.5 * (cov + cov.T))

    def surprise(self, seen: list[Sighting]) -> float:
        """Squared Mahalanobis distance per coordinate of sightings from what is believed."""
        rows, values, noise = self._observed(seen)
        off = values - self.mean.ravel()[rows]
        return float(off @ np.linalg.solve(self.cov[np.ix_(rows, rows)] + np.diag(noise), off) / len(rows))

    def log_likelihood(self, seen: list[Sighting]) -> float:
        """Of sightings under this belief, up to a constant that depends on their number only."""
        if not seen:
            return 0.0
        rows, values, noise = self._observed(seen)
        off = values - self.mean.ravel()[rows]
        cov = self.cov[np.ix_(rows, rows)] + np.diag(noise)
        return float(-0.5 * (off @ np.linalg.solve(cov, off) + np.linalg.slogdet(cov)[1]))

    def _observed(self, seen: list[Sighting]) -> tuple[NDArray[np.int64], F64, F64]:
        """Rows of the state that sightings tell, the values seen and their variances."""
        rows = np.concatenate([3 * self.names.index(s.name) + np.arange(3) for s in seen])
        values, sd = np.concatenate([s.at for s in seen]), np.concatenate([s.sd for s in seen])
        told = np.isfinite(sd)
        return rows[told], values[told], sd[told] ** 2


@cache
def prior(posture: str) -> Belief:
    """Before anything is seen: the phantom population's statistics, widened.

    Phantoms are drawn by hand, so their spread is taken 1.35 times; every point may be off by some millimetres of its
    own; and a body may lie anywhere on the table, turned, and be larger or smaller as a whole, and hold its head
    otherwise than phantoms do.
    """
    data = json.loads((Path(__file__).parent / "data" / "prior.json").read_text())
    names = tuple(data["names"])
    own = data["postures"][posture]
    mean = np.array(own["mean"][0]).reshape(-1, 3)
    modes = np.array(own["modes"]) * _INFLATION
    spread = np.array(own["rest_sd"][0]) * _INFLATION
    cov = modes.T @ modes + np.diag(spread**2 + _own_sd(names) ** 2)
    centred = mean - mean[names.index("T12")]
    head = np.array([n in _HEAD for n in names], float)[:, None]
    neck = (mean - mean[names.index("C2_odontoid_tip")]) * head
    extra = [np.tile(e, len(names)) * _PLACE_SD_MM for e in np.eye(3)]
    extra += [np.cross(e, centred).ravel() * np.radians(d) for e, d in zip(np.eye(3), _TURN_SD_DEG, strict=True)]
    extra += [np.cross(e, neck).ravel() * np.radians(d) for e, d in zip(np.eye(3), _HEAD_SD_DEG, strict=True)]
    bow = ((mean[:, 2] - mean[names.index("T8"), 2]) / 250.0)[:, None] ** 2
    extra += [(np.minimum(bow, 1.5) * _BEND_SD_MM * e).ravel() for e in np.eye(3)[:2]]
    extra.append(centred.ravel() * _SIZE_SD)
    return Belief(names, mean, cov + np.array(extra).T @ np.array(extra))


def _own_sd(names: tuple[str, ...]) -> F64:
    """Per coordinate, how far a point may be off by itself, mm [P * 3]."""
    loose = [max([_OWN_SD_MM, *(sd for part, sd in _LOOSE_SD_MM.items() if part in name)]) for name in names]
    return np.repeat(loose, 3)
