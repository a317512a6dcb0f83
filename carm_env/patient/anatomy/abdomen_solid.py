"""Solid organs of the abdomen: liver, gallbladder, spleen, pancreas and kidneys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.abdomen_cavity import INSIDE, Cavity, drawn_by, smooth_max, volume_ml
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.chest_plan import BLOOD_HU
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import balloon, blended, capsule, chain, ellipsoid, rotation, spline, vec
from carm_env.patient.anatomy.texture import FRACTAL

F64 = NDArray[np.float64]
_UNDER_U = [-1.0, -0.8, -0.5, -0.2, 0.1, 0.4, 0.7, 1.0]
_UNDER = np.array([0.0, 0.02, 0.17, 0.36, 0.54, 0.74, 1.05, 1.5])
"""Height of the liver's lower face between its right tip (0) and the dome (1), from the right wall to the left."""


def grain(build: Build, scale: float = 1.0) -> Grain:
    """Texture of parenchyma."""
    return Grain(scale * build.style.between("organ_grain", 3.0, 11.0), 2.5, FRACTAL)


def solid_parts(build: Build, cavity: Cavity) -> list[Part]:
    """Kidneys, liver, gallbladder, spleen and pancreas; each leaves room for those before it."""
    return [
        *_kidney(build, cavity, -1.0),
        *_kidney(build, cavity, 1.0),
        *_liver(build, cavity),
        *_spleen(build, cavity),
        _pancreas(build, cavity),
    ]


def _liver(build: Build, cavity: Cavity) -> list[Part]:
    rng = build.rng("liver")
    bmi, top = build.person.bmi, cavity.tops[0]
    size = 1580.0 * (build.person.height_mm / 1700.0) ** 2 * (1.0 + 0.012 * (bmi - 26.0)) * rng.uniform(0.86, 1.24)
    hu = float(np.clip(rng.normal(58.0 - 0.7 * max(0.0, bmi - 27.0), 7.0), 15.0, 68.0))
    fatty, low = rng.random() < 0.12, rng.uniform(5.0, 40.0)
    hu = (low if fatty else hu) + 25.0 * cavity.uptake
    field = _liver_field(build, cavity, rng, top)
    centre = cavity.at(-0.5, 0.0, top[2] - 48.0)
    least, most = -70.0, 70.0
    for _ in range(5):
        rise = 0.5 * (least + most)
        if volume_ml(lambda p, rise=rise: field(p, rise), centre, 250.0) > size:  # type: ignore[misc]
            least = rise
        else:
            most = rise
    shape = drawn_by(lambda p: field(p, rise), centre, 250.0, 28)
    parts = [tissue("liver", [shape, cavity.roof], hu, grain=grain(build), over=INSIDE)]
    veins = _liver_vessels(rng, centre, cavity, top[2])
    parts.append(tissue("liver", veins, max(BLOOD_HU, 0.5 * cavity.blood_hu), over=("liver",)))
    return parts + _gallbladder(build, cavity, build.z("L1") + 4.0 + 0.7 * rise)


def _liver_field(build: Build, cavity: Cavity, rng: np.random.Generator, top: F64) -> Callable[[F64, float], F64]:
    """About the distance (mm) from the liver's surface; the second argument lifts its lower face."""
    tip = build.z("L2") + rng.normal(-6.0, 10.0)
    reach_left, dip, angle = rng.uniform(-0.1, 0.22), rng.uniform(-0.04, 0.06), rng.uniform(-0.04, 0.14)
    cx, _, a, _ = (float(v) for v in cavity.section(top[2] - 60.0))
    right, span = cx - a, 236.0 * build.chest
    front, sway = -128.0 * build.chest - rng.uniform(0.0, 20.0), rng.uniform(0.0, 6.3)

    def field(p: F64, rise: float) -> F64:
        wall, _ = cavity.rho(p)
        x, y = cavity.from_spine(p)
        u = 2.0 * (p[..., 0] - right) / span - 1.0
        v = y / (75.0 * build.width) + 0.55
        u = u + 0.09 * np.sin(2.2 * v + sway) + 0.05 * np.sin(5.0 * v + 2.0 * sway) + 0.06 * v * v
        kidney = 0.26 * np.exp(-(((u + 0.42) / 0.24) ** 2) - ((v - 0.6) / 0.45) ** 2)
        under = (
            np.interp(u - reach_left + 0.003 * rise, _UNDER_U, _UNDER)
            + kidney
            + dip * np.sin(4.0 * u + 1.0)
            - angle * v
        )
        bed = 0.85 * (tip + rise + (top[2] - tip) * under - p[..., 2])
        left_back = np.minimum(x + 8.0, y + 62.0 - 0.3 * np.maximum(x, 0.0))
        spine = 42.0 - np.hypot(x, y - 4.0)
        ahead = front + 0.4 * max(rise, 0.0) - y
        return smooth_max([wall + 2.0, 0.8 * cavity.above_dome(p) + 3.0, bed, left_back, spine, ahead], 5.0)

    return field


