"""The frame of one phantom: proportions, the pose of spine, head and arms, and its streams of chance."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy.population import Person, draw_person
from carm_env.patient.anatomy.shapes import rotation
from carm_env.patient.anatomy.style import Style, draw_style
from carm_env.patient.split import Split, split_of

F64 = NDArray[np.float64]
Arms = Literal["raised", "crossed", "at the sides"]
LEVELS = tuple([f"C{i}" for i in range(2, 8)] + [f"T{i}" for i in range(1, 13)] + [f"L{i}" for i in range(1, 6)])
_CERVICAL = [17.0, 16.0, 16.0, 16.0, 17.0, 18.0]
_THORACIC = list(np.linspace(19.0, 28.5, 11))
_LUMBAR = [32.5, 32.5, 33.5, 35.0, 38.0]
_CURVE_LEVELS = ["C2", "C4", "C7", "T1", "T3", "T5", "T8", "T12", "L1", "L3", "L5"]
_CURVE_Y = [-16.0, -10.0, 12.0, 24.0, 46.0, 64.0, 74.0, 70.0, 65.0, 58.0, 63.0]
_KYPHOSIS = [0.0, 0.0, 0.0, 0.0, 3.0, 8.0, 10.0, 2.0, 0.0, 0.0, 0.0]
_LORDOSIS = [0.0, -3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -3.0, -9.0, 0.0]
_STREAM = 0x50484E544F4D


@dataclass(frozen=True, eq=False)
class Build:
    """One person, supine, LPS mm; T1 at z = 0; ``vertebrae`` maps C2..L5 to body centres [3].

    Attributes:
        width, chest, pelvis, head_scale: scales of frame, rib cage, pelvis and head against a person of 1.70 m.
        chest_depth: further scale of the rib cage from front to back.
        fat_mm: subcutaneous fat of the trunk. girth: scale of the muscles' outline for the body mass index.
        tangent_deg: tilt of each vertebra about x; lean_deg: about y (scoliosis).
        head_turn: rotation [3, 3] of the head against the torso.
        dens: tip of the odontoid process, where the head turns. symphysis, hip: the pelvis' anchors (hip: left).
        bone: density of trabecular bone against that at 30 years. style: see ``anatomy.style``.
    """

    seed: int
    split: Split
    person: Person
    style: Style
    arms: Arms
    width: float
    chest: float
    chest_depth: float
    pelvis: float
    head_scale: float
    fat_mm: float
    girth: float
    bone: float
    vertebrae: dict[str, F64]
    tangent_deg: dict[str, float]
    lean_deg: dict[str, float]
    head_turn: F64
    dens: F64
    symphysis: F64
    hip: F64

    def rng(self, name: str) -> np.random.Generator:
        """A stream of chance of its own for a named part of the body; the same on every call."""
        return _stream(self.seed, name)

    def head(self, point: ArrayLike) -> F64:
        """LPS of a point (or [K, 3]) of the head: origin amid the intracranial space, Frankfurt plane level."""
        local = (np.asarray(point, float) - [0.0, 12.0, -74.0]) * self.head_scale
        return self.dens + local @ self.head_turn.T

    def z(self, level: str) -> float:
        return float(self.vertebrae[level][2])

    def y(self, level: str) -> float:
        return float(self.vertebrae[level][1])

    def frame_at(self, level: str) -> F64:
        """Axes [3, 3] of a vertebra (columns: its left, back and up)."""
        return rotation(x_deg=self.tangent_deg[level], y_deg=self.lean_deg[level])

    def along(self, t: ArrayLike) -> F64:
        """Points of the vertebral centreline at T-levels (0: T1, 11: T12, 16: L5, -6: C2; fractions between)."""
        at = np.arange(len(LEVELS)) - LEVELS.index("T1")
        points = np.array([self.vertebrae[name] for name in LEVELS])
        where = np.asarray(t, float)
        return np.stack([np.interp(where, at, points[:, i]) for i in range(3)], axis=-1)


def draw_build(seed: int) -> Build:
    """Draws the person of a seed.

    Knowing height and sex does not tell where the head is. Erect sitting height of US adults has a standard deviation
    of 1.48 in (38 mm) at one of 2.85 in (men) and 2.58 in (women) of height (NCHS, Vital and Health Statistics 11(8),
    1965); at a correlation of 0.75 to 0.8 (estimate) 23 to 25 mm remain. Here the trunk keeps about 21 mm given height
    and sex, neck and head add theirs.
    """
    split = split_of(f"phantom:{seed}")
    person = draw_person(_stream(seed, "person"))
    style = draw_style(_stream(seed, "style"), split)
    rng = _stream(seed, "build")
    male, height, bmi = person.sex == "M", person.height_mm, person.bmi
    fat = float(np.clip(5.0 + 1.6 * (bmi - 19.0) + (0.0 if male else 4.0) + rng.normal(0.0, 3.0), 4.0, 60.0))
    width = float((height / 1700.0) ** 0.8 * (1.02 if male else 0.98) * rng.normal(1.0, 0.03))
    chest = float(width * (1.03 if male else 0.95) * rng.normal(1.0, 0.03) * (1.0 + 0.004 * (bmi - 27.0)))
    head_scale = (1.02 if male else 0.96) * float(np.clip(rng.normal(1.0, 0.025), 0.93, 1.08))
    girth = float(np.clip(1.0 + 0.011 * (bmi - 25.0), 0.9, 1.14))
    trunk = height * ((0.338 if male else 0.346) + rng.normal(0.0, 0.0125))
    neck = float(np.clip(rng.normal(1.0, 0.07), 0.82, 1.2)) * np.sqrt(height / 1700.0)
    vertebrae, tangent, lean = _spine(rng, person.age_years, trunk, neck, width)
    turn = _head_turn(rng.normal(5.0, 6.0), rng.normal(0.0, 4.0), rng.normal(0.0, 7.0))
    dens = vertebrae["C2"] + np.array([0.0, -1.0, 19.0 * head_scale])
    pelvis = width * style.between("pelvic_breadth", 0.95, 1.05)
    low, hip_half = vertebrae["L5"], (86.0 if not male else 84.0) * pelvis
    symphysis = np.array([0.0, low[1] - 68.0 * width, -trunk])
    hip = np.array([hip_half, low[1] - 8.0, symphysis[2] + 22.0 * width])
    arms: Arms = ("raised", "crossed", "at the sides")[int(rng.choice(3, p=[0.3, 0.3, 0.4]))]  # type: ignore[assignment]
    density = (1.0 if male else 1.02) - (0.006 if male else 0.0085) * max(0.0, person.age_years - 30.0)
    return Build(
        seed=seed, split=split, person=person, style=style, arms=arms, width=width, chest=chest,
        chest_depth=style.between("chest_depth", 0.92, 1.10), pelvis=pelvis, head_scale=head_scale, fat_mm=fat,
        girth=girth, bone=float(np.clip(density * rng.normal(1.0, 0.12), 0.3, 1.3)), vertebrae=vertebrae,
        tangent_deg=tangent, lean_deg=lean, head_turn=turn, dens=dens, symphysis=symphysis, hip=hip,
    )  # fmt: skip


def _spine(
    rng: np.random.Generator, age_years: float, trunk: float, neck: float, width: float
) -> tuple[dict[str, F64], dict[str, float], dict[str, float]]:
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
    stoop = rng.normal(0.2 + 0.012 * max(0.0, age_years - 50.0), 0.6)
    bends = np.array(_CURVE_Y) + np.array(_KYPHOSIS) * stoop + np.array(_LORDOSIS) * rng.normal(0.3, 0.5)
    knots = z[at][::-1]
    y = CubicSpline(knots, 60.0 + (bends[::-1] - 60.0) * width)
    x = CubicSpline(knots, rng.normal(0.0, 1.0, len(at)))
    swing, middle = rng.normal(0.0, 4.0), rng.uniform(-260.0, -100.0)
    sideways = x(z) + swing * np.exp(-(((z - middle) / 110.0) ** 2))
    slope = x(z, 1) - swing * 2.0 * (z - middle) / 110.0**2 * np.exp(-(((z - middle) / 110.0) ** 2))
    tilt, lean = np.degrees(np.arctan(-y(z, 1))), np.degrees(np.arctan(slope))
    points = np.stack([sideways, y(z), z], axis=1)
    points[:, 0] -= points[LEVELS.index("L5"), 0]
    named = [dict(zip(LEVELS, map(float, values), strict=True)) for values in (tilt, lean)]
    return dict(zip(LEVELS, points, strict=True)), named[0], named[1]


def _head_turn(flexion_deg: float, tilt_deg: float, rotation_deg: float) -> F64:
    """Rotation of the head: chin down, towards a shoulder, face to a side."""
    return rotation(flexion_deg, tilt_deg, rotation_deg)


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.Generator(
        np.random.Philox(key=np.array([seed, _STREAM ^ zlib.crc32(name.encode()) << 16], np.uint64))
    )
