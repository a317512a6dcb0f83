"""Aorta, great arteries and veins from the neck to the groins, the pulmonary trunk, and the calcium in old walls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.chest_plan import Plan
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, spline

F64 = NDArray[np.float64]
_WRAP_HU, _WRAP_MM = -85.0, 2.5
_CALCIUM_HU = 700.0
_AORTA_MM = {"root": 16.5, "arch": 13.5, "chest": 12.0, "belly": 9.5}
"""Radii of ascending aorta, arch, descending and abdominal aorta at 50 years."""


def parts(plan: Plan) -> list[Part]:
    """All great vessels, wrapped in a little fat where they run through the lungs' space."""
    aorta, veins, pulmonary = aortic(plan), _veins(plan), _pulmonary(plan)
    branches = _arteries(plan)
    over = ("right_lung", "left_lung")
    out = [
        tissue("mediastinum", aorta[:16] + pulmonary, _WRAP_HU, -_WRAP_MM, over=over),
        tissue("vena_cava", veins, plan.venous_hu),
        tissue("vessel", _limb_veins(plan), plan.venous_hu),
        tissue("vessel", pulmonary, plan.venous_hu),
        tissue("vessel", branches, plan.arterial_hu),
        tissue("aorta", aorta, plan.arterial_hu),
    ]
    flecks = _plaques(plan)
    return [*out, tissue("aorta", flecks, _CALCIUM_HU)] if flecks else out


def _age_factor(plan: Plan) -> float:
    person = plan.build.person
    return plan.scale * (1.0 + 0.0035 * (person.age_years - 50.0)) * (1.02 if person.sex == "M" else 0.97)


def arch_top(plan: Plan) -> F64:
    """Highest point [3] of the aortic arch' outer wall."""
    path, radius = _course(plan)
    i = int(np.argmax(path[:20, 2] + radius[:20]))
    return path[i] + np.array([0.0, 0.0, radius[i]])


def _course(plan: Plan) -> tuple[F64, F64]:
    """Centreline [K, 3] and radii [K] from the heart over the arch to the fourth lumbar vertebra."""
    build, u, s = plan.build, plan.unfold, plan.scale
    rng = build.rng("aorta")
    wobble = rng.normal(0.0, 1.0, (8, 2))
    lift = 20.0 + 5.0 * u + 2.0 * float(np.clip(wobble[0, 0], -2, 2))
    knots = [
        plan.heart((0.10, 0.50, 0.66)),
        plan.near(-3.0 - 4.0 * u, -42.0, -24.0),
        plan.near(-3.0 - 3.0 * u, -42.0, 0.0),
        plan.near(2.0, -33.0, lift - 5.0),
        plan.near(12.0 + 3.0 * u, -14.0, lift),
        plan.near(20.0 + 6.0 * u, 6.0, lift - 3.0),
        plan.near(25.0 + 7.0 * u, 22.0, lift - 18.0),
    ]
    r = np.array([16.0, 16.5, 16.0, 14.5, 13.5, 13.0, 12.0])
    start = knots[-1]
    for level, x, y, radius in (
        ("T6", 22, -17, 11.8), ("T8", 18 + 9 * u, -24, 11.5), ("T10", 15 + 6 * u, -28, 11.2), ("T12", 9, -31, 10.8),
        ("L2", 5 + 3 * u, -31, 9.5), ("L3", 5, -31, 9.0), ("L4", 3, -31, 8.8),
    ):  # fmt: skip
        point = build.vertebrae[level] + np.array([x * s, y * build.width, 0.0])
        if point[2] < start[2] - 12.0:
            sway = wobble[len(knots) % 8] * (1.0 + 4.0 * u)
            knots.append(point + np.array([sway[0], 0.3 * sway[1], 0.0]))
            r = np.append(r, radius)
    path = spline(np.column_stack([np.array(knots), r[: len(knots)]]), 40)
    return path[:, :3], path[:, 3] * _age_factor(plan)


def aortic(plan: Plan) -> list[Shape]:
    """The aorta's tube, first the arch."""
    path, radius = _course(plan)
    return chain(path, radius)


def bifurcation(plan: Plan) -> F64:
    """Where the aorta ends [3]."""
    return _course(plan)[0][-1]


