"""Bones of the arms in three poses: raised, crossed over the belly, at the sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import limbs_bones, limbs_hand, limbs_pose
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.flesh_outline import draw_outline
from carm_env.patient.anatomy.part import Part, bone

F64 = NDArray[np.float64]


def parts(build: Build) -> list[Part]:
    """Hand, forearm and humerus of both sides; their flesh is part of ``flesh``."""
    parts: list[Part] = []
    for arm in limbs_pose.arms(build, draw_outline(build)):
        label = f"{limbs_bones.name(arm.side)}_hand"
        parts += limbs_bones.forearm(build, arm)
        parts += limbs_bones.humerus(build, arm)
        parts.append(bone(label, limbs_hand.long_bones(build, arm), 1.6, 250.0 * build.bone, 1150.0))
        parts.append(
            bone(label, limbs_hand.carpals(build, arm), 1.0, 330.0 * build.bone, 800.0, limbs_bones.spongy(build))
        )
    return parts


def points(build: Build) -> dict[str, F64]:
    """Centres of humeral heads, elbows (axis of trochlea and capitulum) and wrists (capitate)."""
    out: dict[str, F64] = {}
    for arm in limbs_pose.arms(build, draw_outline(build)):
        side = limbs_bones.name(arm.side)
        out |= {f"{side}_humeral_head": arm.shoulder, f"{side}_elbow": arm.elbow, f"{side}_wrist": arm.wrist}
    return out
