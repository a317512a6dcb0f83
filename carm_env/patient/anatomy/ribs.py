"""Ribs with their cartilages and the sternum."""

from __future__ import annotations

import numpy as np

from carm_env.patient.anatomy import ribs_course, ribs_front
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.ribs_course import Course
from carm_env.patient.anatomy.shapes import Shape, chain

SIDES = {"right": -1.0, "left": 1.0}
_LEAN = 26.0
"""Body mass index below which ribs may come near the skin."""


def parts(build: Build) -> list[Part]:
    """Costal cartilages, 24 ribs, sternum."""
    courses = {name: {k: ribs_course.rib(build, k, side) for k in range(1, 13)} for name, side in SIDES.items()}
    soft = [part for name, side in SIDES.items() for part in ribs_front.cartilages(build, side, courses[name])]
    bones = [_rib(build, k, name, courses[name][k]) for k in range(1, 13) for name in SIDES]
    return [*_cover(build, courses), _gaps(build, courses), *soft, *bones, *ribs_front.sternum(build)]


def _cover(build: Build, courses: dict[str, dict[int, Course]]) -> list[Part]:
    """Skin over the uppermost ribs and the costal margin of people so lean that they would stand out of the flesh."""
    if build.person.bmi > _LEAN:
        return []
    shapes: list[Shape] = []
    for name, side in SIDES.items():
        paths = [courses[name][k].points[2:14:3] for k in (1, 2, 3)]
        paths += [courses[name][k].points[8::2] for k in range(6, 12)]
        paths += [path[::2] for path in ribs_front.arch(build, side, courses[name])]
        for path in paths:
            shapes += chain(path, 10.5 * build.width)
    return [tissue("skin", shapes, 30.0, over=["background"])]


def _gaps(build: Build, courses: dict[str, dict[int, Course]]) -> Part:
    """Fat between the intercostal muscles, which makes the edges of the ribs stand out."""
    shapes: list[Shape] = []
    for ribs in courses.values():
        for k in range(2, 10):
            a, b = ribs[k], ribs[k + 1]
            gap = np.linalg.norm(a.points - b.points, axis=1) * 0.5 - 0.5 * (a.half_height + b.half_height)
            height = np.clip(gap - 0.5, 2.4, 7.0)[3::2]
            normals = a.normals + b.normals
            middle = 0.5 * (a.points + b.points) - 0.4 * normals
            shapes += chain(middle[3::2], height, normals[3::2], height / 2.1)
    return tissue("fat", shapes, -75.0, over=["muscle"])


def _rib(build: Build, k: int, name: str, c: Course) -> Part:
    shapes = chain(c.points, c.half_height, c.normals, c.half_height / c.half_thick)
    rng = build.rng(f"rib bone {k} {name}")
    shell = float(np.clip(1.0 * (0.7 + 0.3 * build.bone) + 0.05 * rng.normal(), 0.75, 1.2))
    shapes += _callus(build, k, name, c)
    return bone(f"{name}_rib_{k}", shapes, shell, 150.0 * build.bone, 1220.0, Grain(35.0, 2.5))


def _callus(build: Build, k: int, name: str, c: Course) -> list[Shape]:
    """A healed fracture in two to four ribs in a row, in few people, more of the old."""
    rng = build.rng(f"fractures {name}")
    has, first, count, place = rng.random(4)
    start = 3 + int(5 * first)
    if has > 0.04 + 0.0012 * build.person.age_years or not start <= k < start + 2 + int(3 * count):
        return []
    i = 8 + int(5 * place) + int(build.rng(f"fracture {k} {name}").integers(-1, 2))
    step = c.points[i + 1] - c.points[i]
    swelling = chain([c.points[i] + 0.2 * step, c.points[i] + 0.8 * step], 1.12 * c.half_height[i], c.normals[i], 1.35)
    return [shape.blended(4.0) for shape in swelling]
