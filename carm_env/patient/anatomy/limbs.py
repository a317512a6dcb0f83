"""Arms, at the sides or raised, and thighs: bones and the soft tissue around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import bone, capsule, chain, ellipsoid, vec
from carm_env.patient.anatomy.thorax import shoulder

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """Joints of one arm, LPS mm [3]."""

    side: float
    shoulder: F64
    elbow: F64
    wrist: F64
    fingers: F64


def arm(build: Build, side: float) -> Arm:
    """Humerus 0.186, forearm 0.146 and hand 0.108 of the height (Drillis and Contini 1966), posed."""
    upper, fore, hand = np.array([0.186, 0.146, 0.108]) * build.height_mm * [0.94, 1.0, 0.9]
    top = shoulder(build, side)
    if build.arms == "raised":
        to_elbow, to_wrist = [side * 0.12, -0.58, 0.80], [-side * 0.55, 0.30, 0.75]
        to_hand = [-side * 0.8, 0.0, 0.5]
    else:
        out = 0.14 + 0.0045 * build.fat_mm
        to_elbow, to_wrist, to_hand = [side * out, 0.10, -0.97], [side * 0.04, -0.10, -0.99], [0.0, -0.05, -1.0]
    elbow = top + upper * _unit(to_elbow)
    wrist = elbow + fore * _unit(to_wrist)
    return Arm(side, top, elbow, wrist, wrist + hand * _unit(to_hand))


def arm_bones(a: Arm) -> F64:
    """Rows of humerus, ulna, radius, carpus and hand; ``elbow`` and ``wrist`` lie inside bone."""
    across = _unit(np.cross(a.fingers - a.wrist, [0.0, 1.0, 0.0]))
    elbow_axis = _unit(np.cross(a.elbow - a.shoulder, [0.0, 1.0, 0.0]))
    shaft = a.shoulder + (a.elbow - a.shoulder) * 0.13
    low = a.shoulder + (a.elbow - a.shoulder) * 0.92
    condyles = capsule(a.elbow - 20 * elbow_axis, a.elbow + 20 * elbow_axis, 10.0)
    humerus = [
        capsule(a.shoulder, shaft, 20.0, 13.0),
        *chain([shaft, low], [12.0, 11.0]),
        capsule(low, a.elbow, 11.0, 12.0),
    ]
    fore = []
    for sign in (-1.0, 1.0):
        start, end = a.elbow + sign * 11 * elbow_axis, a.wrist + sign * 13 * across
        fore += [capsule(start, end, 7.5, 6.5), capsule(end + 0.1 * (start - end), end, 7.0, 10.0)]
    carpus = [ellipsoid(a.wrist, [20.0, 10.0, 16.0], np.stack([across, np.cross(_along(a), across), _along(a)], 1))]
    hand = [
        capsule(a.wrist + s * across, a.fingers + 1.9 * s * across - abs(s) * _along(a), 4.5, 3.5)
        for s in (-14.0, -5.0, 5.0, 14.0)
    ]
    return np.concatenate([
        bone(fore, 2.5, 200.0), bone(humerus, 3.5, 120.0), bone([ellipsoid(a.shoulder, [24.0] * 3), condyles], 1.5),
        bone(hand, 1.5), bone(carpus, 1.5, 400.0),
    ])  # fmt: skip


def _along(a: Arm) -> F64:
    return _unit(a.fingers - a.wrist)


def arm_flesh(build: Build, a: Arm) -> tuple[list[F64], list[F64]]:
    """Shapes of skin and muscle of one arm."""
    fat = 3.0 + 0.25 * build.fat_mm
    m = build.width * build.girth
    root = build.vertebrae["C7"] + vec(a.side * 34.0, 12.0, 0.0)
    muscle = [
        capsule(a.shoulder, a.shoulder + 0.3 * (a.elbow - a.shoulder), 44.0 * m, 40.0 * m),
        capsule(a.shoulder + 0.3 * (a.elbow - a.shoulder), a.elbow, 40.0 * m, 33.0 * m),
        capsule(a.elbow, a.wrist, 36.0 * m, 24.0 * m),
        capsule(a.wrist, a.fingers, 22.0, 16.0),
        capsule(root, a.shoulder + vec(-a.side * 10.0, 10.0, 2.0), 26.0, 34.0),
    ]
    grow = np.array([fat, fat, 0.7 * fat, 2.0, 0.6 * fat])
    return [_grown(shape, float(g)) for shape, g in zip(muscle, grow, strict=True)], muscle


def femur_bones(build: Build, side: float, bottom: float) -> F64:
    """Rows of one femur, from its head down to below ``bottom`` (z)."""
    hip = build.hip * [side, 1.0, 1.0]
    k = build.width
    trochanter = hip + np.array([side * 56.0, 10.0, -8.0]) * k
    neck = hip + np.array([side * 44.0, 6.0, -26.0]) * k
    lesser = hip + np.array([side * 38.0, 18.0, -58.0]) * k
    below = np.array([side * 0.72 * abs(neck[0]), neck[1] - 14.0, bottom - 30.0])
    shaft = [*chain([neck, neck + 0.25 * (below - neck), below], [19.0 * k, 14.5 * k, 13.5 * k])]
    proximal = [
        capsule(hip, neck, 15.0 * k, 17.0 * k),
        capsule(trochanter, neck, 14.0 * k, 17.0 * k),
        capsule(lesser, neck + vec(0, 0, -20.0), 7.0, 12.0),
    ]
    head = bone([ellipsoid(hip, [24.0 * k] * 3)], 1.5, 350.0)
    return np.concatenate([bone(shaft, 5.5, 60.0), bone(proximal, 2.0, 280.0), head])


def thigh_flesh(build: Build, side: float, bottom: float) -> tuple[list[F64], list[F64]]:
    """Shapes of skin and muscle of one thigh."""
    hip = build.hip * [side, 1.0, 1.0]
    k, fat = build.width * build.girth, 5.0 + 0.6 * build.fat_mm
    top = np.array([side * 88.0 * k, hip[1] - 26.0, hip[2] - 40.0])
    below = np.array([side * 92.0 * k, hip[1] - 20.0, bottom - 60.0])
    muscle = [capsule(top, below, 80.0 * k, 68.0 * k)]
    return [_grown(muscle[0], fat)], muscle


def _grown(shape: F64, by_mm: float) -> F64:
    grown = shape.copy()
    grown[3:6] -= by_mm
    grown[6:9] += by_mm
    grown[15:17] += by_mm
    return grown


def _unit(vector: object) -> F64:
    v = np.asarray(vector, float)
    return v / np.linalg.norm(v)
