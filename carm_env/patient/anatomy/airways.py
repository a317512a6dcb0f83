"""Trachea and bronchi with their walls, oesophagus, thyroid gland."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.chest_plan import LUNGS, Plan
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, chain, ellipsoid, rotation, spline

F64 = NDArray[np.float64]
_AIR_HU, _WALL_HU = -950.0, 30.0
_BACK = np.array([0.0, 1.0, 0.0])


def parts(plan: Plan) -> list[Part]:
    """Oesophagus and thyroid, then the airways' walls and their air."""
    wide = (1.0 if plan.build.person.sex == "M" else 0.88) * plan.scale
    main, lobar = _trunks(plan, wide), _branches(plan, wide)
    walls = [s for path, r in main for s in chain(path, r + 1.9, _BACK, 1.1)]
    thin = [s for path, r in lobar for s in chain(path, r + 1.3)]
    air = [s for path, r in main for s in chain(path, r, _BACK, 1.12)]
    lumen = [s for path, r in lobar for s in chain(path, np.maximum(r, 1.0))]
    return [
        *_gullet(plan),
        *_thyroid(plan),
        tissue("airway", walls, _WALL_HU),
        tissue("airway", thin, -150.0, over=(*LUNGS, "mediastinum")),
        tissue("airway", lumen, _AIR_HU, over=(*LUNGS, "mediastinum", "airway", "lung_vessel", "vessel")),
        tissue("airway", air, _AIR_HU),
    ]


def _trunks(plan: Plan, wide: float) -> list[tuple[F64, F64]]:
    """Trachea and main bronchi: centrelines and radii."""
    build, n = plan.build, plan.near
    v, w = build.vertebrae, build.width
    bow = 2.5 + 4.0 * plan.unfold
    top = v["C5"] + np.array([0.0, -28.0, 0.0]) * w
    inlet = v["T1"] + np.array([0.5, -31.5, -4.0]) * w
    arch = n(-bow, -2.0, 22.0)
    trachea = spline([top, v["C7"] + np.array([0.0, -28.0, 0.0]) * w, inlet, arch, n(0.0, 0.0, -1.0)], 10)
    right = plan.lifted([n(0, 0, 0), n(-16, 4, -16), n(-27, 7, -29), n(-32, 9, -52), n(-35, 14, -68)], 14.0)
    left = plan.lifted([n(0, 0, 0), n(17, 5, -14), n(33, 12, -26), n(42, 17, -37), n(46, 24, -56)], 14.0)
    return [
        (trachea, np.array([6.4, 7.0, 7.8, 8.2, 8.3, 8.3, 8.3, 8.2, 8.2, 8.2]) * wide),
        (right, np.array([7.6, 7.2, 6.2, 5.2, 3.6]) * wide),
        (left, np.array([7.0, 6.4, 6.0, 4.8, 3.2]) * wide),
    ]


def _branches(plan: Plan, wide: float) -> list[tuple[F64, F64]]:
    """Lobar and segmental bronchi."""
    n = plan.near
    rng = plan.build.rng("bronchi")
    out: list[tuple[F64, F64]] = []
    forks = [
        ((-26, 6, -27), (-44, 5, -16), [(-58, 4, 14), (-66, 16, -6), (-64, -22, -14)]),
        ((-32, 9, -52), (-46, -8, -64), [(-58, -32, -72), (-70, -10, -76)]),
        ((-35, 14, -66), (-42, 20, -84), [(-50, 8, -112), (-66, 20, -108), (-52, 44, -112)]),
        ((38, 14, -33), (53, 4, -28), [(62, -4, 4), (66, -26, -20), (68, -18, -44)]),
        ((46, 23, -54), (52, 28, -76), [(60, 16, -104), (74, 28, -100), (60, 50, -104)]),
    ]
    for start, fork, ends in forks:
        out.append((plan.lifted([n(*start), n(*fork)], 12.0), np.array([4.6, 3.9]) * wide))
        for end in ends:
            tip = n(*end) + rng.normal(0.0, 4.0, 3)
            middle = 0.5 * (n(*fork) + tip) + rng.normal(0.0, 2.0, 3)
            path = plan.lifted([n(*fork), middle, tip], 12.0)
            out.append((path, np.array([2.8, 2.0, 1.2]) * wide))
    return out


def _gullet(plan: Plan) -> list[Part]:
    """The oesophagus from C6 through the hiatus to the stomach, with a little air by chance."""
    build, n = plan.build, plan.near
    v, w = build.vertebrae, build.width
    rng = build.rng("oesophagus")
    chance, at, size = rng.random(3)
    middle = [
        v[k] + np.array([x, y, 0.0]) * w
        for k, x, y in (("T8", 9, -26), ("T10", 14, -36))
        if v[k][2] < plan.carina[2] - 20
    ]
    knots = [
        v["C6"] + np.array([1.0, -19.0, 0.0]) * w,
        v["T1"] + np.array([4.0, -21.0, 0.0]) * w,
        n(7, 13, 10),
        n(7, 16, -16),
        *middle,
    ]
    path = spline(knots, 14)
    tube = chain(path, 6.5 * plan.scale, [0.0, 1.0, 0.0], 1.35)
    out = [tissue("mediastinum", tube, 38.0)]
    if chance < 0.4:
        i = 1 + int(9 * at)
        gas = chain(path[i : i + 3], 1.6 + 2.6 * size, [0.0, 1.0, 0.0], 1.3)
        out.append(tissue("mediastinum", gas, -850.0))
    return out


def _thyroid(plan: Plan) -> list[Part]:
    """Two lobes and the isthmus around the trachea at C6 to T1."""
    build = plan.build
    v, w = build.vertebrae, build.width
    rng = build.rng("thyroid")
    sizes, hu = np.clip(rng.normal(1.0, 0.13, 2), 0.7, 1.4), rng.uniform(80.0, 110.0)
    centre = 0.5 * (v["C7"] + v["T1"]) + np.array([0.0, -31.0, 4.0]) * w
    shapes: list[Shape] = []
    for side, size in zip((-1.0, 1.0), sizes, strict=True):
        lobe = centre + np.array([side * 15.0, -1.0, 4.0]) * w
        shapes.append(ellipsoid(lobe, np.array([8.0, 9.5, 21.0]) * size * w, rotation(y_deg=10.0 * side)))
    shapes += chain([centre + np.array([x, -11.0, -4.0]) * w for x in (-12.0, 0.0, 12.0)], 3.0 * w)
    return [tissue("thyroid", shapes, hu + (60.0 if plan.contrast else 0.0), grain=Grain(8.0, 2.0))]
