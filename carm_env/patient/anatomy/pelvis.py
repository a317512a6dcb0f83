"""Iliac wings, acetabula, pubis and ischium."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import bone, capsule, chain, ellipsoid, plate, tissue, vec

F64 = NDArray[np.float64]
_RIM = np.array([
    [42.0, 50.0, -30.0],
    [66.0, 38.0, 6.0],
    [92.0, 16.0, 18.0],
    [118.0, -24.0, 4.0],
    [128.0, -62.0, -28.0],
    [122.0, -84.0, -52.0],
])  # fmt: skip
"""Iliac crest from the posterior to the anterior superior spine, left side, mm from L5 in a 1.70 m person."""


def crest_top(build: Build, side: float) -> F64:
    """Highest point of the iliac crest (on the axis of its rim)."""
    return _rim(build, side)[2]


def _rim(build: Build, side: float) -> F64:
    flare = np.array([1.06, 1.0, 0.96] if build.sex == "F" else [1.0, 1.0, 1.04])
    return build.vertebrae["L5"] * [0.0, 1.0, 1.0] + _RIM * flare * build.width * [side, 1.0, 1.0]


def pelvis_bones(build: Build) -> F64:
    """Rows of both hip bones and the symphysis (fibrocartilage of 200 HU)."""
    halves = [_hip_bone(build, side) for side in (-1.0, 1.0)]
    middle = build.symphysis
    disc = tissue([capsule(middle - vec(0.0, 0.0, 13.0), middle + vec(0.0, 0.0, 13.0), 7.0)], 200.0)
    return np.concatenate([disc, *halves])


def _hip_bone(build: Build, side: float) -> F64:
    k, hip, rim = build.width, build.hip * [side, 1.0, 1.0], _rim(build, side)

    def near(origin: F64, x: float, y: float, z: float) -> F64:
        return origin + np.array([side * x, y, z]) * k

    roof, notch = near(hip, -2.0, 4.0, 34.0), near(hip, -24.0, 36.0, 36.0)
    joint = near(rim[0], 2.0, -16.0, -24.0)
    fossa = 0.25 * rim[2] + 0.25 * rim[3] + 0.5 * roof + np.array([-side * 8.0, 4.0, 0.0])
    spine = near(hip, 20.0, -34.0, 42.0)
    outline = [*rim, spine, roof, notch, joint, rim[0]]
    wing = [plate(fossa, outline[i], outline[i + 1], 2.6) for i in range(len(outline) - 1)]
    edge = [*chain(rim, [7.0, 6.5, 6.5, 6.0, 6.0, 6.5]), *chain([rim[-1], spine, roof], [6.0, 7.0, 12.0])]
    edge += [*chain([rim[0], joint, notch, roof], [7.0, 9.0, 8.0, 13.0])]
    return np.concatenate([bone(wing, 1.5), bone(edge, 1.8), _socket(build, side), _pubis(build, side, hip)])


def _socket(build: Build, side: float) -> F64:
    """The acetabular cup, open to the side, front and below; joint space inside."""
    k, hip = build.width, build.hip * [side, 1.0, 1.0]
    out = np.array([side * 0.80, -0.30, -0.52])
    out /= np.linalg.norm(out)
    x = np.cross(out, [0.0, 1.0, 0.0])
    x /= np.linalg.norm(x)
    turn = np.stack([x, np.cross(out, x), out], axis=1)
    cup = bone([ellipsoid(hip, [35.0 * k] * 3, turn, cut=4.0)], 2.0)
    return np.concatenate([cup, tissue([ellipsoid(hip, [27.5 * k] * 3)], 60.0)])


def _pubis(build: Build, side: float, hip: F64) -> F64:
    k, middle = build.width, build.symphysis
    body = middle + np.array([side * 12.0, 0.0, 4.0])
    low = middle + np.array([side * 11.0, 3.0, -16.0])
    sit = hip + np.array([-side * 24.0, 26.0, -62.0]) * k
    behind = hip + np.array([-side * 16.0, 22.0, -24.0]) * k
    ramus = hip + np.array([-side * 30.0, -18.0, -2.0]) * k
    parts = [
        *chain([ramus, 0.5 * (ramus + body) + vec(0, 0, 4.0), body], [10.0, 7.0, 8.0]),
        capsule(body, low, 7.5, 7.0),
        *chain([low, 0.5 * (low + sit) + vec(0, 0, -6.0), sit], [6.0, 5.5, 9.0]),
        *chain([sit, behind, hip + np.array([-side * 24.0, 8.0, 6.0]) * k], [13.0, 12.0, 12.0]),
    ]
    return bone(parts, 2.0)
