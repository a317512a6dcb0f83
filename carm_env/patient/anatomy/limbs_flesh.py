"""Flesh of the arms: skin and muscle from the deltoid to the finger tips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.limbs_hand import rays
from carm_env.patient.anatomy.limbs_pose import Arm, girths
from carm_env.patient.anatomy.shapes import Shape, blended, capsule, chain, unit

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Flesh:
    """Shapes of one arm: outer skin, and muscle."""

    skin: list[Shape]
    muscle: list[Shape]


def arm_flesh(build: Build, a: Arm, fat: float) -> Flesh:
    """Deltoid, upper arm, forearm, hand; ``fat`` is the upper arm's subcutaneous fat (mm)."""
    upper, fore, wrist = girths(build)
    along = unit(a.elbow - a.shoulder)
    lateral = np.array([a.side, 0.0, 0.0]) - along * along[0] * a.side
    bulge = a.shoulder + 5.0 * lateral + 4.0 * along
    arm = [bulge, *(a.shoulder + (a.elbow - a.shoulder) * t for t in (0.3, 0.55, 0.85)), a.elbow]
    down = [a.elbow, *(a.elbow + (a.wrist - a.elbow) * t for t in (0.22, 0.55, 0.85)), a.wrist]
    r_arm = np.array([1.12, 1.04, 1.0, 0.86, 0.84]) * upper
    r_fore = np.array([0.9 * upper, fore * 1.02, 0.84 * fore, 1.06 * wrist, wrist])
    across = unit(np.cross(a.thumb, unit(a.fingers - a.wrist)))
    flat = np.array([1.0, 1.05, 1.1, 1.3, 1.3])
    muscle = blended(chain(arm, r_arm)[:1], 18.0) + chain(arm, r_arm)[1:]
    muscle += chain(down, r_fore - np.array([0, 0, 0, 4.0, 7.0]), across, flat)
    t_arm, t_fore = fat * np.array([0.75, 1.0, 1.0, 0.9, 0.7]) + 2.0, fat * np.array([0.7, 0.75, 0.6, 0.3, 0.1]) + 2.0
    skin = chain(arm, r_arm + t_arm)
    skin = blended(skin[:1], 20.0) + blended(skin[1:2], 14.0) + skin[2:]
    skin += blended(chain(down, r_fore + t_fore, across, flat), 6.0)
    root = a.shoulder + np.array([-62.0 * a.side, 10.0, -14.0]) * build.width
    top = a.shoulder + np.array([-14.0 * a.side, 8.0, 2.0]) * build.width
    muscle += [capsule(root, top, 37.0 * build.width, 40.0 * build.width).blended(10.0)]
    skin += [capsule(root, top, 41.0 * build.width + 0.5 * fat, 44.0 * build.width + 0.5 * fat).blended(16.0)]
    if build.arms == "raised":
        folds = _axillary_folds(build, a, upper)
        muscle += blended(folds, 12.0)
        skin += blended(_axillary_folds(build, a, upper, 0.8 * fat), 18.0)
    return Flesh(skin + _hand_skin(build, a, wrist), muscle + _hand_muscle(build, a))


def _axillary_folds(build: Build, a: Arm, radius: float, fat: float = 0.0) -> list[Shape]:
    """Pectoralis in front and latissimus behind, from the chest to the raised humerus."""
    z = build.z("T6")
    cx, cy, half, _ = (float(v) for v in cage.section(build, z))
    insertion = a.shoulder + 0.24 * (a.elbow - a.shoulder)
    shapes = []
    for y, out, size in ((-26.0, 4.0, 0.56), (34.0, 10.0, 0.64)):
        root = np.array([cx + a.side * (half + out), cy + y, z])
        shapes.append(capsule(root, insertion, size * radius + fat, 0.72 * radius + fat))
    return shapes


def _hand_skin(build: Build, a: Arm, wrist: float) -> list[Shape]:
    """Palm and fingers."""
    hand = rays(build, a)
    palm = [r[0] for r in hand]
    thick = 12.5 * build.width
    shapes = [capsule(a.wrist, 0.5 * (p[0] + p[1]), 0.9 * wrist if i else 0.75 * wrist, thick).blended(6.0)
              for i, p in enumerate(palm[1:], 1)]  # fmt: skip
    for i, ray in enumerate(hand):
        shapes += blended(chain([b[0] for b in ray] + [ray[-1][1]], (9.5 if i else 11.0) * build.width), 5.0)
    return shapes


def _hand_muscle(build: Build, a: Arm) -> list[Shape]:
    """Thenar and hypothenar."""
    hand = rays(build, a)
    (root, end), (little_root, little_end) = hand[0][0], hand[4][0]
    palm = unit(np.cross(unit(a.fingers - a.wrist), a.thumb)) * a.side
    return [
        capsule(root + 5.0 * palm, end + 4.0 * palm, 9.0, 7.0),
        capsule(little_root + 6.0 * palm, little_end + 4.0 * palm, 7.0, 5.0),
    ]
