"""The abdominal cavity within its wall, the muscles behind it, and the fat between muscles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage, shoulder
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.flesh_outline import ANGLES, TURNS, Outline, neck_radius
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, chain, ellipsoid, loft, rotation, spline, vec

F64 = NDArray[np.float64]


def parts(build: Build, outline: Outline, hu: float, flesh: Grain, septa: Grain) -> list[Part]:
    """Fat between muscles, then psoas, iliacus and quadratus lumborum in the fat behind the peritoneum."""
    return [
        tissue("fat", _fat_between(build, outline), -92.0, grain=septa, over={"muscle"}),
        tissue("muscle", _back_wall(build), hu, grain=flesh, over={"peritoneum", "fat"}),
    ]


def cavity(build: Build, outline: Outline) -> Shape:
    """The space inside the abdominal wall, up to the rib cage's roof and down to the pelvic floor."""
    from scipy.interpolate import PchipInterpolator

    w, p, hip, low = build.width, build.pelvis, build.hip, build.symphysis
    age = build.person.age_years
    wall = (1.06 if build.person.sex == "M" else 0.92) * (1.0 - 0.004 * max(0.0, age - 40.0))
    z = np.linspace(low[2] - 6.0, build.z("T7"), TURNS)
    muscle_half, muscle_front = (_reach(outline, z, angle) for angle in (0.0, -0.5 * np.pi))
    _, _, ribs, _ = cage.section(build, z)
    ribs_front = cage.front_y(build, z) + 11.0
    k = np.clip((z - build.z("L1") - 8.0) / 30.0, 0.0, 1.0)
    half = (1 - k) * (muscle_half - 24.0 * wall) + k * np.minimum(ribs - 11.0, muscle_half - 16.0)
    front = (1 - k) * (muscle_front + 12.0 * wall) + k * np.maximum(ribs_front, muscle_front + 8.0)
    knots = np.array([  # height, half width, y of the back
        (low[2] - 6.0, 34.0 * p, low[1] + 72.0 * w),
        (hip[2] + 5.0, 48.0 * p, hip[1] + 34.0 * w),
        (hip[2] + 45.0, 64.0 * p, hip[1] + 46.0 * w),
        (hip[2] + 75.0, 96.0 * p, build.y("L5") + 10.0),
        (build.z("L5") + 4.0, 116.0 * p, build.y("L5") + 20.0),
        (build.z("L4") + 4.0, 170.0 * p, build.y("L4") + 24.0),
        (build.z("L2"), 200.0, build.y("L2") + 28.0),
        (build.z("T11"), 200.0, build.y("T11") + 20.0),
        (build.z("T7") + 1.0, 200.0, build.y("T7") + 12.0),
    ])  # fmt: skip
    bound, back = (PchipInterpolator(knots[:, 0], column)(z) for column in knots[:, 1:].T)
    half = np.minimum(half, bound)
    front = np.maximum(front, np.interp(z, [low[2] - 6.0, low[2] + 30.0], [low[1] + 24.0, -400.0]))
    y = 0.5 * (front + back)
    c, s = np.abs(np.cos(ANGLES))[None], np.abs(np.sin(ANGLES))[None]
    n = np.where(np.sin(ANGLES)[None] > 0.0, 2.8, 2.35)
    radii = ((c / half[:, None]) ** n + (s / (0.5 * (back - front))[:, None]) ** n) ** (-1.0 / n)
    centre = np.stack([np.interp(z, outline.z, outline.centre[:, 0]), y], axis=1)
    return loft([0.0, 0.0, 0.0], None, z[0], z[-1], centre, radii)


def _reach(outline: Outline, z: F64, angle: float) -> F64:
    """Half width (angle 0) or y of the muscle's outline in a direction at heights z."""
    points = np.array([outline.surface(float(h), angle, outline.muscle) for h in outline.z])
    values = np.interp(z, outline.z, points[:, 1] if angle else points[:, 0] - outline.centre[:, 0])
    return np.asarray(values)


def _back_wall(build: Build) -> list[Shape]:
    """Psoas from T12 to the lesser trochanter, iliacus in the iliac fossa, quadratus lumborum beside the spine."""
    rng = build.rng("psoas")
    brawn = (1.0 if build.person.sex == "M" else 0.84) * (1.0 - 0.005 * max(0.0, build.person.age_years - 40.0))
    brawn *= build.width * float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2))
    v, hip, w = build.vertebrae, build.hip, build.width
    shapes = []
    for side in (-1.0, 1.0):
        own = brawn * float(np.clip(rng.normal(1.0, 0.04), 0.9, 1.1))
        joint = hip * [side, 1.0, 1.0]
        lesser = joint + np.array([-side * 4.0, 22.0, -58.0]) * w
        path = np.array([
            [*(v["T12"] + vec(side * 21.0, 2.0, -8.0)), 6.0], [*(v["L2"] + vec(side * 31.0, 2.0, 0.0)), 13.0],
            [*(v["L4"] + vec(side * 42.0, 0.0, 0.0)), 20.0], [*(v["L5"] + vec(side * 54.0, -12.0, -8.0)), 20.0],
            [*(joint + np.array([-side * 14.0, -34.0, 46.0]) * w), 18.0],
            [*(joint + np.array([-side * 4.0, -34.0, 2.0]) * w), 16.0], [*lesser, 7.0],
        ])  # fmt: skip
        knots = spline(path, 10)
        shapes += chain(knots[:, :3], knots[:, 3] * own)
        fossa = v["L5"] + vec(side * 84.0 * build.pelvis, 6.0, -10.0)
        shapes += chain(
            [fossa, fossa + vec(-side * 8.0, -16.0, -44.0), joint + np.array([-side * 2.0, -32.0, 34.0]) * w],
            [10.0 * own, 19.0 * own, 15.0 * own], flat=[side * 0.75, 0.6, 0.2], flatness=1.5,
        )  # fmt: skip
        shapes += chain(
            [v["T12"] + vec(side * 44.0, 24.0, -14.0), v["L3"] + vec(side * 60.0 * w, 22.0, 0.0),
             v["L5"] + vec(side * 78.0 * w, 28.0, 18.0)],
            np.array([13.0, 19.0, 19.0]) * own, flat=[0.0, 1.0, 0.0], flatness=1.9,
        )  # fmt: skip
    return shapes


