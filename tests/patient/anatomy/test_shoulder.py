"""Shoulder girdle: scapulae, clavicles and the place of the humeral heads."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.patient.anatomy import cage, shoulder, shoulder_blade, shoulder_clavicle
from carm_env.patient.anatomy.build import Build, draw_build
from tests.patient.anatomy import probe


@pytest.fixture(scope="module")
def builds() -> list[Build]:
    return [draw_build(seed) for seed in range(30)]


def test_tip_lies_inside_its_scapula(builds: list[Build]) -> None:
    for build in builds[:20]:
        for name, side in shoulder.SIDES.items():
            blade = shoulder_blade.place(build, side)
            _, labels = probe.cube(build, shoulder_blade.parts(build, name, blade), blade.tip)
            assert {probe.NAMES[i] for i in np.unique(labels)} == {f"{name}_scapula"}, build.seed


def test_points_are_the_tips_of_the_finished_scapulae(builds: list[Build]) -> None:
    parts = shoulder.parts(builds[0])
    for name, point in shoulder.points(builds[0]).items():
        assert probe.organ(builds[0], parts, point) == name


def test_means_agree_with_measured_people(builds: list[Build]) -> None:
    tips = [p[2] - b.z("T1") for b in builds for p in shoulder.points(b).values()]
    heads = [shoulder.joint(b, s)[2] - b.z("T1") for b in builds for s in (-1.0, 1.0)]
    assert -147.0 < np.mean(tips) < -115.0
    assert -4.0 < np.mean(heads) < 16.0


def test_sizes_are_human(builds: list[Build]) -> None:
    for build in builds:
        for side in (-1.0, 1.0):
            blade = shoulder_blade.place(build, side)
            assert 118.0 < np.linalg.norm(blade.nodes[11] - blade.nodes[5]) < 220.0
            assert 75.0 < np.linalg.norm(blade.nodes[9] - blade.glenoid) < 130.0
            length = np.linalg.norm(blade.acromion[3] - shoulder_clavicle.medial_end(build, side))
            assert 95.0 < length < 225.0, build.seed


def test_sides_and_glenoid(builds: list[Build]) -> None:
    for build in builds:
        for side in (-1.0, 1.0):
            blade = shoulder_blade.place(build, side)
            head = shoulder.joint(build, side)
            assert side * head[0] > side * blade.glenoid[0] > side * blade.tip[0] - 40.0
            assert 20.0 < np.linalg.norm(head - blade.glenoid) < 40.0
            assert blade.tip[2] < head[2] - 70.0


def test_blade_stays_clear_of_the_ribs(builds: list[Build]) -> None:
    for build in builds:
        for side in (-1.0, 1.0):
            nodes = shoulder_blade.place(build, side).nodes
            inside = np.abs(nodes[:, 0] - build.vertebrae["T1"][0]) < 0.9 * cage.section(build, nodes[:, 2])[2]
            behind = nodes[:, 1] - cage.surface_y(build, nodes[:, 0], nodes[:, 2], True)
            assert behind[inside].min() > 3.0


def test_raised_arms_swing_the_tip_outwards(builds: list[Build]) -> None:
    def out(arms: str) -> float:
        return float(
            np.mean([abs(p[0]) / b.width for b in builds if b.arms == arms for p in shoulder.points(b).values()])
        )

    assert out("raised") > out("at the sides") + 8.0
