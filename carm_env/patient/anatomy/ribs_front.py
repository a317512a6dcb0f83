"""The front of the rib cage: sternum and costal cartilages, calcified with age."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage, ribs_course
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.ribs_course import Course
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, frame, loft, vec

F64 = NDArray[np.float64]
_JOINT_MM = [-13.0, -47.0, -71.0, -95.0, -115.0, -129.0, -139.0]
"""Sternal ends of cartilages 1-7 below the jugular notch, person of 1.70 m."""
_PROFILE_MM = [6.0, 0.0, -7.0, -13.0, -24.0, -40.0, -46.0, -50.0, -60.0, -75.0, -95.0, -115.0, -129.0, -139.0, -144.0]
_HALF_WIDTH = [20.0, 25.0, 30.0, 31.0, 25.0, 19.0, 19.0, 18.0, 14.5, 15.0, 18.0, 19.5, 18.0, 13.0, 9.0]
_HALF_THICK = [4.0, 6.0, 6.8, 6.8, 6.3, 5.4, 5.8, 5.6, 5.2, 5.2, 5.2, 5.2, 5.0, 4.6, 3.6]
"""Sternum: manubrium, angle at -47, body with its bulges at the cartilages."""
_MEETS = {8: 0.45, 9: 0.5, 10: 0.55}
"""Where the cartilages of the costal arch meet the one above, from its rib (0) to its inner end (1)."""
_HALF_HEIGHT = [6.5, 5.2, 5.2, 5.4, 5.8, 6.4, 7.0, 6.2, 5.4, 4.6]
_CARTILAGE_HU = 105.0
_FLECKS = 9


def sternum_scale(build: Build) -> float:
    """Length of the sternum against the profile's."""
    return cage.stretch(build) * (1.03 if build.person.sex == "M" else 0.95)


def sternum(build: Build) -> list[Part]:
    """Manubrium with body, and the xiphoid process."""
    top, scale = ribs_course.notch_z(build), sternum_scale(build)
    z = np.linspace(_PROFILE_MM[-1], _PROFILE_MM[0], 40) * scale + top
    wide = np.interp(z, (np.array(_PROFILE_MM) * scale + top)[::-1], _HALF_WIDTH[::-1])
    thick = np.interp(z, (np.array(_PROFILE_MM) * scale + top)[::-1], _HALF_THICK[::-1])
    wide, thick = wide * ribs_course.bone_scale(build), thick * ribs_course.bone_scale(build)
    middle = _middle(build, z) + np.stack([0.0 * z, thick, 0.0 * z], axis=1)
    axes = frame(middle[-1] - middle[0], vec(1.0, 0.0, 0.0))
    local = (middle - middle[0]) @ axes
    levels = np.linspace(0.0, local[-1, 2], len(z))
    centres = np.stack([np.interp(levels, local[:, 2], local[:, i]) for i in (0, 1)], axis=1)
    turn = np.linspace(0.0, 2.0 * np.pi, 96, endpoint=False)
    flat = (np.abs(np.cos(turn) / wide[:, None]) ** 3 + np.abs(np.sin(turn) / thick[:, None]) ** 3) ** (-1.0 / 3.0)
    body = loft(middle[0], axes, 0.0, float(levels[-1]), centres, flat)
    dip = middle[-1] + axes[:, 2] * 5.0 * scale
    notch = capsule(dip - vec(0.0, 20.0, 0.0), dip + vec(0.0, 20.0, 0.0), 12.0 * scale).cut(3.0)
    tip = middle[0] + vec(build.rng("xiphoid").normal(0.0, 2.0), 5.0, -28.0 * scale)
    density = float(np.clip(build.bone, 0.5, 1.2))
    xiphoid = chain([middle[0] + axes[:, 2] * 3.0, tip], [7.5, 4.0], axes[:, 1], 2.2)
    return [
        tissue("cartilage", xiphoid, _CARTILAGE_HU + 2.0 * max(0.0, build.person.age_years - 40.0)),
        bone("sternum", [body, notch], 0.9, 110.0 * density, 850.0, Grain(35.0, 2.5)),
    ]


def _middle(build: Build, z: F64) -> F64:
    """Front of the thoracic wall in the midline [K, 3]."""
    centre = cage.section(build, z)[0]
    return np.stack([np.broadcast_to(centre.mean(), z.shape), cage.front_y(build, z), z], axis=1)


