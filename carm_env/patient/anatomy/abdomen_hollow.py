"""Stomach, bladder and the organs beside the bladder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.abdomen_cavity import INSIDE, Cavity
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import (
    Shape,
    balloon,
    blended,
    capsule,
    chain,
    ellipsoid,
    half_space,
    rotation,
    spline,
    vec,
)
from carm_env.patient.anatomy.texture import FRACTAL, RIDGED

F64 = NDArray[np.float64]
PELVIS = frozenset((*INSIDE, "fat", "muscle"))
"""What the pelvic organs may take the place of: the floor of the cavity is drawn coarsely."""


def hollow_parts(build: Build, cavity: Cavity) -> list[Part]:
    """Stomach, bladder, uterus or prostate."""
    return [*_stomach(build, cavity), *_pelvis(build)]


def _stomach(build: Build, cavity: Cavity) -> list[Part]:
    """A J from the left dome to the pylorus: collapsed or full, its gas in front where it rises to."""
    rng = build.rng("stomach")
    full, gas, meal = rng.beta(1.2, 1.6), rng.beta(1.2, 1.6), rng.random()
    dome = cavity.tops[1]
    fundus_r, body_r, antrum_r = 24.0 + 18.0 * full, 17.0 + 19.0 * full, 13.0 + 11.0 * full
    low = build.z("L1") - rng.uniform(-15.0, 45.0)
    q = rng.normal(0.0, 4.0, (6, 3))
    top = dome[2] - fundus_r - rng.uniform(10.0, 22.0)
    knots = [
        [*(cavity.at(0.4, 0.22, top) + q[0]), fundus_r],
        [*(cavity.at(0.46, -0.02, top - 30.0) + q[1]), 0.5 * (fundus_r + body_r)],
        [*(cavity.front(44.0 * build.width, 0.5 * (top + low) - 6.0, body_r + 16.0) + q[2]), body_r],
        [*(cavity.front(26.0 * build.width, low, antrum_r + 12.0) + q[3]), antrum_r],
        [*(cavity.front(-4.0, low + 8.0, antrum_r + 16.0) + q[4]), 0.9 * antrum_r],
        [*(build.vertebrae["L1"] + vec(-26.0, -64.0 * build.width, 0.0) + q[5]), 9.0],
    ]
    line = spline(knots, 11)
    lumps = line[:, 3] * rng.uniform(0.82, 1.15, len(line))
    lumps[int(rng.integers(3, 9))] *= rng.uniform(0.55, 1.0)
    bag: list[Shape] = blended(chain(line[:, :3], lumps), 8.0)
    dome_cut = cavity.roof
    wall = 3.5 + 2.5 * (1.0 - full)
    mixed = meal > 0.7
    inside = Grain(80.0, 2.0, RIDGED) if mixed else Grain(10.0, 2.5, FRACTAL)
    content = -20.0 if mixed else rng.uniform(5.0, 35.0)
    front, back = (line[:, 1] - lumps).min() + wall, (line[:, 1] + lumps).max() - wall
    level = front + max(11.0, (0.08 + 0.45 * gas) * (back - front))
    top_of = np.minimum(line[:-1, 1] - lumps[:-1], line[1:, 1] - lumps[1:])
    bubble = [s for s, y in zip(bag, top_of, strict=True) if y < level]
    bubble += [dome_cut, half_space([0.0, level, 0.0], [0.0, 1.0, 0.0]).keep()]
    return [
        Part("stomach", (*bag, dome_cut), 40.0, wall, content, grain=inside, over=frozenset(INSIDE)),
        tissue("bowel_gas", bubble, -950.0, wall + 0.3, over=("stomach",)),
        *_pills(build, line[:5, :3], lumps[:5]),
    ]


def _rugae(rng: np.random.Generator, line: F64, radius: F64) -> list[Shape]:
    """Folds of the stomach's lining along its axis (points [K, 3], radius [K])."""
    folds = []
    for _ in range(3):
        angle = rng.uniform(0.0, 2.0 * np.pi) + np.cumsum(rng.normal(0.0, 0.25, len(line)))
        out = np.stack([np.cos(angle), np.sin(angle), 0.3 * np.sin(2.0 * angle)], axis=1)
        folds += chain(line + out * 0.72 * radius[:, None], rng.uniform(1.5, 4.0))
    return folds


def _pills(build: Build, line: F64, radius: F64) -> list[Part]:
    """Dense tablets at the back of the stomach, in few people."""
    rng = build.rng("pills")
    swallowed, count, at = rng.random() < 0.05, int(rng.integers(1, 4)), rng.uniform(0.2, 0.7, (3, 2))
    if not swallowed:
        return []
    shapes = []
    for i in range(count):
        p = line[1 + i] + vec(4.0 * at[i, 0], at[i, 1] * radius[1 + i], 0.0)
        shapes.append(capsule(p, p + vec(5.0, 1.0, 3.0), 2.8))
    return [tissue("stomach", shapes, rng.uniform(200.0, 900.0), over=("stomach",))]


