"""Sizes of the vertebrae C2 to L5 of one build, and the frame in which each is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy.build import LEVELS, Build
from carm_env.patient.anatomy.shapes import unit

F64 = NDArray[np.float64]
TABLES: dict[str, list[float]] = {
    "width_up": [
        17, 16.5, 17.5, 18.5, 20.5, 23.5,
        26.5, 26.5, 26, 26, 26.5, 27.5, 29, 30.5, 32, 33.5, 36, 39,
        41, 42.5, 44, 46, 47,
    ],
    "width_low": [
        17.5, 17.5, 18.5, 20.5, 23, 25,
        28, 27.5, 27, 27, 28, 29.5, 30.5, 32, 34, 36.5, 39.5, 42,
        43, 45, 47.5, 49, 49,
    ],
    "depth": [
        15, 15.5, 15.5, 16, 17, 17.5,
        18, 19.5, 21.5, 23, 24.5, 26, 27.5, 28.5, 30, 31, 31.5, 32.5,
        33.5, 34, 34.5, 35, 34.5,
    ],
    "canal_width": [
        24, 23, 24, 25, 25.5, 24.5,
        21.5, 19, 18, 17, 17, 17, 17, 17, 17.5, 18, 19.5, 22,
        23.5, 23.5, 24, 25, 27,
    ],
    "canal_depth": [
        19, 16, 15.5, 15.5, 15.5, 15.5,
        16, 15.5, 15.5, 16, 16, 16, 16, 16, 15.5, 15.5, 16, 17.5,
        18, 17.5, 17, 17.5, 18,
    ],
    "pedicle_width": [
        8, 5.5, 5.5, 5.8, 6.2, 6.8,
        8.5, 8.2, 6.8, 6, 5.8, 5.8, 5.9, 6.5, 7.5, 8.8, 9.5, 8.7,
        8.6, 8.5, 10, 13, 16,
    ],
    "pedicle_height": [
        9, 7, 7.2, 7.2, 7.3, 7.8,
        9.6, 11.5, 11.9, 12, 11.9, 12, 12, 12.5, 13.5, 14.7, 16, 16.4,
        15.5, 15, 14.5, 15, 15.5,
    ],
    "transverse": [
        25, 21.5, 23, 24.5, 26, 33,
        37.5, 34.5, 31.5, 30.5, 30.5, 31, 31, 30.5, 29.5, 28, 24, 21,
        35, 39, 44, 41, 44,
    ],
    "spinous": [
        17, 13, 13, 15, 21, 29,
        30, 28, 26, 25, 24, 23.5, 23, 23, 23, 23, 23, 25,
        28, 30, 31, 29, 21,
    ],
    "spinous_drop": [
        8, 9, 10, 11, 12, 14,
        19, 25, 30, 34, 37, 39, 39, 37, 33, 27, 21, 18,
        17, 17, 17, 16, 13,
    ],
}  # fmt: skip
"""mm at C2..L5 of a person of 1.70 m: bodies, canals and pedicles near Panjabi et al. (cervical, thoracic and lumbar
vertebrae, Spine 1991-1992), the rest estimates. transverse: half the span; spinous: reach behind the canal;
spinous_drop: of its tip below the body's centre."""
_DISC_LEVELS = [0.0, 5.0, 6.0, 12.0, 16.0, 18.0, 21.0, 22.0]
_DISC_SHARES = [0.32, 0.31, 0.23, 0.19, 0.20, 0.23, 0.28, 0.28]


@dataclass(frozen=True)
class Vertebra:
    """Sizes (mm) of one vertebra; axes: x left, y back, z up about its body's centre.

    Attributes:
        index: place in ``build.LEVELS``. turn: [3, 3], columns are its axes. up, low: from the centre to its endplates.
        up_normal, low_normal: the endplates' outward normals (LPS). gap_up, gap_low: to the neighbours' centres.
        back: y of the body's rear wall. taper: narrowing of the body to the front. wear: degeneration of the disc above
        and below, 0 to 1. scale: of the frame.
    """

    level: str
    index: int
    centre: F64
    turn: F64
    scale: float
    width_up: float
    width_low: float
    depth: float
    up: float
    low: float
    up_normal: F64
    low_normal: F64
    gap_up: float
    gap_low: float
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    transverse: float
    spinous: float
    spinous_drop: float
    taper: float
    wear: tuple[float, float]

    @property
    def height(self) -> float:
        return self.up + self.low

    @property
    def back(self) -> float:
        return 0.5 * self.depth

    @property
    def pedicle_z(self) -> float:
        """Height of the pedicles' axis above the body's centre: their upper rim is near the upper endplate."""
        return self.up - 0.5 * self.pedicle_height - (0.08 if self.level[0] != "C" else 0.2) * self.height

    def at(self, x: float, y: float, z: float) -> F64:
        """LPS of a local point."""
        return np.asarray(self.centre + self.turn @ np.array([x, y, z]), float)

    def all(self, points: ArrayLike) -> F64:
        """LPS of local points [K, 3]."""
        return np.asarray(self.centre + np.asarray(points, float) @ self.turn.T, float)

    def aim(self, x: float, y: float, z: float) -> F64:
        """A local direction in LPS."""
        return np.asarray(self.turn @ np.array([x, y, z]), float)