def _liver_vessels(rng: np.random.Generator, centre: F64, cavity: Cavity, top: float) -> list:  # type: ignore[type-arg]
    """Hepatic and portal veins: a few branching tubes."""
    root = cavity.at(-0.12, 0.3, top - 22.0)
    porta = cavity.at(-0.15, 0.05, top - 75.0)
    tubes = []
    for start, length in ((root, 75.0), (porta, 70.0)):
        for turn in (-0.5, 0.1, 0.7):
            out = vec(-np.cos(turn + rng.normal(0, 0.15)), -np.sin(turn) - 0.1, rng.normal(-0.1, 0.25))
            tubes += chain(
                [start, start + 0.5 * length * out, start + length * (out + rng.normal(0, 0.1, 3))], [5.0, 3.5, 1.5]
            )
    return tubes


def _gallbladder(build: Build, cavity: Cavity, z: float) -> list[Part]:
    """The gallbladder in its bed, with or without stones; or the clips of its removal."""
    rng = build.rng("gallbladder")
    fate, size, hu = rng.random(), rng.uniform(11.0, 19.0), rng.uniform(2.0, 16.0)
    stones = rng.uniform(-0.6, 0.6, (6, 2))
    at = cavity.at(-0.45 + rng.normal(0.0, 0.05), -0.35, z + rng.normal(0.0, 6.0))
    if fate < 0.14:
        clips = [
            capsule(at + q, at + q + vec(3.0, 1.0, 5.0), 0.9) for q in np.c_[stones[:3] * 14.0, stones[3:, 0] * 14.0]
        ]
        return [tissue("device", clips, 2600.0, rigid=True, over=(*INSIDE, "liver", "bowel"))]
    fundus, neck = at + vec(-4.0, -1.4 * size, -1.2 * size), at + vec(8.0, 1.2 * size, 1.4 * size)
    bag = blended(chain([neck, at, fundus], [0.35 * size, 0.85 * size, size]), 6.0)
    parts = [tissue("liver", bag, hu, grain=grain(build, 0.5), over=(*INSIDE, "liver"))]
    if fate > 0.93:
        floor = [fundus + vec(size * s[0], 0.6 * size, size * s[1] * 0.8) for s in stones]
        rings = [ellipsoid(q, [2.6, 2.6, 2.6]) for q in floor]
        parts.append(tissue("liver", rings, rng.uniform(120.0, 500.0)))
    return parts


