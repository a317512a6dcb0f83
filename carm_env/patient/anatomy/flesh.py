"""Skin, fat, muscles and the fat of the abdominal cavity: the body that bones and organs are painted into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import domes, flesh_muscles, limbs_flesh, limbs_pose
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.flesh_outline import ANGLES, Outline, draw_outline, limb_fat
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, ellipsoid, frame, loft
from carm_env.patient.anatomy.texture import FRACTAL, RIDGED

F64 = NDArray[np.float64]
SKIN_MM = 2.0
THIGH_BELOW_MM = 230.0
"""How far below the symphysis the thighs are drawn."""


def parts(build: Build) -> list[Part]:
    """Skin, fat, breasts, muscles and peritoneal fat, from outside in."""
    outline = draw_outline(build)
    arms = limbs_pose.arms(build, outline)
    thighs = [_thigh(build, outline, side) for side in (-1.0, 1.0)]
    limbs = [limbs_flesh.arm_flesh(build, arm, limb_fat(build, outline.fat)) for arm in arms]
    mounds = _breasts(build, outline)
    skin = [outline.shape(outline.skin), *(t[0].blended(14.0) for t in thighs)]
    skin += [m.blended(24.0) for m in mounds] + [s for limb in limbs for s in limb.skin]
    muscle = [outline.shape(outline.muscle), *(t[1].blended(8.0) for t in thighs)]
    muscle += [s for limb in limbs for s in limb.muscle]
    age = build.person.age_years
    hu = 58.0 - 0.16 * max(0.0, age - 30.0)
    flesh = Grain(7.0 + 0.16 * max(0.0, age - 30.0), 1.6, FRACTAL)
    septa = Grain(9.0, build.style.between("fat_marbling", 2.0, 4.5), RIDGED)
    return [
        Part("skin", tuple(skin), 30.0, SKIN_MM, -102.0, grain=septa, core_label="fat", coarse=True),
        *_glands(build, mounds),
        Part("muscle", tuple(muscle), hu, grain=flesh, coarse=True),
        _cavity(build, outline),
        *flesh_muscles.parts(build, outline, hu, flesh, septa),
    ]


def _thigh(build: Build, outline: Outline, side: float) -> tuple[Shape, Shape]:
    """Skin and muscle of a thigh from the hip to below the cut."""
    w, hip, low = build.width, build.hip, build.symphysis[2]
    male = build.person.sex == "M"
    fat = limb_fat(build, outline.fat)
    brawn = (1.06 if male else 0.98) * outline.girth
    z = np.array([hip[2] + 30.0, low - 20.0, low - 80.0, low - THIGH_BELOW_MM])
    radius = np.array([64.0, 82.0, 81.0, 71.0]) * w * brawn
    squash = np.array([1.05, 1.06, 1.04, 1.0])
    levels = np.linspace(z[-1], z[0], 24)
    r, k = (np.interp(levels, z[::-1], v[::-1]) for v in (radius, squash))
    inner = np.interp(levels, z[::-1], [7.0, 5.0, 2.5, 2.0])
    spread = 0.32 * fat * np.interp(levels, z[::-1], [0.3, 0.3, 0.9, 1.0])
    x = side * (r + inner + spread)
    y = hip[1] + np.interp(levels, z[::-1], [-16.0, -8.0, -4.0, 0.0])
    c, s = np.cos(ANGLES)[None], np.sin(ANGLES)[None]
    muscle = r[:, None] / np.hypot(c / 1.0, s / k[:, None])
    medial, lateral = np.clip(-side * c, 0.0, 1.0), np.clip(side * c, 0.0, 1.0)
    thick = fat * (
        1.0
        - 0.35 * medial
        + (0.25 if male else 0.55) * lateral * np.interp(levels, z[::-1], [1.2, 1.2, 1.0, 0.6])[:, None]
    )
    skin = muscle + 2.0 + thick * np.interp(levels, z[::-1], [0.7, 1.0, 1.0, 0.85])[:, None]
    turn = outline.centre[:, 0] * side
    hips = [
        np.interp(hip[2], outline.z, turn + r[:, 0 if side > 0 else len(ANGLES) // 2])
        for r in (outline.skin, outline.muscle)
    ]
    own = [abs(x) + v[:, 0 if side > 0 else len(ANGLES) // 2] for v in (skin, muscle)]
    near = np.interp(levels, [z[-1], low - 110.0, low - 5.0], [0.0, 0.45, 1.0])
    skin = skin + (near * (hips[0] - own[0]))[:, None] * lateral**1.5
    muscle = muscle + (near * (hips[1] - own[1]))[:, None] * lateral**1.5
    bone = hip[0] + (67.0 - 0.16 * np.maximum(0.0, hip[2] - 20.0 - levels)) * w
    lean = np.maximum(0.0, bone + 5.0 - np.abs(x) - skin[:, 0 if side > 0 else len(ANGLES) // 2])
    skin = skin + lean[:, None] * lateral**0.7
    floor = (outline.back - 1.0 - y[:, None]) / np.maximum(s, 1e-3)
    skin = np.where(s > 0.05, np.maximum(np.minimum(skin, floor), muscle + 3.0), skin)
    wall = np.maximum(0.6, np.abs(x)[:, None]) / np.maximum(medial, 1e-3)
    skin, muscle = np.minimum(skin, wall), np.minimum(muscle, wall - 2.0)
    centre = np.stack([x, y], axis=1)
    return tuple(loft([0.0, 0.0, 0.0], None, levels[0], levels[-1], centre, v) for v in (skin, muscle))  # type: ignore[return-value]


def _breasts(build: Build, outline: Outline) -> list[Shape]:
    """Mounds on the chest: in women flattened by lying and fallen to the side; slight ones in heavy men."""
    rng = build.rng("breasts")
    size, spread, lift, apart = np.clip(rng.normal(size=4), -1.8, 1.8)
    bmi, age = build.person.bmi, build.person.age_years
    scale = 0.86 + 0.016 * (bmi - 22.0) + 0.1 * size
    if build.person.sex == "M":
        if bmi < 29.0:
            return []
        scale = 0.5 + 0.012 * (bmi - 29.0) + 0.05 * size
    thick = float(np.clip(34.0 * scale**1.4, 8.0, 75.0))
    mounds = []
    for side in (-1.0, 1.0):
        z = build.z("T6") - 6.0 + 10.0 * lift - 0.25 * max(0.0, age - 40.0) + side * 2.0 * apart
        turn = -np.radians(55.0 - 6.0 * spread - 0.15 * (age - 40.0) - 6.0 * (scale - 1.0))
        angle = turn if side > 0 else np.pi - turn
        root = outline.surface(z, angle, outline.skin)
        out = np.array([np.cos(angle), np.sin(angle), -0.05])
        axes = frame(out, [0.0, 0.0, 1.0])
        semi = np.array([66.0, 74.0, 0.0]) * (0.45 + 0.55 * scale) * build.width
        semi[2] = thick
        mounds.append(ellipsoid(root - 6.0 * out, np.minimum(semi, 110.0), axes))
    return mounds


def _glands(build: Build, mounds: list[Shape]) -> list[Part]:
    """What the breasts hold: gland and fat, the gland fading with age."""
    if not mounds:
        return []
    if build.person.sex == "M":
        return []
    rng = build.rng("glands")
    dense = float(np.clip(0.75 - 0.009 * (build.person.age_years - 25.0) + rng.normal(0.0, 0.18), 0.05, 0.9))
    grain = Grain(14.0 + 46.0 * dense, build.style.between("fat_marbling", 1.6, 3.2), FRACTAL)
    return [tissue("breast", mounds, -98.0 + 100.0 * dense, 7.0, grain)]


def _cavity(build: Build, outline: Outline) -> Part:
    """Fat of the peritoneal and retroperitoneal space, from the diaphragm to the pelvic floor."""
    male = build.person.sex == "M"
    shape = flesh_muscles.cavity(build, outline)
    lean = np.clip((25.0 - build.person.bmi) / 8.0, 0.0, 1.0) * (0.5 if male else 1.0)
    grain = Grain(30.0, 2.2, FRACTAL)
    return tissue(
        "peritoneum", [shape, domes.surface(build).keep()], -82.0 + 45.0 * float(lean), grain=grain, coarse=True
    )
