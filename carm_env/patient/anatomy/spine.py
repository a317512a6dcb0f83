"""Vertebrae C1 to L5, sacrum and coccyx."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import LEVELS, Build
from carm_env.patient.anatomy.shapes import bone, capsule, chain, ellipsoid, plate, vec

F64 = NDArray[np.float64]
_AT = [0, 5, 6, 17, 18, 22]
_SIZE = {
    "half width": [9.0, 13.0, 14.5, 20.5, 21.5, 25.5],
    "half depth": [7.5, 8.5, 9.0, 15.5, 16.5, 18.0],
    "spinous": [14.0, 30.0, 30.0, 20.0, 24.0, 20.0],
    "spinous drop": [4.0, 8.0, 12.0, 8.0, 6.0, 4.0],
    "transverse": [17.0, 26.0, 32.0, 24.0, 34.0, 42.0],
    "pedicle": [3.0, 3.5, 4.0, 5.5, 6.0, 7.0],
}


def spine_bones(build: Build) -> F64:
    """Rows of all vertebrae and of the sacrum."""
    rows = [_vertebra(build, i) for i in range(len(LEVELS))]
    return np.concatenate([*rows, _atlas(build), _sacrum(build)])


def _vertebra(build: Build, i: int) -> F64:
    """One vertebra; its trabecular HU fall with age from 270 to 180 (an estimate)."""
    k = build.width
    size = {name: float(np.interp(i, _AT, values)) * k for name, values in _SIZE.items()}
    centre = build.vertebrae[LEVELS[i]]
    turn = tilt(build.tangent_deg[LEVELS[i]])
    half = 0.40 * _gap(build, i)
    a, b, r = size["half width"], size["half depth"], size["pedicle"]

    def at(x: float, y: float, z: float) -> F64:
        return centre + turn @ np.array([x, y, z])

    canal = 15.0 * k
    parts = [
        capsule(at(0, b + canal, -0.2 * half), at(0, b + canal + size["spinous"], -size["spinous drop"]), 3.5, 4.0)
    ]
    for side in (-1.0, 1.0):
        root = at(side * 0.72 * a, b + 0.55 * canal, 0.2 * half)
        parts += [
            capsule(at(side * 0.62 * a, 0.7 * b, 0.3 * half), root, r),
            capsule(root, at(0, b + canal + 3.0, -0.2 * half), 3.6),
            capsule(root, at(side * size["transverse"], b + 0.8 * canal, 0.3 * half), 0.8 * r, 3.5),
            capsule(at(side * 0.75 * a, b + 0.7 * canal, half), at(side * 0.75 * a, b + 0.8 * canal, -1.2 * half), r),
        ]
    if LEVELS[i] == "C2":
        parts.append(capsule(centre, build.dens - vec(0.0, 0.0, 5.0), 6.0, 5.0))
    core = 270.0 - 1.3 * (build.age_years - 20.0)
    body = bone([ellipsoid(centre, [a, b, half], turn, 8.0)], 1.2, core, 850.0)
    return np.concatenate([bone(parts, 1.6, core, 950.0), body])


def _gap(build: Build, i: int) -> float:
    above, below = max(i - 1, 0), min(i + 1, len(LEVELS) - 1)
    return abs(build.z(LEVELS[above]) - build.z(LEVELS[below])) / (below - above)


def _atlas(build: Build) -> F64:
    parts = []
    middle = build.dens + vec(0.0, 4.0, -7.0)
    for side in (-1.0, 1.0):
        mass = middle + vec(side * 18.0, 0.0, 0.0)
        back = middle + vec(side * 12.0, 22.0, 0.0)
        parts += [
            capsule(mass - vec(0, 0, 4.0), mass + vec(0, 0, 4.0), 7.0),
            capsule(mass, mass + vec(side * 18.0, 2.0, 0.0), 4.0),
        ]
        parts += chain([mass, back, middle + vec(0.0, 29.0, 0.0)], 3.5)
        parts.append(capsule(mass, middle + vec(0.0, -10.0, 0.0), 4.0))
    return bone(parts, 1.8)


def _sacrum(build: Build) -> F64:
    k, top = build.width, build.vertebrae["L5"] + vec(0.0, 6.0, -32.0 * build.width)
    s3, coccyx = top + np.array([0.0, 48.0, -48.0]) * k, top + np.array([0.0, 40.0, -118.0]) * k
    s5 = top + np.array([0.0, 55.0, -88.0]) * k
    parts = [*chain([top, s3, s5], [15.0, 11.0, 7.0]), capsule(s5, coccyx, 6.0, 3.0)]
    for side in (-1.0, 1.0):
        wing = top + np.array([side * 46.0, 12.0, -8.0]) * k
        flank = s3 + np.array([side * 34.0, 0.0, 4.0]) * k
        parts += [plate(top, wing, flank, 9.0), plate(top, s3, flank, 8.0), plate(s3, flank, s5, 6.0)]
        parts.append(capsule(top + np.array([0, 28.0, -12.0]) * k, s3 + np.array([0.0, 12.0, 0.0]) * k, 4.0))
    return bone(parts, 2.0)


def tilt(degrees: float) -> F64:
    """Rotation [3, 3] about x."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