def _spleen(build: Build, cavity: Cavity) -> list[Part]:
    """A lens on the inside of the left back wall, along the tenth rib."""
    rng = build.rng("spleen")
    length, breadth, thick = rng.uniform(54.0, 68.0), rng.uniform(38.0, 47.0), rng.uniform(50.0, 62.0)
    size = float(np.clip(rng.normal(1.07, 0.09), 0.9, 1.3)) * build.width
    turn, slope, waist = rng.normal(0.78, 0.06), np.radians(rng.uniform(25.0, 50.0)), rng.uniform(0.0, 0.25)
    z = cavity.tops[1][2] - rng.uniform(52.0, 68.0)
    centre = _at_wall(cavity, turn, z, 0.45 * thick)
    z = min(z, z - float(cavity.above_dome(centre)) - 0.5 * breadth)
    centre = _at_wall(cavity, turn, z, 0.45 * thick)
    _, _, a, b = cavity.section(z)
    arc_mm = float(0.5 * (a + b))

    def field(p: F64) -> F64:
        wall, angle = cavity.rho(p)
        round_ = (angle - turn) * arc_mm
        along = np.cos(slope) * round_ + np.sin(slope) * (p[..., 2] - z)
        across = np.sin(slope) * round_ - np.cos(slope) * (p[..., 2] - z)
        q = (along / (length * size)) ** 2 + (across / (breadth * size)) ** 2
        dent = waist * np.exp(-(((along - 5.0) / 14.0) ** 2))
        lens = ((np.maximum(-wall, 0.0) / (thick * size * (1.0 - dent))) ** 2 + q - 1.0) * 16.0
        return smooth_max([wall + 3.0, 0.8 * cavity.above_dome(p) + 4.0, lens], 2.0)

    shape = drawn_by(field, centre, 110.0, 20)
    return [
        tissue(
            "spleen",
            [shape, cavity.roof],
            rng.uniform(42.0, 54.0) + 60.0 * cavity.uptake,
            grain=grain(build),
            over=INSIDE,
        )
    ]


def _at_wall(cavity: Cavity, angle: float, z: float, inset_mm: float) -> F64:
    """Point [3] this far inside the wall in a direction (radians) at height z."""
    ray = cavity.at(0.0, 0.0, z) + np.arange(40.0, 200.0, 2.0)[:, None] * vec(np.cos(angle), np.sin(angle), 0.0)
    return np.asarray(ray[max(0, int(np.argmax(cavity.rho(ray)[0] > -inset_mm)) - 1)], float)


def _kidney(build: Build, cavity: Cavity, side: float) -> list[Part]:
    """A kidney beside the psoas, its sinus fat, pelvis and vessels; sometimes a stone or a cyst."""
    rng = build.rng(f"kidney {side:+.0f}")
    stature = build.person.height_mm / 1700.0
    half = np.array([rng.uniform(27.0, 32.0), rng.uniform(23.0, 27.0), rng.uniform(50.0, 59.0)]) * stature
    spread = 55.0 + 0.25 * min(20.0, max(0.0, build.person.bmi - 22.0))
    middle = build.along(12.4 + (0.35 if side < 0 else 0.0) + rng.normal(0.0, 0.25))
    breath = float(np.clip(0.4 * (cavity.tops[0][2] - build.z("T9") - 24.0), -22.0, 14.0))
    centre = (
        middle
        + vec(0.0, 0.0, breath)
        + np.array([side * (spread + rng.normal(0, 3.0)) * build.width, 12.0 + rng.normal(0.0, 3.0), 0.0])
    )
    turn = rotation(rng.normal(-12.0, 5.0), side * rng.normal(-13.0, 4.0), side * rng.uniform(-40.0, -20.0))
    bumps, gap = rng.uniform(0.0, 0.07, 4), rng.uniform(0.3, 0.5)
    phase = rng.uniform(0.0, 6.3, 4)
    hilum = vec(-side, 0.0, 0.0)

    def radius(d: F64) -> F64:
        r = 1.0 / np.sqrt(((d / half) ** 2).sum(1))
        polar, around = np.arccos(np.clip(d[:, 2], -1, 1)), np.arctan2(d[:, 1], d[:, 0])
        wave = bumps[0] * np.sin(3 * polar + phase[0]) + bumps[1] * np.sin(5 * polar + phase[1])
        wave += np.sin(polar) * bumps[2] * np.sin(2 * around + phase[2])
        near = (d @ hilum - 1.0) * 2.0
        return np.asarray(r * (1.0 + wave) * (1.0 - gap * np.exp(near / 0.22 - (d[:, 2] / 0.45) ** 2)), float)

    name = "left_kidney" if side > 0 else "right_kidney"
    door = centre + turn @ (hilum * half[0] * 0.45)
    fat = half * [0.42, 0.4, 0.48] * rng.uniform(0.75, 1.15)
    away = middle + vec(side * 18.0, -26.0, -4.0)
    hu = rng.uniform(26.0, 38.0)
    cortex, medulla = hu + 120.0 * cavity.uptake, hu + 35.0 * cavity.uptake
    bed = ellipsoid(centre + vec(side * 5.0, 7.0, 0.0), half * [1.05, 1.0, 1.08] + vec(2.0, 0.0, 4.0), turn)
    parts = [
        tissue("peritoneum", [bed], -98.0, grain=Grain(14.0, 2.0, FRACTAL), over=("muscle",)),
        Part(
            name, (balloon(centre, turn, radius, 24),), cortex, 7.0, medulla, grain=grain(build), over=frozenset(INSIDE)
        ),
        tissue("peritoneum", [ellipsoid(door, fat, turn)], -85.0, grain=Grain(18.0, 1.5, FRACTAL), over=(name,)),
    ]
    calyces = [capsule(door, centre + turn @ vec(-side * 4.0, 0.0, q * half[2]), 4.5, 3.0) for q in (-0.42, 0.0, 0.42)]
    stalk = [*chain([door, 0.5 * (door + away) + vec(0, 4.0, 0), away], [6.0, 4.0, 4.0])]
    parts.append(tissue(name, calyces, rng.uniform(5.0, 25.0), over=(*INSIDE, name)))
    parts.append(tissue("vessel", stalk, cavity.blood_hu, over=INSIDE))
    parts.extend(_kidney_finds(rng, name, centre, half, turn))
    return parts


