"""Who the phantom is: demographics, proportions and the pose of spine and head, drawn from one generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]
LEVELS = tuple([f"C{i}" for i in range(2, 8)] + [f"T{i}" for i in range(1, 13)] + [f"L{i}" for i in range(1, 6)])
_CERVICAL = [17.0, 16.0, 16.0, 16.0, 17.0, 18.0]
_THORACIC = list(np.linspace(19.0, 28.5, 11))
_LUMBAR = [32.5, 32.5, 33.5, 35.0, 38.0]
_CURVE_LEVELS = ["C2", "C4", "C7", "T1", "T3", "T5", "T8", "T12", "L1", "L3", "L5"]
_CURVE_Y = [-16.0, -10.0, 12.0, 24.0, 46.0, 64.0, 74.0, 70.0, 65.0, 58.0, 63.0]
_KYPHOSIS = [0.0, 0.0, 0.0, 0.0, 3.0, 8.0, 10.0, 2.0, 0.0, 0.0, 0.0]
_LORDOSIS = [0.0, -3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -3.0, -9.0, 0.0]


@dataclass(frozen=True)
class Build:
    """One person, supine, LPS mm; lengths are bone lengths, ``vertebrae`` maps C2..L5 to body centres [3].

    Attributes:
        width, chest, head_scale: scales of frame, rib cage and head against a person of 1.70 m.
        fat_mm: subcutaneous fat of the trunk.
        girth: scale of the muscles' outline for the body mass index.
        tangent_deg: tilt of each vertebra about x. head_turn: rotation [3, 3] of the head against the torso.
        dens: tip of the odontoid process, where the head turns. symphysis, hip: the pelvis' anchors (hip: left).
    """

    sex: Literal["F", "M"]
    age_years: float
    height_mm: float
    weight_kg: float
    arms: Literal["raised", "at the sides"]
    width: float
    chest: float
    head_scale: float
    fat_mm: float
    girth: float
    vertebrae: dict[str, F64]
    tangent_deg: dict[str, float]
    head_turn: F64
    dens: F64
    symphysis: F64
    hip: F64
    texture: F64

    def head(self, point: ArrayLike) -> F64:
        """LPS of a point (or [K, 3]) of the head: origin amid the intracranial space, Frankfurt plane level."""
        local = (np.asarray(point, float) - [0.0, 12.0, -74.0]) * self.head_scale
        return self.dens + local @ self.head_turn.T

    def z(self, level: str) -> float:
        return float(self.vertebrae[level][2])

    def y(self, level: str) -> float:
        return float(self.vertebrae[level][1])


def draw_build(rng: np.random.Generator) -> Build:
    """Draws a person.

    Height and body mass index are rounded from the US adult survey NHANES 2015-2018 (Fryar et al. 2021, Vital Health
    Stat 3(46): men 175 cm, women 161 cm; BMI about 29); ages 20-90 uniform. Trunk length given height and sex keeps a
    standard deviation of about 21 mm, neck and head add theirs: knowing the height does not tell where the head is.
    """
    sex: Literal["F", "M"] = "F" if rng.random() < 0.5 else "M"
    age = float(np.round(rng.uniform(20.0, 90.0)))
    height = float(np.clip(rng.normal(1753.0, 74.0) if sex == "M" else rng.normal(1613.0, 69.0), 1400.0, 2050.0))
    bmi = float(np.clip(27.5 * np.exp(0.19 * rng.standard_normal()), 17.5, 42.0))
    fat = float(np.clip(5.0 + 1.8 * (bmi - 19.0) + (4.0 if sex == "F" else 0.0) + rng.normal(0.0, 3.0), 4.0, 60.0))
    width = (height / 1700.0) ** 0.8 * (1.02 if sex == "M" else 0.98) * rng.normal(1.0, 0.03)
    chest = width * (1.03 if sex == "M" else 0.95) * rng.normal(1.0, 0.03) * (1.0 + 0.006 * (bmi - 27.0))
    head_scale = (1.02 if sex == "M" else 0.96) * float(np.clip(rng.normal(1.0, 0.025), 0.93, 1.08))
    girth = float(np.clip(1.0 + 0.011 * (bmi - 25.0), 0.9, 1.12))
    trunk = height * ((0.338 if sex == "M" else 0.346) + rng.normal(0.0, 0.0125))
    neck = float(np.clip(rng.normal(1.0, 0.07), 0.82, 1.2)) * np.sqrt(height / 1700.0)
    vertebrae, tangent = _spine(rng, trunk, neck, width)
    turn = _turn(rng.normal(7.0, 6.0), rng.normal(0.0, 4.0), rng.normal(0.0, 7.0))
    dens = vertebrae["C2"] + np.array([0.0, -1.0, 19.0 * head_scale])
    low, hip_half = vertebrae["L5"], (86.0 if sex == "F" else 84.0) * width
    symphysis = np.array([0.0, low[1] - 68.0 * width, -trunk])
    hip = np.array([hip_half, low[1] - 8.0, symphysis[2] + 22.0 * width])
    arms: Literal["raised", "at the sides"] = "raised" if rng.random() < 0.3 else "at the sides"
    weight = round(bmi * (height / 1000.0) ** 2, 1)
    return Build(
        sex, age, height, weight, arms, float(width), float(chest), head_scale, fat, girth,
        vertebrae, tangent, turn, dens, symphysis, hip, rng.random(64),
    )  # fmt: skip


def _spine(
    rng: np.random.Generator, trunk: float, neck: float, width: float
) -> tuple[dict[str, F64], dict[str, float]]:
    """Body centres and tilts; T1 at z = 0, the symphysis at -trunk, split into thorax, lumbar spine and pelvis."""
    from scipy.interpolate import CubicSpline

    parts = np.array([262.0, 171.5, 153.0]) * (1.0 + rng.normal(0.0, 0.025, 3))
    parts *= trunk / parts.sum()
    gaps = [
        *(np.array(_CERVICAL) * neck * 0.85),
        *(np.array(_THORACIC) * parts[0] / np.sum(_THORACIC)),
        *(np.array(_LUMBAR) * parts[1] / np.sum(_LUMBAR)),
    ]
    z = np.concatenate([[0.0], -np.cumsum(gaps)])
    z -= z[LEVELS.index("T1")]
    at = [LEVELS.index(name) for name in _CURVE_LEVELS]
    bends = np.array(_CURVE_Y) + np.array(_KYPHOSIS) * rng.normal(0.3, 0.6) + np.array(_LORDOSIS) * rng.normal(0.3, 0.5)
    knots = z[at][::-1]
    y = CubicSpline(knots, 60.0 + (bends[::-1] - 60.0) * width)
    x = CubicSpline(knots, rng.normal(0.0, 1.5, len(at)))
    tilt = np.degrees(np.arctan(-y(z, 1)))
    points = np.stack([x(z), y(z), z], axis=1)
    return dict(zip(LEVELS, points, strict=True)), dict(zip(LEVELS, map(float, tilt), strict=True))


def _turn(flexion_deg: float, tilt_deg: float, rotation_deg: float) -> F64:
    """Rotation of the head: chin down, towards a shoulder, face to a side."""
    (cf, ct, cr), (sf, st, sr) = (f(np.radians([flexion_deg, tilt_deg, rotation_deg])) for f in (np.cos, np.sin))
    flex = np.array([[1, 0, 0], [0, cf, -sf], [0, sf, cf]])
    lean = np.array([[ct, 0, st], [0, 1, 0], [-st, 0, ct]])
    face = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return flex @ lean @ face
