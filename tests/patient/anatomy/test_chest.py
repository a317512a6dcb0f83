"""Chest: landmarks in their organs, sides right, human dimensions, extremes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from carm_env.patient.anatomy import chest, domes, vessels
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.chest_plan import draw_plan
from carm_env.patient.anatomy.lung_tree import grow
from carm_env.patient.anatomy.lungs import draw_lung
from carm_env.patient.anatomy.painter import STILL, paint
from carm_env.patient.anatomy.part import Part
from tests.patient.anatomy.probe import NAMES, cube, organ

SEEDS = range(8)
MANY = range(40)
SIDES = {"right": -1.0, "left": 1.0}
LUNG = ("lung", "lung_vessel", "airway")


@cache
def body(seed: int) -> tuple[Build, tuple[Part, ...]]:
    build = draw_build(seed)
    return build, tuple(chest.parts(build))


@pytest.mark.parametrize("seed", SEEDS)
def test_landmarks_lie_in_their_organs(seed: int) -> None:
    build, parts = body(seed)
    points = chest.points(build)
    _, labels = cube(build, parts, points["carina"])
    assert {NAMES[i] for i in labels.ravel()} == {"airway"}
    assert organ(build, parts, points["aortic_arch_top"] - [0.0, 0.0, 3.0]) == "aorta"
    assert organ(build, parts, points["aortic_arch_top"] - [0.0, 0.0, -2.0]) != "aorta"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SIDES)
def test_dome_is_where_lung_meets_diaphragm(seed: int, name: str) -> None:
    build, parts = body(seed)
    top = chest.points(build)[f"{name}_hemidiaphragm"]
    above = organ(build, parts, top - [0.0, 0.0, -2.0])
    assert above == f"{name}_lung" or above in LUNG
    assert organ(build, parts, top - [0.0, 0.0, 1.5]) == "diaphragm"
    assert SIDES[name] * top[0] > 20.0
    assert top[2] == pytest.approx(float(domes.heights(build, top[0], top[1])), abs=1e-6)


def test_priors_of_carina_and_domes() -> None:
    found = np.array([[chest.points(draw_build(s))[n][2] for n in
                       ("carina", "right_hemidiaphragm", "left_hemidiaphragm")] for s in MANY])  # fmt: skip
    assert found.mean(0) == pytest.approx([-62.0, -157.0, -175.0], abs=9.0)
    assert 4.0 < found[:, 0].std() < 10.0
    assert 20.0 < found[:, 1].std() < 40.0
    assert (found[:, 1] > found[:, 2]).mean() > 0.9


def test_heart_and_arch_have_human_size() -> None:
    for seed in MANY:
        plan = draw_plan(draw_build(seed))
        width, depth, height = plan.heart_size
        assert 75.0 < width < 175.0 and 60.0 < depth < 160.0 and 45.0 < height < 185.0
        assert 18.0 < vessels.arch_top(plan)[2] - plan.carina[2] < 52.0
        assert plan.heart((0.67, 0.3, 0.1))[0] - plan.carina[0] > 1.4 * (
            plan.carina[0] - plan.heart((-0.33, 0.5, 0.5))[0]
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_apex_of_the_heart_is_left_and_in_front(seed: int) -> None:
    build, parts = body(seed)
    plan = draw_plan(build)
    assert organ(build, parts, plan.heart((0.45, 0.42, 0.35))) == "heart"
    mirrored = plan.heart((0.45, 0.42, 0.35)) * [-1.0, 1.0, 1.0] + [2.0 * plan.heart_x, 0.0, 0.0]
    assert organ(build, parts, mirrored) != "heart"


@pytest.mark.parametrize("seed", SEEDS)
def test_lungs_are_air_on_their_side(seed: int) -> None:
    build, parts = body(seed)
    for name, side in SIDES.items():
        lung = draw_lung(build, side)
        i = int(0.8 * len(lung.z))
        point = np.array([lung.centres[i, 0] + side * 18.0, lung.centres[i, 1] - 12.0, lung.z[i]])
        hu, labels = cube(build, parts, point, half=3, step=2.0)
        names = np.array(NAMES)[labels]
        assert (names == f"{name}_lung").mean() > 0.4
        assert np.median(hu[names == f"{name}_lung"]) < -550


@pytest.mark.parametrize("seed", range(3))
def test_lung_volume_is_human(seed: int) -> None:
    build, parts = body(seed)
    step, low = 8.0, np.array([-190.0, build.y("T1") - 140.0, build.z("L2")])
    hu, labels = np.full((48, 36, 56), 0, np.int16), np.zeros((48, 36, 56), np.uint8)
    paint(parts, STILL, low, step, hu, labels)
    names = np.array(NAMES)[labels]
    litres = {side: float((names == f"{side}_lung").sum()) * step**3 / 1e6 for side in SIDES}
    assert 0.8 < litres["left"] < 4.8 and 0.9 < litres["right"] < 5.0
    assert litres["left"] < 1.1 * litres["right"]


@pytest.mark.parametrize(("bmi", "height", "age"), [(48.0, 1400.0, 90.0), (17.0, 2050.0, 20.0)])
def test_extremes_do_not_crash(bmi: float, height: float, age: float) -> None:
    for seed in range(2):
        build = draw_build(seed)
        build = replace(build, person=replace(build.person, bmi=bmi, height_mm=height, age_years=age))
        rows = np.array([s.row for part in chest.parts(build) for s in part.shapes])
        assert np.isfinite(rows).all()
        assert all(np.isfinite(p).all() for p in chest.points(build).values())


def test_a_tree_reaches_every_target_and_tapers() -> None:
    rng = np.random.default_rng(0)
    targets = rng.uniform(-50.0, 50.0, (37, 3))
    tree = grow(rng, np.array([90.0, 0.0, 0.0]), targets, 6.0)
    ends = {tuple(np.round(b, 6)) for b in tree[:, 3:6]}
    assert all(tuple(np.round(t, 6)) in ends for t in targets)
    assert tree[:, 6:].max() <= 6.0 and (tree[:, 6] >= tree[:, 7]).all()


def test_young_walls_are_free_of_calcium_and_old_ones_are_not() -> None:
    def flecks(age: float) -> int:
        total = 0
        for seed in range(2):
            build = draw_build(seed)
            build = replace(build, person=replace(build.person, age_years=age))
            total += sum(len(p.shapes) for p in chest.parts(build) if p.hu > 500.0)
        return total

    assert flecks(30.0) < 5
    assert flecks(86.0) > 20