def vertebrae(build: Build) -> list[Vertebra]:
    """C2 to L5."""
    rng = build.rng("spine sizes")
    n = len(LEVELS)
    bulk, canal, process = rng.normal(1.0, 0.03), rng.normal(1.0, 0.05), rng.normal(1.0, 0.06)
    drawn = 1.0 + np.clip(rng.standard_normal((n, len(TABLES))), -2.0, 2.0) * 0.025
    points = np.array([build.vertebrae[level] for level in LEVELS])
    turns = [build.frame_at(level) for level in LEVELS]
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    gaps = np.concatenate([[gaps[0]], gaps, [40.0 * build.width]])
    wear = disc_wear(build)
    share = np.interp(np.arange(n + 1) - 1.0, _DISC_LEVELS, _DISC_SHARES)
    share *= (1.0 + 0.08 * np.clip(rng.standard_normal(n + 1), -2.0, 2.0)) * (1.0 - 0.5 * wear)
    share[-1] = 0.30
    taper = rng.uniform(0.12, 0.28)
    found = []
    for i, level in enumerate(LEVELS):
        size = {name: values[i] * build.width * drawn[i, k] for k, (name, values) in enumerate(TABLES.items())}
        for name in ("width_up", "width_low", "depth"):
            size[name] *= bulk
        for name in ("canal_width", "canal_depth"):
            size[name] *= canal
        for name in ("transverse", "spinous"):
            size[name] *= process
        size["spinous_drop"] *= float(np.clip(gaps[1:-1].mean() / 24.2 / build.width, 0.8, 1.2))
        up, low = (0.5 * gaps[i + j] * (1.0 - share[i + j]) for j in (0, 1))
        size["pedicle_height"] = min(size["pedicle_height"], 0.62 * (up + low))
        found.append(
            Vertebra(
                level, i, points[i], turns[i], build.width, up=up, low=low,
                up_normal=_endplate(turns, i, -1), low_normal=_endplate(turns, i, 1),
                gap_up=float(gaps[i]), gap_low=float(gaps[i + 1]),
                taper=taper * float(np.interp(i, [6, 9, 14, 18], [0.3, 1.0, 0.6, 0.0])) if i > 5 else 0.0,
                wear=(float(wear[i]), float(wear[i + 1])), **size,
            )
        )  # fmt: skip
    return found


def disc_wear(build: Build) -> F64:
    """Degeneration (0 to 1) of the discs above C2 (none: 0), below C2, ... and below L5 [24]; most at C5-C7, L4-S1."""
    rng = build.rng("disc wear")
    n = len(LEVELS)
    at = np.arange(n + 1) - 1.0
    stress = np.interp(at, [0, 3, 5, 6, 11, 15, 20, 22], [0.4, 1.2, 0.9, 0.5, 0.8, 0.6, 1.2, 1.5])
    age = np.clip((build.person.age_years - 28.0) / 55.0, 0.0, 1.0)
    wear = np.clip(stress * age * rng.gamma(1.6, 0.3, n + 1), 0.0, 1.0)
    wear[0] = 0.0
    return np.asarray(wear)


def _endplate(turns: list[F64], i: int, step: int) -> F64:
    """Outward normal of an endplate: between the vertebra's own axis and that of the disc, which is flatter in the
    thorax; L5's lower one leans towards the sacrum."""
    own = turns[i][:, 2]
    j = i + step
    share = 0.75 if 6 <= i <= 17 else 0.5
    if j >= len(turns):
        return -unit(own - 0.21 * turns[i][:, 1])
    other = turns[j][:, 2] if j >= 0 else own
    return -float(step) * unit(own + 0.5 * share * (other - own))
