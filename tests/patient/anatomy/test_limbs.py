"""Arms: landmarks in their bones, lengths, and clear of trunk and head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carm_env.patient.anatomy import limbs, limbs_pose
from carm_env.patient.anatomy.build import Arms, draw_build
from carm_env.patient.anatomy.flesh_outline import draw_outline
from carm_env.patient.anatomy.labels import LABELS
from tests.patient.anatomy.probe import cube

BONE_OF = {"humeral_head": "humerus", "elbow": "humerus", "wrist": "hand"}
POSES: tuple[Arms, ...] = ("raised", "crossed", "at the sides")


def test_landmarks_lie_inside_their_bones() -> None:
    for seed in range(30):
        build = draw_build(seed)
        parts = limbs.parts(build)
        for name, point in limbs.points(build).items():
            side, joint = name.split("_", 1)
            assert (point[0] > 0) == (side == "left") or joint == "wrist"
            near = [part for part in parts if part.label.startswith(side)]
            labels = cube(build, near, point)[1]
            assert (labels == LABELS[f"{side}_{BONE_OF[joint]}"]).all(), (seed, name)


def test_lengths_follow_the_height() -> None:
    for seed in range(12):
        build = draw_build(seed)
        for arm in limbs_pose.arms(build, draw_outline(build)):
            h = build.person.height_mm
            assert 0.165 * h < np.linalg.norm(arm.elbow - arm.shoulder) < 0.200 * h
            assert 0.138 * h < np.linalg.norm(arm.wrist - arm.elbow) < 0.175 * h


@pytest.mark.parametrize("pose", POSES)
def test_bones_stay_out_of_the_trunk(pose: Arms) -> None:
    for seed in range(8):
        build = replace(draw_build(seed), arms=pose)
        outline = draw_outline(build)
        for arm in limbs_pose.arms(build, outline):
            t = np.linspace(0.25, 1.0, 8)[:, None]
            fore, hand = arm.elbow + t * (arm.wrist - arm.elbow), arm.wrist + t * (arm.fingers - arm.wrist)
            assert outline.clearance(fore).min() > 7.0
            assert outline.clearance(hand).min() > 2.0


@pytest.mark.parametrize("pose", ["raised", "crossed"])
def test_arms_do_not_pass_through_each_other(pose: Arms) -> None:
    t = np.linspace(0.3, 1.0, 12)[:, None]
    for seed in range(40):
        build = replace(draw_build(seed), arms=pose)
        lines = [
            (arm.elbow + t * (arm.wrist - arm.elbow), arm.wrist + t * (arm.fingers - arm.wrist))
            for arm in limbs_pose.arms(build, draw_outline(build))
        ]
        for i, right in enumerate(lines[0]):
            for j, left in enumerate(lines[1]):
                gap = np.linalg.norm(right[:, None] - left, axis=-1).min()
                assert gap > (34.0, 25.0, 15.0)[i + j], (seed, gap)


def test_poses_differ() -> None:
    build = draw_build(3)
    wrists = {}
    for pose in POSES:
        posed = replace(build, arms=pose)
        wrists[pose] = limbs_pose.arms(posed, draw_outline(posed))[1].wrist
    assert wrists["raised"][2] > build.z("C4")
    assert wrists["at the sides"][2] < build.z("L4")
    assert wrists["crossed"][1] < build.y("T8") - 120.0


def test_extremes_have_arms() -> None:
    for bmi in (17.0, 48.0):
        for height in (1400.0, 2050.0):
            for pose in POSES:
                build = draw_build(5)
                build = replace(build, arms=pose, person=replace(build.person, bmi=bmi, height_mm=height))
                assert all(np.isfinite(s.row).all() for part in limbs.parts(build) for s in part.shapes)
