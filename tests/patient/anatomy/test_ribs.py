"""Thoracic wall, ribs, cartilages and sternum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carm_env.patient.anatomy import cage, ribs, ribs_course
from carm_env.patient.anatomy.build import Build, draw_build
from tests.patient.anatomy import probe

SEEDS = range(16)


@pytest.fixture(scope="module")
def builds() -> list[Build]:
    return [draw_build(seed) for seed in SEEDS]


def test_every_rib_is_painted_on_its_side(builds: list[Build]) -> None:
    for build in builds[:2]:
        parts = ribs.parts(build)
        for name, side in ribs.SIDES.items():
            for k in (1, 2, 5, 8, 12):
                course = ribs_course.rib(build, k, side)
                middle = course.points[9]
                assert side * (middle[0] - build.vertebrae[f"T{k}"][0]) > 20.0
                assert probe.organ(build, parts, middle) == f"{name}_rib_{k}"


def test_ribs_descend_forward_and_keep_apart(builds: list[Build]) -> None:
    for build in builds:
        for side in (-1.0, 1.0):
            courses = [ribs_course.rib(build, k, side) for k in range(1, 13)]
            for k, course in enumerate(courses, start=1):
                drop = course.points[3, 2] - course.points[-1, 2]
                assert drop > 12.0 * cage.stretch(build), (build.seed, k)
            tops = [course.points[4, 2] for course in courses]
            ends = [course.points[-1, 2] for course in courses[:10]]
            assert np.diff(tops).max() < -8.0
            assert np.diff(ends).max() < -9.0, (build.seed, np.diff(ends))


def test_ribs_do_not_leave_the_wall(builds: list[Build]) -> None:
    for build in builds:
        course = ribs_course.rib(build, 6, 1.0)
        points = course.points[3:]
        cx, cy, a, b = cage.section(build, points[:, 2])
        assert np.all(np.abs(points[:, 0] - cx) < a + 1.0)
        assert np.all(np.abs(points[:, 1] - cy) < b + 1.0)


def test_breadth_of_the_thorax_is_human(builds: list[Build]) -> None:
    breadth = {sex: [2.0 * float(cage.section(b, b.z("T9"))[2]) for b in builds if b.person.sex == sex] for sex in "MF"}
    depth = [2.0 * float(cage.section(b, b.z("T8"))[3]) for b in builds]
    assert 265.0 < np.mean(breadth["M"]) < 325.0
    assert 225.0 < np.mean(breadth["F"]) < 280.0
    assert 170.0 < np.mean(depth) < 225.0
    assert min(depth) > 125.0 and max(depth) < 300.0


def test_wall_reaches_its_section(builds: list[Build]) -> None:
    build = builds[0]
    z = np.array([-40.0, -120.0, -200.0])
    cx, cy, a, b = cage.section(build, z)
    assert np.allclose(cage.wall(build, z, 0.0)[:, 0], cx + a)
    assert np.allclose(cage.wall(build, z, -0.5 * np.pi)[:, 1], cy - b)
    assert np.allclose(cage.surface_y(build, cx, z, False), cage.front_y(build, z), atol=1.0)


def test_sternum_lies_in_front_and_below_its_notch(builds: list[Build]) -> None:
    for build in builds[:3]:
        parts = ribs.parts(build)
        z = ribs_course.notch_z(build) - 25.0
        x, y = float(cage.section(build, z)[0]), float(cage.front_y(build, z))
        column = [probe.organ(build, parts, np.array([x, y + d, z])) for d in (2.0, 4.0, 6.0, 8.0)]
        assert "sternum" in column
        assert y < build.y("T1") - 40.0


@pytest.mark.parametrize(("height", "bmi", "age"), [(1400.0, 17.0, 90.0), (2050.0, 48.0, 20.0), (1400.0, 48.0, 55.0)])
def test_extremes_are_painted(height: float, bmi: float, age: float) -> None:
    base = draw_build(3)
    person = replace(base.person, height_mm=height, bmi=bmi, age_years=age)
    build = replace(base, person=person, width=(height / 1700.0) ** 0.8, chest=(height / 1700.0) ** 0.8)
    parts = ribs.parts(build)
    assert all(np.isfinite(shape.row).all() for part in parts for shape in part.shapes)
