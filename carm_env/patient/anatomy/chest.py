"""The chest's organs in the order of painting: lungs, mediastinum, diaphragm, heart, vessels, airways."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import airways, domes, heart, lungs, mediastinum, vessels
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.chest_plan import draw_plan
from carm_env.patient.anatomy.extended import Summit
from carm_env.patient.anatomy.part import Part

F64 = NDArray[np.float64]


def parts(build: Build) -> list[Part]:
    """All organs of the chest, with the great vessels from the neck to the groins."""
    plan = draw_plan(build)
    pair = lungs.draw_lungs(build)
    return [
        *mediastinum.under_lungs(build, pair),
        *lungs.parts(plan, pair),
        *mediastinum.parts(plan),
        *heart.parts(plan),
        *lungs.vessel_parts(plan, pair),
        *vessels.parts(plan),
        *airways.parts(plan),
    ]


def points(build: Build) -> dict[str, F64]:
    """Fork of the trachea (in its air), highest points of both hemidiaphragms and of the aortic arch."""
    plan = draw_plan(build)
    return {
        "carina": plan.carina,
        "right_hemidiaphragm": domes.dome_top(build, -1.0),
        "left_hemidiaphragm": domes.dome_top(build, 1.0),
        "aortic_arch_top": vessels.arch_top(plan),
    }


def extended(build: Build) -> dict[str, Summit]:
    """Landmarks that are tops of surfaces."""
    return {f"{name}_hemidiaphragm": domes.dome(build, side) for side, name in ((-1.0, "right"), (1.0, "left"))}