def _pulmonary(plan: Plan) -> list[Shape]:
    """Trunk and main branches down to the interlobar arteries, and the veins' trunks at the left atrium."""
    n, s = plan.near, plan.scale
    grow = s * float(np.clip(1.0 + 0.08 * plan.build.rng("pulmonary trunk").normal(), 0.85, 1.3))
    trunk = spline([n(19, -42, -34), n(21, -36, -22), n(22, -26, -15)], 4)
    right = [
        n(20, -30, -20),
        n(2, -20, -26),
        n(-18, -14, -27),
        n(-33, -9, -28),
        n(-43, 0, -38),
        n(-49, 8, -62),
        n(-50, 14, -82),
    ]
    left = [n(22, -28, -14), n(34, -14, -8), n(44, 4, -11), n(49, 14, -28), n(51, 19, -50), n(50, 24, -72)]
    up = [[n(-32, -9, -27), n(-46, -8, -12), n(-52, -8, 8)], [n(42, 0, -10), n(50, 0, 4), n(55, 0, 20)]]
    shapes = chain(trunk, 13.5 * grow)
    shapes += chain(plan.lifted(right, 14.0), np.array([11.5, 11.0, 10.5, 9.5, 7.5, 6.5, 4.5]) * grow)
    shapes += chain(plan.lifted(left, 14.0), np.array([11.5, 11.0, 9.5, 8.0, 6.8, 4.5]) * grow)
    for path in up:
        shapes += chain(path, np.array([6.0, 4.5, 3.0]) * grow)
    for side in (-1.0, 1.0):
        wall = plan.heart((0.10 + 0.20 * side, 0.82, 0.80))
        low = plan.heart((0.10 + 0.20 * side, 0.86, 0.62))
        shapes += chain(
            plan.lifted([wall, n(28.0 * side + 4, -4, -34), n(46.0 * side, -8, -22)], 10.0),
            np.array([7.0, 6.0, 4.0]) * grow,
        )
        shapes += chain(
            plan.lifted([low, n(34.0 * side + 3, 8, -58), n(50.0 * side, 16, -72)], 10.0),
            np.array([7.0, 6.0, 4.0]) * grow,
        )
    return shapes


def _veins(plan: Plan) -> list[Shape]:
    """Superior and inferior vena cava, azygos vein."""
    build, n, s = plan.build, plan.near, plan.scale
    atrium = plan.heart((-0.16, 0.50, 0.78))
    upper = spline([atrium, n(-19, -24, -28), n(-18, -27, 0), n(-16, -31, 26)], 6)
    w = build.width
    low = [build.vertebrae[k] + np.array([x * w, y * w, 0.0]) for k, x, y in (
        ("T12", -14, -36), ("L1", -19, -33), ("L3", -20, -31), ("L5", -10, -31))]  # fmt: skip
    gate = plan.heart((-0.10, 0.66, 0.06))
    gate[2] = min(gate[2], plan.floor + 4.0)
    mid = 0.5 * (gate + low[0]) + [0.0, -2.0, 0.0]
    lower = spline([p for p in (gate, mid, *low) if p[2] <= gate[2]], 12)
    azygos = [build.vertebrae["T9"] + np.array([-6.0, -19.0, 0.0]) * w, n(-7, 20, -12), n(-13, 8, 4), n(-18, -18, 2)]
    return [
        *chain(upper, np.linspace(10.0, 8.5, 6) * s),
        *chain(lower, 11.0 * s, [0.0, 1.0, 0.0], 1.25),
        *chain(spline(azygos, 7), 4.0 * s),
    ]


def _arteries(plan: Plan) -> list[Shape]:
    """Brachiocephalic trunk, carotid and subclavian arteries, visceral and renal arteries, iliac arteries."""
    build, n, s = plan.build, plan.near, plan.scale
    w, v = build.width, build.vertebrae
    sway = build.rng("neck arteries").normal(0.0, 1.5, (2, 3))
    fork = n(-12, -36, 50)
    shapes = chain(spline([n(2, -32, 20), n(-2, -36, 36), fork], 4), 6.5 * s)
    for side, root in ((-1.0, fork), (1.0, n(10, -24, 22))):
        k = 0 if side < 0 else 1
        neck = [root, v["T1"] + np.array([19.0 * side, -34.0, -2.0]) * w]
        for level, x, y in (("C6", 21.0, -26.0), ("C4", 24.0, -20.0), ("C3", 25.0, -17.0)):
            neck.append(v[level] + np.array([side * x, y, 0.0]) * w + np.array([*sway[k, :2], 0.0]))
        shapes += chain(spline(neck, 9), np.append(np.full(7, 3.6), [4.0, 3.2]) * s)
        base = fork if side < 0 else n(18, -8, 20)
        inlet = v["T1"]
        sub = [base, inlet + np.array([side * 26, -24, 2.0]) * w, inlet + np.array([side * 45, -24, 10]) * w,
               inlet + np.array([side * 72, -30, -8]) * w, inlet + np.array([side * 100, -22, -26]) * w]  # fmt: skip
        shapes += chain(spline(sub, 9), np.linspace(4.8, 3.4, 9) * s)
    for level, x, y in (("T12", 0, -52), ("L1", 0, -50)):
        shapes.append(
            capsule(v[level] + np.array([4.0, -34.0, -6.0]) * w, v[level] + np.array([x, y, -14.0]) * w, 3.6 * s)
        )
    for side in (-1.0, 1.0):
        shapes.append(
            capsule(v["L1"] + np.array([4.0, -30.0, -16.0]) * w, v["L1"] + np.array([side * 42, -16, -20]) * w, 2.8 * s)
        )
        shapes += chain(_iliac(plan, side, 0.0), np.array([6.4, 6.0, 5.6, 5.2, 4.8, 4.8]) * s)
    return shapes


