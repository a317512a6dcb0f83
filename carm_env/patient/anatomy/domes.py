"""The diaphragm: its two domes as one height map, under the lungs and over liver, stomach and spleen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import cage
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.extended import BesideHeart, Summit
from carm_env.patient.anatomy.shapes import Shape, below

F64 = NDArray[np.float64]
WALL_MM = 9.0
"""From the outer surface of the rib cage to the pleura."""
CAP_MM = 12.0
"""The middle of a dome's highest 12 mm is its top: broad domes have no other."""
_STEP_MM = 4.0
_REACH_MM = 220.0
_SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Diaphragm:
    """The numbers behind the height map.

    Attributes:
        centre: x and y amid the rib cage. angle, rim: distance [N] of the pleura from there by direction.
        saddle: z of the central tendon. tops: x, y of each dome's crown and its rise above the saddle, [2, 3].
        spread: half widths across of the right and left crown, and from front to back, over the cage's half width.
        skirt: depth (mm) of the recess at the side, and what is added behind and taken away in front.
        slope: how much of the profile from crown to rim falls steadily (1) rather than like a circle's (0).
    """

    centre: F64
    angle: F64
    rim: F64
    saddle: float
    tops: F64
    spread: tuple[float, float, float]
    skirt: tuple[float, float]
    slope: float


def diaphragm(build: Build) -> Diaphragm:
    """Draws breath and shape: the right dome lies about 157 mm below T1 and the left one 18 mm lower, with a wide
    spread from full inspiration to the expiration of the dead."""
    rng = build.rng("domes")
    scale = (build.z("T1") - build.z("T12")) / 262.0
    breath, gap, tendon, slope = (
        rng.normal(0.0, 1.0),
        rng.normal(18.0, 9.0),
        rng.uniform(8.0, 20.0),
        rng.uniform(0.35, 0.65),
    )
    place, depth, lean = rng.normal(0.0, 0.04, 4), rng.normal(1.0, 0.12), rng.normal(0.0, 1.0)
    spread = (rng.uniform(0.50, 0.62), rng.uniform(0.44, 0.54), rng.uniform(0.75, 1.05))
    heavy = 0.9 * (build.person.bmi - 28.0)
    right = max(161.0 + 29.0 * float(np.clip(breath, -2.0, 2.2)) - float(np.clip(heavy, -8.0, 14.0)), 116.0) * scale
    left = right + float(np.clip(gap, -6.0, 40.0))
    z = build.z("T1") - 0.5 * (right + left)
    angle = np.linspace(-np.pi, np.pi, 73)
    cx, cy, half, deep = (float(v) for v in cage.section(build, z - 35.0))
    wall = cage.wall(build, z - 35.0, angle)[:, :2] - [cx, cy]
    around, rim = np.arctan2(wall[:, 1], wall[:, 0]), np.linalg.norm(wall, axis=1) - WALL_MM
    order = np.argsort(around)
    saddle = build.z("T1") - max(right, left) - tendon * 0.5
    squeeze = float(np.clip(1.0 - 0.12 * breath, 0.75, 1.25))
    tops = np.array([
        [cx - (0.50 + place[0]) * half, cy - (0.20 - place[1]) * deep, build.z("T1") - right + 15.0 - saddle],
        [cx + (0.61 + place[2]) * half, cy + (0.24 + place[3]) * deep, build.z("T1") - left + 22.0 - saddle],
    ])  # fmt: skip
    return Diaphragm(
        np.array([cx, cy]), around[order], rim[order], saddle, tops, spread,
        (78.0 * scale * depth * squeeze, (38.0 + 5.0 * lean) * scale * squeeze), slope,
    )  # fmt: skip


def heights_of(shape: Diaphragm, x: ArrayLike, y: ArrayLike) -> F64:
    """z of the diaphragm's upper surface over points (x, y), broadcast together."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    dx, dy = x - shape.centre[0], y - shape.centre[1]
    angle = np.arctan2(dy, dx)
    rim = np.interp(angle, shape.angle, shape.rim, period=2.0 * np.pi)
    q = np.minimum(np.hypot(dx, dy) / rim, 1.0)
    half = float(np.interp(0.0, shape.angle, shape.rim, period=2.0 * np.pi))
    crown = np.full(x.shape, shape.saddle)
    for top, across in zip(shape.tops, shape.spread, strict=False):
        far = ((x - top[0]) / (across * half)) ** 2 + ((y - top[1]) / (shape.spread[2] * half)) ** 2
        crown += top[2] * np.exp(-far)
    skirt = shape.skirt[0] + shape.skirt[1] * np.sin(angle)
    fall = shape.slope * q**1.6 + (1.0 - shape.slope) * (1.0 - np.sqrt(1.0 - q**2))
    return np.asarray(crown - skirt * fall)


def dome(build: Build, side: float) -> Summit:
    """Top of the hemidiaphragm under the lung, beside the heart (side -1: right, +1: left)."""
    shape = diaphragm(build)
    x, y, z = _map(shape)
    around = np.stack([np.cos(shape.angle), np.sin(shape.angle)], axis=1)
    pleura = np.column_stack([shape.centre + shape.rim[:, None] * around, np.full(len(shape.rim), shape.saddle)])
    low, high = pleura[:, :2].min(axis=0), pleura[:, :2].max(axis=0)
    points = np.stack([*np.meshgrid(x, y, indexing="ij"), z], axis=-1).reshape(-1, 3)
    inside = ((points[:, :2] > low) & (points[:, :2] < high)).all(axis=1)
    return Summit(points[inside], CAP_MM, beside=BesideHeart(side, pleura))


def dome_top(build: Build, side: float) -> F64:
    """Where the dome's top lies in the undisturbed body [3]."""
    x, y, _ = dome(build, side).point()
    return np.array([x, y, float(heights(build, x, y))])


def crown(build: Build, side: float) -> F64:
    """The highest point [3] of a dome (side -1: right, +1: left), from which the organs under it hang."""
    shape = diaphragm(build)
    x, y, z = _map(shape)
    half, deep = np.interp([0.0, 0.5 * np.pi], shape.angle, shape.rim, period=2.0 * np.pi)
    out, back = (x[:, None] - shape.centre[0]) / half, (y - shape.centre[1]) / deep
    beside = out < -0.48 if side < 0 else out + 0.6 * back > 0.7
    i, j = np.unravel_index(np.argmax(np.where(beside, z, -np.inf)), z.shape)
    return np.array([x[i], y[j], z[i, j]])


def heights(build: Build, x: ArrayLike, y: ArrayLike) -> F64:
    """z of the diaphragm's upper surface over points (x, y), broadcast together."""
    return heights_of(diaphragm(build), x, y)


def surface(build: Build) -> Shape:
    """All that lies below the diaphragm's upper surface."""
    return below(*_map(diaphragm(build)))


def _map(shape: Diaphragm) -> tuple[F64, F64, F64]:
    """Axes x [I], y [J] and heights [I, J] of the surface as painted."""
    at = np.arange(-_REACH_MM, _REACH_MM + 1.0, _STEP_MM)
    return at, at, heights_of(shape, at[:, None], at[None, :])
