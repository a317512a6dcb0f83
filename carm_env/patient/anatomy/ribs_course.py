"""Where the ribs run: each from its vertebra along the thoracic wall to its front end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import spline, unit

F64 = NDArray[np.float64]
NOTCH_MM = -32.0
"""Jugular notch below T1 in the mean, before the stretch of the thorax (estimate)."""
_END_MM = [-38.0, -72.0, -102.0, -135.0, -168.0, -200.0, -232.0, -260.0, -283.0, -303.0, -322.0, -322.0]
"""Front ends of the ribs below T1 (mm, before the stretch)."""
_FOLLOW = [1.0, 1.0, 0.9, 0.75, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0, 0.0]
"""How far the front ends follow a lower or higher sternum."""
_END_DEG = [155.0, 157.0, 152.0, 149.0, 146.0, 140.0, 130.0, 118.0, 106.0, 92.0, 69.0, 40.0]
"""Where the bony ribs end, counted from the back of the wall's ellipse."""
_BEND = [1.1, 1.3, 1.55, 1.75, 1.85, 1.85, 1.85, 1.75, 1.4, 1.2, 1.0, 1.0]
"""Power of the descent: 1 even, 2 level behind and steep in front."""
_SIZE = [1.0, 0.92, 0.97, 1.0, 1.02, 1.04, 1.05, 1.04, 1.02, 1.0, 0.92, 0.78]
_FIRST_RIB = [[58.0, 5.0, 7.0], [73.0, -18.0, 1.0], [74.0, -40.0, -9.0], [62.0, -62.0, -22.0], [43.0, -77.0, -36.0]]
WALL_POINTS = 15


@dataclass(frozen=True)
class Course:
    """A rib's centre line [K, 3] from its head on, with the direction [K, 3] across its flat and half its height and
    thickness there (mm, [K])."""

    points: F64
    normals: F64
    half_height: F64
    half_thick: F64


def notch_z(build: Build) -> float:
    """z of the jugular notch, which sinks with age."""
    own = float(np.clip(build.rng("sternum").normal(), -2.0, 2.0))
    return build.z("T1") + cage.stretch(build) * (NOTCH_MM + 7.0 * own - 0.12 * (build.person.age_years - 55.0))


def rib(build: Build, k: int, side: float) -> Course:
    """The course of rib ``k`` (1-12)."""
    return _first(build, side) if k == 1 else _on_wall(build, k, side)


def bone_scale(build: Build) -> float:
    """Breadth of the ribs against those of the table of sizes."""
    return build.width * (1.04 if build.person.sex == "M" else 0.96)


def front_end_z(build: Build, k: int) -> float:
    """z of the bony front end of rib ``k``, without its own irregularity."""
    shift = notch_z(build) - build.z("T1") - cage.stretch(build) * NOTCH_MM
    return build.z("T1") + cage.stretch(build) * _END_MM[k - 1] + _FOLLOW[k - 1] * shift


def _root(build: Build, k: int, side: float) -> F64:
    """Head, neck and tubercle [3, 3] beside the vertebra."""
    w = build.width
    up = 0.28 * abs(build.z(f"T{k}") - (build.z(f"T{k - 1}") if k > 1 else build.z("C7"))) if k < 11 else 3.0
    out = np.interp(k, [1, 2, 5, 9, 12], [19.0, 18.0, 17.0, 19.0, 21.0])
    tubercle = np.interp(k, [1, 2, 6, 10, 12], [37.0, 34.0, 33.0, 29.0, 27.0])
    behind = np.interp(k, [1, 3, 10, 12], [20.0, 27.0, 27.0, 22.0])
    local = np.array(
        [[out, 8.0, up], [0.5 * (out + tubercle), 0.62 * behind + 1.0, up + 1.0], [tubercle, behind, up - 1.0]]
    )
    if k > 10:
        local[1:] = [[33.0, 19.0, -2.0], [44.0, 29.0, -7.0]]
    return np.asarray(build.vertebrae[f"T{k}"] + (local * w * [side, 1.0, 1.0]) @ build.frame_at(f"T{k}").T, float)