def _iliac(plan: Plan, side: float, inward_mm: float) -> F64:
    """Course [6, 3] of the iliac vessels to the groin; the veins run further inward and behind."""
    build = plan.build
    start = bifurcation(plan) + np.array([side * 4.0, inward_mm * 0.6, -0.5 * inward_mm])
    groin = build.hip * [side, 1.0, 1.0] + np.array([-4.0 * side, -44.0, 24.0]) * build.width
    sacral = build.vertebrae["L5"] + np.array([side * 33.0, -16.0, -26.0]) * build.width
    brim = 0.55 * groin + 0.45 * sacral + np.array([side * 4.0, 10.0, -8.0]) * build.width
    thigh = groin + np.array([-3.0 * side, 4.0, -40.0]) * build.width
    shift = np.array([-side * inward_mm, 0.6 * inward_mm, 0.0])
    return spline([start, sacral + 0.6 * shift, brim + shift, groin + shift, thigh + shift], 6)


def _limb_veins(plan: Plan) -> list[Shape]:
    """Brachiocephalic and internal jugular veins, iliac veins."""
    build, n, s = plan.build, plan.near, plan.scale
    v, w = build.vertebrae, build.width
    join = n(-16, -31, 26)
    shapes: list[Shape] = []
    for side in (-1.0, 1.0):
        angle = v["T1"] + np.array([side * 34.0, -40.0, -12.0]) * w
        mid = [n(2, -50, 34)] if side > 0 else []
        shapes += chain(spline([join, *mid, angle], 5), 6.5 * s)
        neck = [
            angle,
            *(v[k] + np.array([side * 32.0, y, 0.0]) * w for k, y in (("C6", -24.0), ("C4", -14.0), ("C3", -11.0))),
        ]
        shapes += chain(spline(neck, 6), (6.0 if side < 0 else 5.0) * s)
        shapes += chain(_iliac(plan, side, 11.0), np.array([7.5, 7.0, 6.5, 6.5, 6.0, 5.5]) * s)
    return shapes


def _plaques(plan: Plan) -> list[Shape]:
    """Calcified flecks in the walls of arch, aorta and iliac arteries; few before 55 years, many after 75."""
    rng, person = plan.build.rng("plaques"), plan.build.person
    path, radius = _course(plan)
    load = float(np.clip((person.age_years - 54.0) / 30.0 + 0.3 * rng.normal(), 0.0, 1.2))
    draws = rng.random((70, 6))
    where = np.clip(np.sort(np.where(draws[:, 0] < 0.25, 2 + 6 * draws[:, 1], 8 + 31 * draws[:, 1] ** 0.6)), 0, 38.9)
    shapes = [
        _fleck(path, radius, float(t), d) for t, d in zip(where, draws, strict=True) if d[5] < 0.75 * load
    ]  # fmt: skip
    for side in (-1.0, 1.0):
        tube = _iliac(plan, side, 0.0)
        more = rng.random((10, 6))
        shapes += [_fleck(tube, np.full(6, 6.0 * plan.scale), 4.9 * float(d[0]), d) for d in more if d[5] < 0.55 * load]
    return shapes


def _fleck(path: F64, radius: F64, at: float, draw: Sequence[float] | F64) -> Shape:
    """A thin scale in the wall of a tube at a fraction of its points."""
    i = min(int(at), len(path) - 2)
    along = path[i + 1] - path[i]
    along = along / np.linalg.norm(along)
    side = np.cross(along, [0.3, 0.9, 0.2])
    side /= np.linalg.norm(side)
    turn = 2.0 * np.pi * draw[2]
    out = np.cos(turn) * side + np.sin(turn) * np.cross(along, side)
    point = path[i] + (at - i) * (path[i + 1] - path[i]) + (radius[i] - 0.8) * out
    length = 1.0 + 4.5 * draw[3] ** 2
    return capsule(point - along * length, point + along * length, 0.6 + 0.7 * draw[4])