def cartilages(build: Build, side: float, ribs: dict[int, Course]) -> list[Part]:
    """Costal cartilages 1-10 of one side from the ends of the ribs; the first, and flecks in all, calcified."""
    paths = _paths(build, side, ribs)
    scale = ribs_course.bone_scale(build)
    shapes: list[Shape] = []
    for k in range(2, 11):
        shapes += chain(paths[k], _HALF_HEIGHT[k - 1] * scale, _facing(build, paths[k], side), 1.45)
    first = chain(paths[1], [7.5 * scale] * 4 + [8.5 * scale] * (len(paths[1]) - 4), ribs[1].normals[-1], 1.9)
    rng = build.rng(f"calcified {side:+.0f}")
    amount = float(np.clip((build.person.age_years - 24.0) / 55.0, 0.0, 1.2) ** 1.2 * np.exp(0.45 * rng.normal()))
    crust = float(np.clip(140.0 + 650.0 * amount, 140.0, 850.0))
    return [
        tissue("cartilage", shapes, _CARTILAGE_HU, grain=Grain(14.0, 3.0)),
        bone("cartilage", first, 1.6, 110.0 + 80.0 * min(amount, 1.0), crust, Grain(40.0, 3.0)),
        *_flecks(build, paths, side, amount, rng),
    ]


def arch(build: Build, side: float, ribs: dict[int, Course]) -> list[F64]:
    """Centre lines [K, 3] of the cartilages of the costal arch (6-10)."""
    paths = _paths(build, side, ribs)
    return [paths[k] for k in range(6, 11)]


def _paths(build: Build, side: float, ribs: dict[int, Course]) -> dict[int, F64]:
    """Centre lines [K, 3] from the ribs' ends inwards."""
    paths: dict[int, F64] = {}
    top, scale = ribs_course.notch_z(build), sternum_scale(build)
    for k in range(1, 11):
        start = ribs[k].points[-1]
        along = start - ribs[k].points[-3]
        along = along / np.linalg.norm(along)
        if k < 8:
            z = top + _JOINT_MM[k - 1] * scale
            wide = np.interp(_JOINT_MM[k - 1], _PROFILE_MM[::-1], _HALF_WIDTH[::-1]) * ribs_course.bone_scale(build)
            end = _middle(build, np.array([z]))[0] + vec(side * wide, 6.0, 0.0)
        else:
            above = paths[k - 1]
            end = above[round(_MEETS[k] * (len(above) - 1))] + vec(0.0, 0.0, -3.0)
        bend = start + along * (0.2 + 0.03 * min(k, 8)) * np.linalg.norm(end - start)
        t = np.linspace(0.0, 1.0, 9)[:, None]
        path = (1.0 - t) ** 2 * start + 2.0 * t * (1.0 - t) * bend + t**2 * end
        if k > 1:
            on_wall = cage.surface_y(build, path[:, 0], path[:, 2], False)
            shift = np.interp(t[:, 0], [0.0, 1.0], [start[1] - on_wall[0], end[1] - on_wall[-1]])
            path[:, 1] = on_wall + shift
        paths[k] = path
    return paths


def _facing(build: Build, path: F64, side: float) -> F64:
    """Outward directions [K, 3] for a cartilage's flat."""
    cx = cage.section(build, path[:, 2])[0]
    out = np.stack([0.6 * (path[:, 0] - cx) / 100.0, np.full(len(path), -1.0), np.zeros(len(path))], axis=1)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), float)


def _flecks(build: Build, paths: dict[int, F64], side: float, amount: float, rng: np.random.Generator) -> list[Part]:
    """Calcium in the cartilages: along the middle in women, along the rims in men."""
    shapes = []
    for k in range(2, 11):
        draws = rng.random((_FLECKS, 4))
        for at, size, rim, length in draws:
            radius = 2.6 * amount * (0.3 + size) * size
            if radius < 0.7:
                continue
            position = at**1.4 * (len(paths[k]) - 1.001)
            i = int(position)
            step = paths[k][i + 1] - paths[k][i]
            offset = 0.25 if build.person.sex == "F" else 0.72
            lift = vec(0.0, 0.0, (1.0 if rim > 0.5 else -1.0) * offset * _HALF_HEIGHT[k - 1])
            middle = paths[k][i] + (position - i) * step + lift
            shapes.append(capsule(middle - 0.4 * length * step, middle + 0.4 * length * step, min(radius, 2.6)))
    return [tissue("cartilage", shapes, 420.0, grain=Grain(80.0, 2.0), over=["cartilage"])] if shapes else []
