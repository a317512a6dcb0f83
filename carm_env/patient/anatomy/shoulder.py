"""Clavicles and scapulae, hung between sternum and humeral heads on the thoracic wall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import shoulder_blade, shoulder_clavicle
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.shapes import Shape, chain
from carm_env.patient.anatomy.shoulder_blade import Blade
from carm_env.patient.anatomy.shoulder_joint import head_radius, joint

__all__ = ["head_radius", "joint", "parts", "points"]

F64 = NDArray[np.float64]
SIDES = {"right": -1.0, "left": 1.0}


def parts(build: Build) -> list[Part]:
    """Both scapulae and clavicles."""
    blades = {name: shoulder_blade.place(build, side) for name, side in SIDES.items()}
    cover = [shape for name, blade in blades.items() for shape in _cover(build, name, blade)]
    scapulae = [part for name, blade in blades.items() for part in shoulder_blade.parts(build, name, blade)]
    skin = tissue("skin", cover, 30.0, over=["background"])
    return [skin, *scapulae, *(shoulder_clavicle.clavicle(build, name, blades[name]) for name in SIDES)]


def _cover(build: Build, name: str, blade: Blade) -> list[Shape]:
    """Skin about the bones that lie just under it, for those who are so lean that they would stand out of it."""
    w = build.width
    clavicle = shoulder_clavicle.course(build, name, blade)[1:-1:2]
    shapes = [*chain(clavicle, 11.5 * w), *chain(shoulder_blade.crest(blade), 11.0 * w)]
    return shapes if build.person.bmi > 26.0 else [*shapes, *chain(shoulder_blade.rim(blade), 8.5 * w)]


def points(build: Build) -> dict[str, F64]:
    """Inferior angles of the scapulae."""
    return {f"{name}_scapula": shoulder_blade.place(build, side).tip for name, side in SIDES.items()}
