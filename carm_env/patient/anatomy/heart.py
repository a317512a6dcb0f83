"""The heart: its chambers as one silhouette, its fat, its cavities where there is contrast medium, its calcium."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import domes
from carm_env.patient.anatomy.chest_plan import Plan
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, ellipsoid, frame
from carm_env.patient.anatomy.texture import FRACTAL

F64 = NDArray[np.float64]
MYOCARDIUM_HU = 45.0
FAT_HU = -95.0
CALCIUM_HU = 620.0


def parts(plan: Plan) -> list[Part]:
    """Pericardial fat, heart muscle, blood, calcifications."""
    build = plan.build
    shapes = silhouette(plan)
    ground = domes.surface(build).cut(4.0)
    pad = min(1.5 + 0.1 * build.fat_mm, 4.5)
    out = [
        tissue("mediastinum", [*shapes, *_fat_pads(plan), ground], FAT_HU, -pad, Grain(14.0, 2.5, FRACTAL)),
        tissue("heart", [*shapes, ground], MYOCARDIUM_HU + (35.0 if plan.contrast else 0.0), grain=Grain(6.0, 2.0)),
    ]
    if plan.contrast:
        out.append(tissue("heart", _right_cavities(plan), plan.venous_hu))
        out.append(tissue("heart", _left_cavities(plan), plan.arterial_hu))
    flecks = _calcium(plan)
    return [*out, tissue("heart", flecks, CALCIUM_HU, over=("heart", "mediastinum"))] if flecks else out


def silhouette(plan: Plan) -> list[Shape]:
    """Right atrium, right ventricle, left ventricle, left atrium with its appendage, and the outflow tract."""
    return [
        _right_atrium(plan, 1.0),
        _right_ventricle(plan, 1.0).blended(14.0),
        _left_ventricle(plan, 1.0).blended(14.0),
        _underside(plan).blended(10.0),
        _left_atrium(plan, 1.0).blended(12.0),
        capsule(plan.heart((0.20, 0.30, 0.62)), plan.near(19.0, -40.0, -30.0), 17.0 * plan.scale, 14.0 * plan.scale)
        .blended(14.0),
        capsule(plan.heart((0.22, 0.66, 0.80)), plan.heart((0.37, 0.50, 0.80)), 11.0 * plan.scale, 7.0 * plan.scale)
        .blended(8.0),
    ]  # fmt: skip


def _right_atrium(plan: Plan, size: float) -> Shape:
    return ellipsoid(plan.heart((-0.13, 0.52, 0.46)), plan.heart_size * [0.20, 0.27, 0.48] * size)


def _right_ventricle(plan: Plan, size: float) -> Shape:
    turn = frame(plan.heart_size * [-0.18, 0.10, 0.75], [1.0, 0.0, 0.0])
    return ellipsoid(plan.heart((0.18, 0.27, 0.34)), plan.heart_size * [0.34, 0.27, 0.46] * size, turn)


def _left_ventricle(plan: Plan, size: float) -> Shape:
    """From the base to an apex that rests on the diaphragm."""
    mean = float(np.prod(plan.heart_size) ** (1.0 / 3.0))
    base, apex = plan.heart((0.24, 0.60, 0.50)), plan.heart((0.67, 0.34, 0.15))
    tip = 0.18 * mean
    apex = apex - np.array([0.95, -0.3, 0.0]) * tip
    apex[2] = min(apex[2], float(domes.heights_of(plan.dome, apex[0], apex[1])) + 0.8 * tip)
    return capsule(base, apex, 0.34 * mean * size, tip * (1.8 * size - 0.8))


def _underside(plan: Plan) -> Shape:
    """Fills the gap between the ventricles and the diaphragm."""
    centre = plan.heart((0.26, 0.44, 0.0))
    centre[2] = float(domes.heights_of(plan.dome, centre[0], centre[1])) + 0.10 * plan.heart_size[2]
    return ellipsoid(centre, plan.heart_size * [0.38, 0.36, 0.30])


def _left_atrium(plan: Plan, size: float) -> Shape:
    return ellipsoid(plan.heart((0.10, 0.80, 0.72)), plan.heart_size * [0.27, 0.20, 0.27] * size)


def _right_cavities(plan: Plan) -> list[Shape]:
    return [_right_atrium(plan, 0.84), _right_ventricle(plan, 0.82), domes.surface(plan.build).cut(8.0)]


def _left_cavities(plan: Plan) -> list[Shape]:
    return [_left_atrium(plan, 0.84), _left_ventricle(plan, 0.68)]


def _fat_pads(plan: Plan) -> list[Shape]:
    """Fat in the angles between heart and diaphragm."""
    size = min(8.0 + 0.22 * plan.build.fat_mm, 16.0) * plan.scale
    right = plan.heart((-0.20, 0.22, 0.02))
    left = plan.heart((0.56, 0.16, 0.03))
    for pad in (right, left):
        pad[2] = float(domes.heights_of(plan.dome, pad[0], pad[1])) + 2.0
    return [ellipsoid(right, [1.5 * size, 1.3 * size, size]), ellipsoid(left, [1.7 * size, 1.2 * size, 0.9 * size])]


def _calcium(plan: Plan) -> list[Shape]:
    """Flecks along the coronary arteries, in the aortic valve and the mitral ring; more with age."""
    rng, person = plan.build.rng("heart calcium"), plan.build.person
    burden = (person.age_years - (58.0 if person.sex == "M" else 66.0)) / 22.0 + rng.normal(0.0, 0.6)
    paths = [
        plan.heart([(0.16, 0.36, 0.82), (0.30, 0.20, 0.70), (0.42, 0.14, 0.45)]),
        plan.heart([(0.20, 0.44, 0.80), (0.34, 0.62, 0.72), (0.38, 0.78, 0.55)]),
        plan.heart([(0.02, 0.30, 0.72), (-0.06, 0.22, 0.45), (0.05, 0.35, 0.12)]),
    ]
    draws = rng.random((3, 6, 3))
    shapes = []
    for path, draw in zip(paths, draws, strict=True):
        for u, size, chance in draw:
            if chance < 0.55 * burden:
                at = path[0] + (path[1] - path[0]) * 2 * u if u < 0.5 else path[1] + (path[2] - path[1]) * (2 * u - 1)
                shapes.append(capsule(at, at + (path[1] - path[0]) * 0.12, 0.7 + 0.8 * size))
    valve, ring = rng.random(2)
    if valve < 0.25 * burden:
        centre = plan.heart((0.10, 0.48, 0.66))
        shapes += chain(centre + np.array([[-7.0, 2.0, 2.0], [0.0, -3.0, -2.0], [7.0, 2.0, 1.0]]), 1.5)
    if ring < 0.12 * burden:
        turn = np.radians(np.linspace(200.0, 380.0, 7))
        centre = plan.heart((0.22, 0.68, 0.52))
        shapes += chain(centre + np.stack([16 * np.cos(turn), 5 * np.sin(turn), 14 * np.sin(turn)], axis=1), 1.8)
    return shapes