def _on_wall(build: Build, k: int, side: float) -> Course:
    rng = build.rng(f"rib {k} {side:+.0f}")
    jitter = np.clip(rng.normal(size=4), -2.0, 2.0)
    shared = np.clip(build.rng(f"ribs {k}").normal(size=2), -2.0, 2.0)
    root = _root(build, k, side)
    start_z = float(root[2, 2]) - (1.0 if k < 11 else 8.0)
    half = float(cage.section(build, start_z)[2])
    start = float(np.arcsin(min(0.62, (43.0 if k < 11 else 56.0) * build.width / half)))
    end = np.radians(_END_DEG[k - 1] + (2.0 if k < 9 else 4.0) * shared[0] + 1.5 * jitter[0])
    end_z = front_end_z(build, k) + 1.6 * jitter[1]
    if k > 10:
        reach = 1.0 + (0.12 if k == 11 else 0.28) * shared[1]
        end, end_z = start + (end - start) * reach, start_z + (end_z - start_z) * min(1.05, reach)
    u = np.linspace(0.0, 1.0, WALL_POINTS)
    turn = start + (end - start) * u
    z = start_z - (start_z - end_z) * u ** (_BEND[k - 1] + 0.06 * jitter[2])
    z = z + 0.8 * jitter[3] * np.sin(2.0 * np.pi * u)
    angle = 0.5 * np.pi - side * turn
    normals = wall_normals(build, z, angle)
    heights, thick = _sizes(build, k)
    on_wall = cage.wall(build, z, angle) - normals * thick[3:, None]
    points = _eased(np.concatenate([root, on_wall]))
    return Course(points, np.concatenate([normals[[0, 0, 0]], normals]), heights, thick)


def _eased(points: F64) -> F64:
    """The course [K, 3] without sharp turns between neck and wall."""
    out = points.copy()
    out[1:6] = 0.25 * points[:5] + 0.5 * points[1:6] + 0.25 * points[2:7]
    return out


def wall_normals(build: Build, z: F64, angle: F64) -> F64:
    """Outward normals [K, 3] of the thoracic wall."""
    around = cage.wall(build, z, angle + 0.02) - cage.wall(build, z, angle - 0.02)
    along = cage.wall(build, z + 4.0, angle) - cage.wall(build, z - 4.0, angle)
    normals = np.cross(around, along)
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True), float)


def _sizes(build: Build, k: int) -> tuple[F64, F64]:
    """Half heights and half thicknesses (mm) from the head to the front end."""
    u = np.concatenate([[-0.15, -0.1, -0.04], np.linspace(0.0, 1.0, WALL_POINTS)])
    scale = bone_scale(build) * _SIZE[k - 1]
    height = np.interp(u, [-0.15, -0.1, -0.04, 0.1, 0.5, 0.9, 1.0], [5.6, 4.6, 5.8, 6.4, 6.4, 6.8, 7.6]) * scale
    thick = np.interp(u, [-0.15, -0.1, -0.04, 0.1, 0.5, 0.9, 1.0], [4.6, 3.7, 4.4, 4.2, 3.6, 3.2, 4.0]) * scale
    if k > 10:
        taper = np.interp(u, [0.0, 0.6, 1.0], [1.0, 0.85, 0.5])
        height, thick = height * taper, thick * taper
    return height, thick


def _first(build: Build, side: float) -> Course:
    """The first rib: short, sharply curved and flat in its own plane, which slopes forward."""
    jitter = np.clip(build.rng(f"rib 1 {side:+.0f}").normal(size=3), -2.0, 2.0)
    root = _root(build, 1, side)
    s, t1 = cage.stretch(build), build.vertebrae["T1"]
    knots = np.array(_FIRST_RIB) * [side * cage.breadth_scale(build), cage.depth_scale(build), s] + t1
    drop = front_end_z(build, 1) + 1.5 * jitter[0] - knots[-1, 2]
    knots[:, 2] += drop * np.linspace(0.1, 1.0, len(knots)) ** 1.2
    knots[:, 0] += side * 1.2 * jitter[1] * np.array([0.0, 1.0, 1.0, 0.5, 0.0])
    points = _eased(spline(np.concatenate([root, knots]), 16))
    normal = unit(np.cross(points[8] - points[3], points[15] - points[3])) * -side
    height = np.interp(np.linspace(0, 1, 16), [0.0, 0.15, 0.3, 0.6, 0.9, 1.0], [4.6, 4.2, 6.5, 7.6, 8.0, 8.6])
    thick = np.interp(np.linspace(0, 1, 16), [0.0, 0.15, 0.3, 1.0], [4.2, 3.6, 3.4, 3.4])
    scale = bone_scale(build)
    return Course(points, np.broadcast_to(normal, points.shape), height * scale, thick * scale)