def _fat_between(build: Build, outline: Outline) -> list[Shape]:
    """Fat of axillae, groins, buttocks and neck, more of it in the heavy and the old."""
    rng = build.rng("fat between")
    plenty = float(np.clip(0.45 + 0.022 * build.fat_mm + 0.003 * (build.person.age_years - 50.0), 0.5, 1.5))
    w, hip, low = build.width, build.hip, build.symphysis
    raised = build.arms == "raised"
    shapes = []
    for side in (-1.0, 1.0):
        own = plenty * float(np.clip(rng.normal(1.0, 0.1), 0.8, 1.2)) * w
        z = build.z("T3") + (4.0 if raised else -6.0)
        _, cy, half, _ = (float(v) for v in cage.section(build, z))
        axilla = vec(side * (half + 13.0 * own + 4.0), cy - 6.0, z)
        shapes.append(ellipsoid(axilla, np.array([13.0, 24.0, 40.0]) * own, rotation(y_deg=side * 14.0)))
        joint = shoulder.joint(build, side)
        shapes.append(ellipsoid(joint + vec(-side * 62.0 * w, -16.0, 20.0), np.array([26.0, 8.0, 12.0]) * own))
        at = hip * [side, 1.0, 1.0]
        groin = at + np.array([-side * 8.0, -66.0, -34.0]) * w
        shapes.append(ellipsoid(groin, np.array([24.0, 9.0, 40.0]) * own, rotation(y_deg=side * 18.0)))
        anus = low + np.array([side * 34.0, 78.0, -14.0]) * w
        shapes.append(ellipsoid(anus, np.array([15.0, 26.0, 32.0]) * own, rotation(y_deg=-side * 20.0)))
        shapes += _planes(build, side, own)
        c5, neck = build.vertebrae["C6"], neck_radius(build)
        shapes.append(ellipsoid(c5 + vec(side * 0.72 * neck, -2.0, -4.0), np.array([8.0, 13.0, 26.0]) * own))
    return shapes


def _planes(build: Build, side: float, own: float) -> list[Shape]:
    """Thin layers of fat between muscles: under gluteus maximus, between the glutei, around the thigh's groups, and
    beside erector spinae."""
    w, joint = build.width, build.hip * [side, 1.0, 1.0]
    thick = 5.0 * own

    def layer(points: list[list[float]], wide: float, flat: list[float]) -> list[Shape]:
        path = joint + np.array(points) * [side * w, w, w]
        return chain(path, wide, flat=np.array(flat) * [side, 1.0, 1.0], flatness=max(1.5, wide / thick))

    thigh = build.symphysis[2] - 200.0 - joint[2]
    shapes = layer([[-28.0, 62.0, 34.0], [4.0, 56.0, 8.0], [34.0, 44.0, -24.0]], 26.0, [0.25, 1.0, 0.1])
    shapes += layer([[-2.0, 66.0, 74.0], [28.0, 46.0, 52.0], [50.0, 16.0, 26.0]], 22.0, [0.6, 0.8, 0.2])
    shapes += layer([[26.0, -54.0, 40.0], [36.0, -58.0, -20.0], [10.0, -56.0, -90.0]], 13.0, [0.7, -0.7, 0.0])
    shapes += layer([[20.0, 40.0, -50.0], [8.0, 34.0, 0.5 * thigh], [4.0, 30.0, thigh]], 20.0, [0.2, 1.0, 0.0])
    shapes += layer([[-28.0, -14.0, -60.0], [-22.0, -12.0, 0.5 * thigh], [-12.0, -10.0, thigh]], 17.0, [0.4, 1.0, 0.0])
    spine = [build.vertebrae[level] + vec(side * x * w, y * w, 0.0)
             for level, x, y in (("L5", 52.0, 50.0), ("L3", 66.0, 48.0), ("L1", 66.0, 46.0))]  # fmt: skip
    return shapes + chain(spine, 14.0, flat=[side * 1.0, 0.5, 0.0], flatness=14.0 / thick)
