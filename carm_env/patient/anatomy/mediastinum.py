"""The tissue between the lungs, and the diaphragm's muscle with its crura."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage, domes
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.chest_plan import LUNGS, Plan, polar, tube
from carm_env.patient.anatomy.lungs import Lung
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, below, chain, ellipsoid, vec
from carm_env.patient.anatomy.texture import FRACTAL

F64 = NDArray[np.float64]
_FAT_HU = -80.0
_LEVELS, _TURNS = 20, 48


def parts(plan: Plan) -> list[Part]:
    """Mediastinal fat with nodes, thymus, diaphragm."""
    build = plan.build
    young = float(np.clip((42.0 - build.person.age_years) / 20.0, 0.0, 1.0))
    grain = Grain(26.0, 2.2, FRACTAL)
    out = [
        tissue("mediastinum", [_fat(plan)], _FAT_HU, grain=grain, over=LUNGS),
        tissue("mediastinum", _thymus(plan), -80.0 + 100.0 * young, grain=grain, over=(*LUNGS, "mediastinum")),
        tissue("mediastinum", _nodes(plan), 30.0, over=("mediastinum",)),
    ]
    return [*out, _crura(build)]


def _fat(plan: Plan) -> Shape:
    """The septum between the lungs as a tube of drawn sections: thin behind the sternum, wide at the great vessels."""
    build, s = plan.build, plan.scale
    more = 0.05 * build.fat_mm
    z = np.linspace(plan.floor - 70.0, build.z("T1") + 20.0, _LEVELS)
    at = np.array(list(build.vertebrae.values()))[::-1]
    spine_x, spine_y = (np.interp(z, at[:, 2], at[:, i]) for i in (0, 1))
    _, cy, _, deep = cage.section(build, z)
    front = cy - deep + 6.0
    up = np.clip((z - plan.carina[2] + 45.0 * s) / (30.0 * s), 0.0, 1.0)
    neck = np.clip((z - build.z("T1") + 30.0) / 30.0, 0.0, 1.0)
    middle = np.array([spine_x, 0.5 * (front + spine_y)]).T
    sections = []
    for i in range(_LEVELS):
        knots = [front[i], front[i] + 14.0, plan.carina[1] - 30.0 * s, plan.carina[1], spine_y[i] - 20.0 * s,
                 spine_y[i] + 4.0, spine_y[i] + 40.0]  # fmt: skip
        y = np.maximum.accumulate(np.array(knots) + 0.01 * np.arange(7))
        u, k = up[i], neck[i]
        right = np.array([7.0, 6.0, 12.0 + 13.0 * u, 12.0 + 4.0 * u + 8.0 * k, 9.0 + 4.0 * u + 9.0 * k, 20.0, 21.0])
        left = np.array([8.0, 9.0, 14.0 + 12.0 * u, 16.0 + 9.0 * u, 20.0, 21.0, 21.0])
        fine = np.linspace(y[0], y[-1], 60)
        sides = [spine_x[i] + np.interp(fine, y, left + more) * s, spine_x[i] - np.interp(fine, y, right + more) * s]
        outline = np.concatenate([np.stack([sides[0], fine], axis=1), np.stack([sides[1], fine], axis=1)[::-1]])
        sections.append(polar(outline, middle[i], _TURNS))
    return tube(z, middle, np.array(sections))


def _thymus(plan: Plan) -> list[Shape]:
    """Two flat lobes before the great vessels: tissue in the young, fat later."""
    size = plan.scale * float(np.clip(1.25 - 0.012 * plan.build.person.age_years, 0.5, 1.0))
    at = plan.near(-2.0, -60.0, -8.0)
    return [ellipsoid(at + vec(dx * size, 0, 0), np.array([13.0, 9.0, 30.0]) * size) for dx in (-7.0, 9.0)]


def _nodes(plan: Plan) -> list[Shape]:
    """Lymph nodes along the trachea and under its fork."""
    rng = plan.build.rng("nodes")
    spots = [(-14, -8, 10), (-15, -4, 24), (14, -6, 4), (2, 6, -22), (-6, 8, -26), (18, -18, -4)]
    draws = rng.normal(0.0, 1.0, (len(spots), 4))
    return [
        ellipsoid(plan.near(*p) + 2.0 * d[:3], np.array([4.0, 3.5, 6.0]) * (1.0 + 0.2 * d[3].clip(-2, 2)))
        for p, d in zip(spots, draws, strict=True)
    ]


def under_lungs(build: Build, pair: tuple[Lung, Lung]) -> list[Part]:
    """Muscle from just under the domes upwards; the lungs painted later leave a thin sheet of it."""
    shape = domes.diaphragm(build)
    at = np.arange(-208.0, 209.0, 8.0)
    z = domes.heights_of(shape, at[:, None], at[None, :])
    thick = 3.0 * np.minimum(np.sqrt(1.0 + np.hypot(*np.gradient(z, 8.0)) ** 2), 4.0)
    under = below(at, at, z - thick).cut()
    out = []
    for lung in pair:
        levels = max(int((lung.z <= z.max() + 2.0).sum()) + 1, 2)
        out.append(tissue("diaphragm", [lung.body(levels), under], 50.0))
    return out


def _crura(build: Build) -> Part:
    """The diaphragm's pillars before the spine."""
    w, v = build.width, build.vertebrae
    shapes = []
    for side, end, wide in ((-1.0, "L3", 7.0), (1.0, "L2", 5.5)):
        course = (("T11", side * 9.0 + 6.0, -32.0, 8.0), ("T12", side * 14.0, -26.0, 0.0),
                  ("L1", side * 14.0, -23.0, 0.0), (end, side * 9.0, -20.0, 6.0))  # fmt: skip
        path = [v[level] + vec(x, y, z) * w for level, x, y, z in course]
        shapes += chain(path, np.array([5.0, wide, wide, 2.5]) * w, [1.0, 0.3, 0.0], 1.5)
    return tissue("diaphragm", shapes, 52.0)