def _kidney_finds(rng: np.random.Generator, name: str, centre: F64, half: F64, turn: F64) -> list[Part]:
    """A cyst or a stone, by chance."""
    cyst, stone, size, at, hu = rng.random(), rng.random(), rng.uniform(8.0, 24.0), rng.uniform(-0.7, 0.7), rng.random()
    parts = []
    if cyst < 0.18:
        where = centre + turn @ (half * [np.sign(centre[0]) * 0.75, 0.3, at])
        parts.append(tissue(name, [ellipsoid(where, [size, size, 1.1 * size])], 6.0, over=(*INSIDE, name)))
    if stone < 0.09:
        where = centre + turn @ (half * [-0.1 * np.sign(centre[0]), 0.1, 0.8 * at])
        r = 1.5 + 0.15 * size
        parts.append(tissue(name, [ellipsoid(where, [r, r, 1.4 * r])], 400.0 + 900.0 * hu))
    return parts


def _pancreas(build: Build, cavity: Cavity) -> Part:
    """From the duodenum's loop over the spine to the spleen's hilum, thinner and fattier with age."""
    rng = build.rng("pancreas")
    old = min(1.0, max(0.0, (build.person.age_years - 35.0) / 50.0))
    tail_z = cavity.tops[1][2] - rng.uniform(75.0, 95.0)
    body = build.vertebrae["L1"] + vec(0.0, -52.0 * build.width, rng.normal(4.0, 8.0))
    knots = [
        build.vertebrae["L2"] + vec(-26.0, -46.0 * build.width, -14.0),
        build.vertebrae["L2"] + vec(-22.0, -50.0 * build.width, 10.0),
        body,
        0.45 * body + 0.55 * cavity.at(0.42, 0.1, tail_z) + vec(0.0, -10.0, 0.0),
        cavity.at(0.5, 0.25, tail_z),
    ]
    line = spline(knots, 10)
    size = np.interp(np.linspace(0, 1, 10), [0, 0.25, 0.45, 1.0], [17.0, 14.0, 10.0, 12.0]) * (1.05 - 0.3 * old)
    lumps = size * rng.uniform(0.85, 1.15, 10)
    hu = 42.0 - 30.0 * old + 50.0 * cavity.uptake
    shapes = blended(chain(line, lumps, [0, 1, 0], 1.25), 3.0)
    return tissue("pancreas", shapes, hu, grain=Grain(12.0 + 18.0 * old, 2.0, FRACTAL), over=INSIDE)