def _pelvis(build: Build) -> list[Part]:
    """Bladder on the symphysis, behind it the uterus, or below it the prostate; phleboliths beside them."""
    rng = build.rng("pelvic organs")
    volume = float(np.clip(np.exp(rng.normal(np.log(150.0), 0.7)), 45.0, 520.0))
    r = 10.0 * (volume * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    tall = rng.uniform(0.8, 1.0)
    half = np.array([1.18, 0.92 / tall, 0.92 * tall]) * r
    beside = _prostate(build) if build.person.sex == "M" else _uterus(build, half[1])
    return [_bladder(build, rng, half), *beside, *_phleboliths(build)]


def _bladder(build: Build, rng: np.random.Generator, half: F64) -> Part:
    """A bag that sags on the symphysis, its roof pressed in by the bowel; ``half`` axes [3] in mm."""
    dent, tilt = rng.uniform(0.0, 0.16), rng.normal(-12.0, 6.0)
    centre = build.symphysis + vec(rng.normal(0.0, 4.0), 12.0 + half[1], half[2] - 4.0)

    def radius(d: F64) -> F64:
        plain = 1.0 / np.sqrt((np.abs(d / half) ** 2.3).sum(1)) ** (2.0 / 2.3)
        return np.asarray(plain * (1.0 - dent * np.clip(0.6 * d[:, 1] + 0.8 * d[:, 2], 0.0, 1.0) ** 2), float)

    bag = balloon(centre, rotation(x_deg=tilt), radius, 20)
    wall, urine = rng.uniform(2.0, 5.0), rng.uniform(0.0, 14.0)
    return Part("bladder", (bag,), 36.0, wall, urine, grain=Grain(3.0, 3.0, FRACTAL), over=PELVIS)


def _prostate(build: Build) -> list[Part]:
    """Prostate, larger with age, and seminal vesicles."""
    rng = build.rng("prostate")
    old = max(0.0, build.person.age_years - 45.0) / 45.0
    grown = rng.uniform(0.9, 1.1) * (1.0 + 0.4 * old * rng.random())
    gland = build.symphysis + vec(0.0, 32.0, -4.0)
    lobes = [ellipsoid(gland, np.array([24.0, 17.0, 19.0]) * grown)]
    for side in (-1.0, 1.0):
        lobes.append(capsule(gland + vec(side * 8.0, 12.0, 20.0), gland + vec(side * 34.0, 20.0, 30.0), 7.0, 5.0))
    return [tissue("pelvic_organ", blended(lobes, 5.0), 42.0, grain=Grain(8.0, 2.5, FRACTAL), over=PELVIS)]


def _uterus(build: Build, bladder_mm: float) -> list[Part]:
    """Uterus behind a bladder of this half depth, and ovaries; sometimes an intrauterine device."""
    rng = build.rng("uterus")
    age = build.person.age_years
    small = 0.72 if age > 55.0 else 1.0
    cervix = build.symphysis + vec(rng.normal(0.0, 5.0), 30.0 + 1.5 * bladder_mm, 28.0)
    lean, size, turn = rng.uniform(-0.6, 0.5), small * rng.uniform(0.85, 1.15), rng.normal(0.0, 8.0)
    top = cervix + np.array([turn, 40.0 * lean, 46.0]) * size
    reach, coil = rng.uniform(34.0, 46.0, 2), rng.random()
    line, widths = [cervix - vec(0, 0, 14.0), cervix, top], np.array([12.0, 14.0, 24.0]) * size
    womb = chain(line, widths, [0, 1, 0.3], 1.2)
    ovary = np.array([15.0, 11.0, 13.0]) * small
    womb += [ellipsoid(cervix + vec(side * r, 4.0, 30.0), ovary) for side, r in zip((-1.0, 1.0), reach, strict=True)]
    parts = [tissue("pelvic_organ", blended(womb, 6.0), 46.0, grain=Grain(9.0, 3.0, FRACTAL), over=PELVIS)]
    if coil < 0.12 and age < 55.0:
        stem, arm = cervix + 0.15 * (top - cervix), cervix + 0.8 * (top - cervix)
        rods = [
            capsule(stem, arm, 0.9),
            capsule(arm - vec(14.0, 0, 3.0), arm, 0.6),
            capsule(arm, arm + vec(14.0, 0, -3.0), 0.6),
        ]
        parts.append(tissue("device", rods, 2200.0, over=("pelvic_organ",)))
    return parts


def _phleboliths(build: Build) -> list[Part]:
    """Calcified clots of pelvic veins, commoner with age: round, 3 to 6 mm."""
    rng = build.rng("phleboliths")
    some, count = rng.random() < 0.1 + 0.006 * build.person.age_years, int(rng.integers(1, 7))
    side, place, size = np.sign(rng.normal(size=6)), rng.uniform(0.0, 1.0, (6, 3)), rng.uniform(1.4, 2.9, 6)
    hu = rng.uniform(350.0, 900.0)
    if not some:
        return []
    x = side * (34.0 + 20.0 * place[:, 0]) * build.pelvis
    at = build.symphysis + np.c_[x, 62.0 + 26.0 * place[:, 1], 6.0 + 42.0 * place[:, 2]]
    stones = [ellipsoid(p, [r, r, r]) for p, r in zip(at[:count], size[:count], strict=True)]
    return [tissue("vessel", stones, hu, over=PELVIS)]
