"""Pelvis and femora: hip bones, symphysis, sacrum, coccyx, proximal thigh bones; the landmarks upon them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.extended import Summit
from carm_env.patient.anatomy.femur import femur_parts
from carm_env.patient.anatomy.part import Part
from carm_env.patient.anatomy.pelvis_frame import Basin
from carm_env.patient.anatomy.pelvis_hip import crest, hip_parts
from carm_env.patient.anatomy.pelvis_sacrum import sacrum_parts

F64 = NDArray[np.float64]


def parts(build: Build) -> list[Part]:
    """Hip bones and symphysis, then sacrum and coccyx, then the femora."""
    basin = Basin(build)
    return [*hip_parts(basin), *sacrum_parts(basin), *femur_parts(basin)]


def points(build: Build) -> dict[str, F64]:
    """Landmarks in the bones, and where the common femoral arteries are punctured over the lower half of the heads."""
    basin = Basin(build)
    named = {"pubic_symphysis": build.symphysis}
    for side, name in ((-1.0, "right"), (1.0, "left")):
        head = build.hip * [side, 1.0, 1.0]
        named[f"{name}_iliac_crest"] = crest(basin, side).point()
        named[f"{name}_femoral_head"] = head
        groin = np.array([-side * 6.0, -38.0 * build.width, -0.45 * basin.head_radius])
        named[f"{name}_groin_puncture"] = head + groin
    return named


def extended(build: Build) -> dict[str, Summit]:
    """Landmarks that are tops of surfaces."""
    basin = Basin(build)
    return {f"{name}_iliac_crest": crest(basin, side) for side, name in ((-1.0, "right"), (1.0, "left"))}
