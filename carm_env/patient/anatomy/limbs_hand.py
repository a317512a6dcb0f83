"""The skeleton of the hand: eight carpal bones, five rays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.limbs_pose import Arm
from carm_env.patient.anatomy.shapes import Shape, capsule, ellipsoid, unit

F64 = NDArray[np.float64]
Ray = list[tuple[F64, F64]]
_HAND_MM = 185.0
"""Length of the hand that the tables below are drawn for."""
_BASE = np.array([[26.0, 6.0], [11.0, 14.0], [1.5, 14.0], [-8.0, 13.0], [-16.5, 10.0]])
"""Towards the thumb and the finger tips from the capitate's centre: bases of the metacarpals (mm)."""
_SPREAD_DEG = np.array([38.0, 7.0, 0.0, -7.0, -14.0])
_BONES = (
    (46.0, 32.0, 23.0),
    (67.0, 41.0, 24.0, 19.0),
    (65.0, 45.0, 28.0, 19.0),
    (58.0, 42.0, 27.0, 19.0),
    (54.0, 33.0, 19.0, 17.0),
)
"""Metacarpal and phalanges of thumb to little finger (mm; estimate)."""
_CARPALS = (
    (0.0, 0.0, 9.5, 11.0), (12.0, -8.0, 8.0, 11.0), (1.0, -14.5, 8.5, 8.0), (-12.0, -11.0, 7.5, 8.0),
    (-14.0, -5.0, 5.0, 6.5), (-11.5, 3.0, 8.0, 9.0), (10.5, 5.5, 6.5, 8.0), (20.0, 0.0, 8.0, 7.5),
)  # fmt: skip
"""Capitate, scaphoid, lunate, triquetrum, pisiform, hamate, trapezoid, trapezium: towards the thumb, towards the finger
tips, half width and half length (mm; estimate)."""


def scale(build: Build) -> float:
    """Of the hand against ``_HAND_MM``."""
    return 0.108 * build.person.height_mm * build.style.between("limb_length", 0.96, 1.04) / _HAND_MM


def rays(build: Build, a: Arm) -> list[Ray]:
    """Ends of metacarpal and phalanges, ray by ray from the thumb; fingers slightly bent."""
    along, palm = unit(a.fingers - a.wrist), palm_side(a)
    k = scale(build)
    curl = np.radians(build.rng(f"hand {a.side}").uniform([8.0, 4.0], [26.0, 18.0]))
    out = []
    for i, bones in enumerate(_BONES):
        turn = np.radians(_SPREAD_DEG[i])
        way = np.cos(turn) * along + np.sin(turn) * a.thumb + (0.45 * palm if i == 0 else 0.06 * palm)
        way = unit(way)
        at = a.wrist + k * (_BASE[i, 0] * a.thumb + _BASE[i, 1] * along) + (6.0 * k * palm if i == 0 else 0.0)
        ray: Ray = []
        for n, length in enumerate(bones):
            ray.append((at, at + k * length * way))
            at = at + (k * length + 1.6) * way
            bend = curl[0] if n == 0 else curl[1]
            way = unit(np.cos(bend) * way + np.sin(bend) * palm)
        out.append(ray)
    return out


def palm_side(a: Arm) -> F64:
    """Unit vector from the back of the hand to the palm."""
    along = unit(a.fingers - a.wrist)
    return unit(np.cross(along, a.thumb)) * -a.side


def carpals(build: Build, a: Arm) -> list[Shape]:
    """The carpal bones; the capitate's centre is ``a.wrist``."""
    along, palm, k = unit(a.fingers - a.wrist), palm_side(a), scale(build)
    axes = np.stack([a.thumb, palm, along], axis=1)
    shapes = []
    for i, (x, z, half, long) in enumerate(_CARPALS):
        lift = 7.0 if i == 4 else 2.5 * abs(x) / 16.0
        centre = a.wrist + k * (x * a.thumb + z * along + lift * palm)
        shapes.append(ellipsoid(centre, 0.9 * k * np.array([half, 8.0 if i != 4 else 5.0, long]), axes))
    return shapes


def long_bones(build: Build, a: Arm) -> list[Shape]:
    """Metacarpals and phalanges: a waisted shaft between two wider ends."""
    k, shapes = scale(build), []
    for i, ray in enumerate(rays(build, a)):
        for n, (start, end) in enumerate(ray):
            middle = 0.5 * (start + end)
            wide = k * ((7.6, 6.6, 5.4, 4.0) if i else (7.0, 5.8, 4.6, 4.0))[n] * (0.86 if i == 4 else 1.0)
            waist = 0.58 * wide
            way = unit(end - start)
            tip = 0.7 * wide if n == len(ray) - 1 else 0.92 * wide
            shapes += [
                capsule(start + wide * way, middle, wide, waist), capsule(middle, end - tip * way, waist, tip),
            ]  # fmt: skip
    return shapes
