"""Where the humeral heads stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage
from carm_env.patient.anatomy.build import Build

F64 = NDArray[np.float64]
_HALF_BREADTH = 192.5
"""Half the breadth between the acromia (mm) for a frame of 1: 400 mm in men of 1.75 m, 365 mm in women of 1.61 m."""
_JOINT = {"at the sides": (-24.0, -74.0, -12.0), "crossed": (-29.0, -84.0, -8.0), "raised": (-40.0, -62.0, 23.0)}
"""Centre of the humeral head by pose, mm: lateral to the acromion at rest, behind the third ribs' back, above T1."""
_JOINT_SD = (4.0, 6.0, 14.0)


def joint(build: Build, side: float) -> F64:
    """Centre of the humeral head [3]; the glenoid's bone begins ``head_radius`` and about 3 mm medial to it."""
    rng = build.rng("shoulder")
    both, own = rng.normal(size=3), rng.normal(size=(2, 3))[int(side > 0)]
    out, back, up = np.array(_JOINT[build.arms]) + np.clip(0.85 * both + 0.4 * own, -2.0, 2.0) * _JOINT_SD
    frame = 0.55 * build.width + 0.45 * build.chest / 0.99
    half = _HALF_BREADTH * frame * build.style.between("shoulder_breadth", 0.95, 1.05)
    _, middle, _, deep = cage.section(build, build.z("T1") - 40.0)
    x = build.vertebrae["T1"][0] + side * (half + out)
    return np.array([x, float(middle + deep) + back * build.width, build.z("T1") + up])


def head_radius(build: Build) -> float:
    """Radius (mm) of the humeral head: about 25 in men, 22 in women."""
    return (24.0 if build.person.sex == "M" else 23.4) * build.width
