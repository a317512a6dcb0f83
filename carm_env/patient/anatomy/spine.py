"""Vertebrae C1 to L5, their discs and the spinal canal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, chain
from carm_env.patient.anatomy.spine_arch import lumbar, pedicles, thoracic
from carm_env.patient.anatomy.spine_body import body_shapes, discs, draw_wear, vein
from carm_env.patient.anatomy.spine_cervical import atlas, axis, cervical
from carm_env.patient.anatomy.spine_sizes import Vertebra, vertebrae
from carm_env.patient.anatomy.texture import RIDGED

F64 = NDArray[np.float64]
CORE_HU = {"C": 285.0, "T": 225.0, "L": 200.0}
"""Trabecular HU of bodies at 30 years; a woman of 49 measured 200 at T9, 180 at T12 and 155-175 at L1-L5."""

_BEHIND_LUNG = ("right_lung", "left_lung", "lung_vessel", "mediastinum", "fat")
_ARCH = {"C": (0.95, 0.8, 70.0), "T": (1.0, 0.65, 80.0), "L": (1.5, 0.6, 250.0)}
"""Of the arches: thickness of the shell (mm), share of the body's trabecular HU and what comes on top."""


def parts(build: Build) -> list[Part]:
    """Canal, fat of the foramina, discs, then each vertebra from L5 up: arch first, then the body with its pedicles."""
    column = vertebrae(build)
    wear = draw_wear(build, column)
    rng = build.rng("spine bone")
    drawn = np.clip(rng.standard_normal((len(column), 3)), -2.0, 2.0)
    grain = Grain(
        build.style.between("trabecular_grain", 22.0, 48.0), build.style.between("trabecular_grain", 2.0, 1.3), RIDGED
    )
    found = [*_canal(build, column), *discs(column, build)]
    for v, w, own in zip(reversed(column), reversed(wear), reversed(drawn), strict=True):
        label, region = f"vertebra_{v.level}", v.level[0]
        core = CORE_HU[region] * build.bone * (1.0 + 0.05 * own[0]) * (1.25 if w.front > 0.1 * v.height else 1.0)
        shell, share, extra = _ARCH[region]
        arch_core = share * core + extra * build.bone**0.5
        body, arch = body_shapes(v, w), _arch(build, v, own[1])
        if v.level == "C2":
            found.append(bone(label, [*body, *arch], 1.1, core, _cortex(build, 1000.0), grain))
            continue
        found.append(bone(label, arch, shell, arch_core, _cortex(build, 1100.0), grain))
        found.append(bone(label, body, 0.65, core, _cortex(build, 850.0), grain))
        if v.index > 8:
            found.append(tissue(label, [vein(v)], 0.6 * core))
    ring = bone("vertebra_C1", atlas(build, column[0]), 1.1, 240.0 * build.bone, _cortex(build, 1000.0), grain)
    return [*found, ring]


def points(build: Build) -> dict[str, F64]:
    """Centres of the bodies that are landmarks."""
    return {name: build.vertebrae[name].copy() for name in ("C2", "T1", "T12", "L5")}


def _cortex(build: Build, hu: float) -> float:
    """HU of cortical bone, which thins with age less than the trabeculae do."""
    return hu * (0.7 + 0.3 * min(1.1, build.bone))


def _arch(build: Build, v: Vertebra, skew: float) -> list[Shape]:
    if v.level == "C2":
        return axis(build, v)
    if v.level[0] == "C":
        return cervical(v)
    return [*pedicles(v), *(thoracic(v) if v.level[0] == "T" else lumbar(v, float(skew)))]


def _canal(build: Build, column: list[Vertebra]) -> list[Part]:
    """The dural sac with epidural fat behind and beside it, the cord down to L1 and fat in the foramina."""
    middle, wide, deep = [], [], []
    for v in column:
        for z in (0.5 * v.up, -0.5 * v.low):
            middle.append(v.at(0.0, v.back + 0.5 * v.canal_depth, z))
            wide.append(v.canal_width)
            deep.append(v.canal_depth)
    top = build.head([0.0, 26.0, -70.0])
    path = np.array([top, *middle])
    wide_mm, deep_mm = np.array([26.0 * build.width, *wide]), np.array([22.0 * build.width, *deep])
    back = column[10].turn[:, 1]
    sac = chain(path, 0.5 * wide_mm + 0.5, back, wide_mm / deep_mm)
    end = 2 * 18 + 2
    cord = chain(path[:end], 0.30 * wide_mm[:end], back, 1.45)
    holes = []
    for v, under in pairwise(column[1:]):
        z = 0.5 * (v.pedicle_z - v.gap_low + under.pedicle_z)
        y, x = v.back + 0.15 * v.canal_depth, 0.5 * v.canal_width
        for side in (-1.0, 1.0):
            holes.append(capsule(v.at(side * (x - 1.0), y, z), v.at(side * (x + 9.0), y + 1.0, z), 4.2 * v.scale))
    nape = chain(path[:6], 24.0 * build.width)
    atlas_at = build.dens - column[0].aim(0.0, 0.0, 7.0)
    arm = column[0].aim(38.0, 8.0, 0.0) * build.width
    nape.append(capsule(atlas_at - arm * [1.0, -1.0, 1.0], atlas_at + arm, 10.0))
    return [
        tissue("muscle", nape, 50.0, over={"background"}),
        tissue("muscle", _gutters(column), 48.0, grain=Grain(10.0, 2.5), over=_BEHIND_LUNG),
        tissue("fat", holes, -60.0, grain=Grain(25.0, 2.0), over={"muscle"}),
        tissue("spinal_canal", sac, 22.0, grain=Grain(6.0, 2.0)),
        tissue("spinal_canal", cord, 40.0),
    ]


def _gutters(column: list[Vertebra]) -> list[Shape]:
    """Muscles and ligaments between the laminae and transverse processes of T1 to L1, where no lung reaches."""
    k = column[18].scale
    shapes = []
    for x, y, r in ((-24.5, 15.0, 8.5), (-15.5, 6.0, 8.5), (0.0, 13.0, 13.5), (15.5, 6.0, 8.5), (24.5, 15.0, 8.5)):
        path = [v.at(x * k, v.back + y * k, 0.0) for v in column[6:19]]
        shapes += chain(path, r * k)
    return shapes
