"""The clavicle: S-shaped, from the manubrium to the acromion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage, ribs_course
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, bone
from carm_env.patient.anatomy.shapes import chain, unit, vec
from carm_env.patient.anatomy.shoulder_blade import Blade

F64 = NDArray[np.float64]
_AT = [0.0, 0.1, 0.22, 0.36, 0.5, 0.64, 0.78, 0.9, 1.0]
_AHEAD = [0.0, 0.04, 0.07, 0.075, 0.045, -0.02, -0.075, -0.06, 0.0]
"""How far the bone bows forward, over its length."""
_STEPS = np.linspace(0.0, 1.0, 15)
_RADIUS = [10.0, 8.4, 6.9, 6.0, 5.8, 6.2, 7.6, 9.0, 8.5]
_FLATNESS = [1.0, 1.0, 1.0, 1.0, 1.0, 1.1, 1.35, 1.65, 1.8]


def medial_end(build: Build, side: float) -> F64:
    """Centre of the sternal end [3], on the shoulder of the manubrium."""
    z = ribs_course.notch_z(build) + 7.0
    wide = 23.0 * ribs_course.bone_scale(build)
    centre = float(cage.section(build, z)[0])
    return np.array([centre + side * wide, float(cage.front_y(build, ribs_course.notch_z(build))) + 10.0, z])


def course(build: Build, name: str, blade: Blade) -> F64:
    """The clavicle's centre line [15, 3] from the manubrium outwards."""
    own = np.clip(build.rng(f"clavicle {name}").normal(size=2), -2.0, 2.0)
    start = medial_end(build, blade.side)
    end = blade.acromion[3] + vec(-blade.side * 11.0, -2.0, -1.0)
    along = end - start
    length = float(np.linalg.norm(along))
    ahead = vec(0.0, -1.0, 0.0) + unit(along) * unit(along)[1]
    bow = np.interp(_STEPS, _AT, _AHEAD) * length * (1.0 + 0.15 * own[0])
    arch = (2.0 + 2.0 * own[1]) * np.sin(np.pi * _STEPS) * build.width
    path = start + _STEPS[:, None] * along + bow[:, None] * unit(ahead)
    return np.asarray(path + arch[:, None] * vec(0.0, 0.0, 1.0), float)


def clavicle(build: Build, name: str, blade: Blade) -> Part:
    """One clavicle."""
    own = float(np.clip(build.rng(f"clavicle size {name}").normal(), -2.0, 2.0))
    size = ribs_course.bone_scale(build) * (1.0 + 0.04 * own)
    radius, flatness = np.interp(_STEPS, _AT, _RADIUS) * size, np.interp(_STEPS, _AT, _FLATNESS)
    shapes = chain(course(build, name, blade), radius, vec(0.0, 0.0, 1.0), flatness)
    shell = 1.9 * (0.7 + 0.3 * build.bone)
    return bone(f"{name}_clavicle", shapes, shell, 190.0 * build.bone, 1200.0, Grain(45.0, 2.5))
