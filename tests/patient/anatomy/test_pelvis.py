"""Pelvis and femora: landmarks in their bones, sides, sizes within human ranges, joints open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carm_env.patient.anatomy import pelvis
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.femur import draw_femur
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.part import Part
from carm_env.patient.anatomy.pelvis_frame import Basin
from carm_env.patient.anatomy.pelvis_hip import crest_axis
from tests.patient.anatomy.probe import cube, organ

SEEDS = range(40)
BONE_OF = {"iliac_crest": "hip", "femoral_head": "femur"}


@pytest.fixture(scope="module")
def builds() -> list[Build]:
    return [draw_build(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def bodies(builds: list[Build]) -> list[tuple[Build, list[Part]]]:
    return [(build, pelvis.parts(build)) for build in builds]


def test_landmarks_lie_inside_their_bones(bodies: list[tuple[Build, list[Part]]]) -> None:
    for build, parts in bodies:
        points = pelvis.points(build)
        for side in ("right", "left"):
            for name, bone in BONE_OF.items():
                _, labels = cube(build, parts, points[f"{side}_{name}"])
                assert (labels == LABELS[f"{side}_{bone}"]).all(), (build.seed, side, name)
        _, labels = cube(build, parts, points["pubic_symphysis"])
        assert (labels == LABELS["pubic_symphysis"]).all(), build.seed


def test_points_are_on_their_sides_and_at_the_anchors(builds: list[Build]) -> None:
    for build in builds:
        points = pelvis.points(build)
        for name in ("iliac_crest", "femoral_head", "groin_puncture"):
            assert points[f"right_{name}"][0] < -50.0 and points[f"left_{name}"][0] > 50.0
        np.testing.assert_allclose(points["left_femoral_head"], build.hip)
        np.testing.assert_allclose(points["pubic_symphysis"], build.symphysis)
        groin = points["left_groin_puncture"] - build.hip
        assert groin[0] == pytest.approx(-6.0) and -60.0 < groin[1] < -25.0 and -15.0 < groin[2] < -5.0


def test_crest_reaches_the_lower_lumbar_spine(builds: list[Build]) -> None:
    for build in builds:
        top = pelvis.points(build)["left_iliac_crest"][2]
        assert build.z("L5") - 5.0 < top < build.z("L3"), build.seed


def test_breadth_between_the_crests_is_human(builds: list[Build]) -> None:
    breadth = [2.0 * crest_axis(Basin(b), 1.0)[:, 0].max() + 12.0 for b in builds]
    assert min(breadth) > 195.0 and max(breadth) < 350.0
    assert 245.0 < float(np.median(breadth)) < 300.0


def test_anterior_spines_and_symphysis_lie_in_about_one_coronal_plane(builds: list[Build]) -> None:
    for build in builds:
        spine = crest_axis(Basin(build), 1.0)[-1]
        assert abs(spine[1] - build.symphysis[1]) < 22.0


def test_women_have_the_wider_pubic_arch() -> None:
    base = draw_build(3)
    shapes = {sex: Basin(replace(base, person=replace(base.person, sex=sex))).female for sex in ("F", "M")}
    assert shapes["F"] > shapes["M"] + 0.5


def test_femur_is_shaped_like_one(builds: list[Build]) -> None:
    for build in builds:
        basin = Basin(build)
        for side in (-1.0, 1.0):
            femur = draw_femur(basin, side)
            neck, down = femur.head - femur.crossing, -femur.axes[:, 2]
            angle = np.degrees(np.arccos(neck @ down / np.linalg.norm(neck)))
            assert 117.0 < angle < 138.0
            assert side * femur.crossing[0] > side * femur.head[0] + 20.0
            assert 19.0 < femur.radius < 29.0
            assert (femur.crossing + femur.length * down)[2] < build.symphysis[2] - 190.0


def test_joint_space_and_marrow_are_dark_and_cortex_is_dense(bodies: list[tuple[Build, list[Part]]]) -> None:
    for build, parts in bodies[:12]:
        basin = Basin(build)
        femur = draw_femur(basin, 1.0)
        gap = 0.5 * (basin.head_radius + basin.joint_radius)
        hu, _ = cube(build, parts, build.hip + np.array([0.0, 0.0, gap]), half=0)
        assert hu[0, 0, 0] < 400, build.seed
        shaft = femur.crossing - 130.0 * build.width * femur.axes[:, 2]
        assert cube(build, parts, shaft, half=0)[0][0, 0, 0] < 60
        wall = shaft + 11.5 * build.width * femur.axes[:, 0]
        assert cube(build, parts, wall, half=0)[0][0, 0, 0] > 1000


def test_obturator_foramen_is_open(bodies: list[tuple[Build, list[Part]]]) -> None:
    for build, parts in bodies[:12]:
        basin = Basin(build)
        place = basin.at([38.0, -22.0, -32.0], 1.0)
        assert organ(build, parts, place) == "background", build.seed


@pytest.mark.parametrize("change", [{"width": 0.78, "pelvis": 0.75}, {"width": 1.2, "pelvis": 1.25}, {"bone": 0.3}])
def test_extremes_stay_finite(change: dict[str, float]) -> None:
    for part in pelvis.parts(replace(draw_build(7), **change)):  # type: ignore[arg-type]
        for shape in part.shapes:
            assert np.isfinite(shape.row).all()
            assert shape.table is None or np.isfinite(shape.table).all()
