"""The spine: landmarks in their bones, sizes within human ranges, processes on their sides, discs between bodies."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from carm_env.patient.anatomy import spine
from carm_env.patient.anatomy.build import LEVELS, Build, draw_build
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.part import Part
from carm_env.patient.anatomy.spine_body import draw_wear
from carm_env.patient.anatomy.spine_sizes import Vertebra, vertebrae
from tests.patient.anatomy.probe import cube, organ

SEEDS = range(14)
BUILDS = [draw_build(seed) for seed in SEEDS]
PARTS = [spine.parts(build) for build in BUILDS]
COLUMNS = [vertebrae(build) for build in BUILDS]
CASES = list(zip(BUILDS, PARTS, COLUMNS, strict=True))


def named(build: Build, parts: list[Part], v: Vertebra, x: float, y: float, z: float) -> str:
    return organ(build, parts, v.at(x, y, z))


@pytest.mark.parametrize("name", ["C2", "T1", "T12", "L5"])
def test_landmarks_lie_in_their_vertebra(name: str) -> None:
    for build, parts, _ in CASES:
        _, labels = cube(build, parts, spine.points(build)[name])
        assert (labels == LABELS[f"vertebra_{name}"]).all(), build.seed


def test_body_sizes_are_human() -> None:
    l4 = np.array(
        [[0.5 * (v.width_up + v.width_low), v.depth, v.height] for c in COLUMNS for v in c if v.level == "L4"]
    )
    t12 = np.array(
        [[0.5 * (v.width_up + v.width_low), v.depth, v.height] for c in COLUMNS for v in c if v.level == "T12"]
    )
    for sizes, low, high in ((l4, [40, 29, 22], [58, 44, 36]), (t12, [33, 26, 18], [49, 40, 31])):
        assert (sizes > low).all() and (sizes < high).all()
    assert np.abs(l4.mean(0) - [47.5, 34.5, 27.5]).max() < 3.0


def test_discs_keep_bodies_apart() -> None:
    for build, parts, column in CASES:
        for v, under in pairwise(column):
            gap = v.gap_low - v.low - under.up
            assert 1.8 < gap < 14.0, (build.seed, v.level)
        v, under = column[20], column[21]
        middle = 0.5 * (v.at(0.0, 0.0, -v.low) + under.at(0.0, 0.0, under.up))
        assert organ(build, parts, middle) == "intervertebral_disc"


def test_canal_is_open_and_spinous_process_is_behind() -> None:
    for build, parts, column in CASES[:4]:
        for v in column[build.seed % 4 :: 4]:
            y = v.back + 0.45 * v.canal_depth
            assert named(build, parts, v, 0.0, y, 0.0) == "spinal_canal", (build.seed, v.level)
        v = column[LEVELS.index("L3")]
        assert named(build, parts, v, 0.0, v.back + v.canal_depth + 0.6 * v.spinous, -0.35 * v.height) == "vertebra_L3"


def test_transverse_processes_and_pedicles_on_both_sides() -> None:
    for build, parts, column in CASES[:4]:
        for level in ("T6", "L2", "L3"):
            v = column[LEVELS.index(level)]
            for side in (-1.0, 1.0):
                x = side * 0.5 * (v.canal_width + v.pedicle_width)
                assert named(build, parts, v, x, v.back + 2.0, v.pedicle_z) == f"vertebra_{level}"


def test_atlas_rings_the_dens() -> None:
    for build, parts, _ in CASES[:4]:
        up = build.frame_at("C2")[:, 2]
        assert organ(build, parts, build.dens - 6.0 * up) == "vertebra_C2"
        labels = {organ(build, parts, build.dens - 7.0 * up + [0.0, -y, 0.0]) for y in (7.0, 8.5, 10.0, 11.5)}
        assert "vertebra_C1" in labels, build.seed


def test_bone_thins_with_age_and_breaks_only_in_the_old() -> None:
    build = draw_build(2)
    dense, thin = replace(build, bone=1.1), replace(build, bone=0.4)
    hu = [float(cube(b, spine.parts(b), b.vertebrae["L5"], half=3)[0].mean()) for b in (dense, thin)]
    assert 170.0 < hu[0] < 280.0 and 55.0 < hu[1] < 120.0
    young = replace(build, person=replace(build.person, age_years=30.0))
    assert all(w.front < 0.05 * v.height for w, v in zip(draw_wear(young, COLUMNS[2]), COLUMNS[2], strict=True))


@pytest.mark.parametrize(("bone", "age"), [(0.3, 90.0), (1.3, 20.0)])
def test_extremes_paint(bone: float, age: float) -> None:
    for build in BUILDS[:2]:
        odd = replace(build, bone=bone, person=replace(build.person, age_years=age), width=0.82)
        for part in spine.parts(odd):
            assert all(np.isfinite(s.row).all() for s in part.shapes)
