"""Vertebral bodies, discs and what age does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, ellipsoid, frame, half_space, loft
from carm_env.patient.anatomy.spine_sizes import Vertebra

F64 = NDArray[np.float64]
TURNS, LEVELS = 40, 13
_ANGLES = np.linspace(0.0, 2.0 * np.pi, TURNS, endpoint=False)


@dataclass(frozen=True)
class Wear:
    """What age did to one body: loss of height (mm) in front, at the centre of the endplates; lips of its rims.

    Attributes:
        dent: depth of the upper and lower endplate's hollow. lips: widening of both rims at ``_ANGLES``, [2, TURNS].
        node: Schmorl's node in the upper or lower (-1) endplate, 0: none; at x and y in shares of the body.
    """

    front: float
    dent: tuple[float, float]
    lips: F64
    node: float
    node_at: tuple[float, float]


def draw_wear(build: Build, bodies: list[Vertebra]) -> list[Wear]:
    """Ageing of C2 to L5; compression fractures become likely in thin bone and lie at T6-L4."""
    rng = build.rng("spine wear")
    age = build.person.age_years
    risk = float(np.clip((age - 50.0) / 90.0, 0.0, 0.4) * np.clip(1.5 - build.bone, 0.2, 1.2))
    broken = rng.random() < risk
    place, spread = int(rng.choice([11, 12, 13, 14, 17, 18, 18, 19, 20, 21])), rng.integers(1, 3)
    drawn = rng.random((len(bodies), 8))
    bumps = rng.random((len(bodies) + 1, 4, 3))
    sag = np.clip(1.15 - build.bone, 0.0, 0.7)
    found = []
    for i, v in enumerate(bodies):
        u = drawn[i]
        hollow = (0.045 if v.level[0] == "T" else 0.07) * v.height * (0.7 + 0.6 * u[0] + 1.6 * sag * u[1])
        front = 0.02 * v.height * u[2]
        dent = [hollow * (0.8 + 0.4 * u[3]), hollow]
        if broken and place <= i < place + spread:
            front += (0.16 + 0.22 * u[4]) * v.height
            dent[0] += (0.05 + 0.12 * u[5]) * v.height
        lips = np.stack([_lips(v, j, bumps[i + j], v.wear[j]) for j in (0, 1)])
        node = (1.0 if u[6] < 0.04 else -1.0) if u[6] < 0.10 and v.index > 9 else 0.0
        found.append(Wear(front, (dent[0], dent[1]), lips, node, (0.6 * u[7] - 0.3, 0.5 * u[3] - 0.15)))
    return found


def _lips(v: Vertebra, j: int, bump: F64, wear: float) -> F64:
    """Osteophytes of the rim above (0) or below (1), from those of the disc between: mm at ``_ANGLES``."""
    size = (1.0 if v.level[0] != "C" else 0.6) * v.scale
    lips = np.zeros(TURNS)
    for centre, width, height in bump:
        at = -np.pi * (1.1 * centre - 0.05)
        away = np.angle(np.exp(1j * (_ANGLES - at)))
        lips += max(0.0, 9.0 * wear * height**1.5 - 0.4) * size * np.exp(-((away / (0.25 + 0.4 * width)) ** 2))
    return np.minimum(lips, 6.0 * size)


def outline(v: Vertebra, half_width: float, half_depth: float, rear_dent: float) -> F64:
    """Radii (mm) at ``_ANGLES``: round or tapering in front, flat to hollow behind."""
    t = np.linspace(0.0, 2.0 * np.pi, 240, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    rear, front = (2.8, 2.1) if v.level[0] != "C" else (3.4, 2.7)
    power = np.where(s > 0.0, rear, front)
    x, y = np.sign(c) * np.abs(c) ** (2.0 / power), np.sign(s) * np.abs(s) ** (2.0 / power)
    x = x * (1.0 - v.taper * np.clip(0.25 - y, 0.0, None) * 0.8)
    y = y * half_depth - rear_dent * np.exp(-((x / 0.5) ** 2)) * (y > 0.0)
    x = x * half_width
    angle, radius = np.mod(np.arctan2(y, x), 2.0 * np.pi), np.hypot(x, y)
    order = np.argsort(angle)
    return np.asarray(np.interp(_ANGLES, angle[order], radius[order], period=2.0 * np.pi))


def body_shapes(v: Vertebra, wear: Wear) -> list[Shape]:
    """The body: a waisted tube whose ends are cut to the endplates' tilt and hollowed."""
    extra = 0.22 * v.depth + 1.0
    z = np.linspace(-v.low - extra, v.up + extra, LEVELS)
    u = np.clip((z + v.low) / v.height, 0.0, 1.0)
    near = np.abs(2.0 * u - 1.0) ** 2.0
    waist_side, waist_front, waist_back = (0.15, 0.11, 0.04) if v.level[0] == "L" else (0.115, 0.09, 0.03)
    if v.level[0] == "C":
        waist_side, waist_front = 0.06, 0.07
    radii = []
    sin = np.sin(_ANGLES)
    dent = {"C": 0.02, "T": 0.09, "L": 0.06 if v.index < 21 else 0.015}[v.level[0]] * v.depth
    lower, upper = (outline(v, 0.5 * w, 0.5 * v.depth, dent) for w in (v.width_low, v.width_up))
    for k in range(LEVELS):
        shrink = 1.0 - near[k]
        r = lower + u[k] * (upper - lower)
        across = np.where(sin < 0.0, waist_front, waist_back)
        r *= 1.0 - shrink * (waist_side * (1.0 - sin**2) + across * sin**2)
        lip_up, lip_low = (np.exp(-((((1.0 - j) - u[k]) * v.height / 3.6 / v.scale) ** 2)) for j in (0.0, 1.0))
        radii.append(r + lip_up * wear.lips[0] + lip_low * wear.lips[1])
    shapes = [loft(v.centre, v.turn, float(z[0]), float(z[-1]), np.zeros((LEVELS, 2)), radii)]
    slope = wear.front / v.depth
    top = v.at(0.0, v.back, v.up)
    normal = frame_tilt(v, v.up_normal, slope)
    shapes.append(half_space(top - v.turn[:, 1] * v.back * (1.0 if slope < 0.05 else 0.0), -normal).cut(0.8))
    shapes.append(half_space(v.at(0.0, 0.0, -v.low), -v.low_normal).cut(0.8))
    return shapes + _hollows(v, wear, slope)


def frame_tilt(v: Vertebra, normal: F64, slope: float) -> F64:
    """The upper endplate's normal after the front has lost height by ``slope`` (mm a mm)."""
    n = normal - slope * v.turn[:, 1]
    return np.asarray(n / np.linalg.norm(n))


def _hollows(v: Vertebra, wear: Wear, slope: float) -> list[Shape]:
    """Ellipsoids that hollow the endplates (twice side by side in the lumbar spine) and Schmorl's nodes."""
    shapes = []
    for sign, z, normal, width, dent in (
        (1.0, v.up - 0.5 * v.depth * slope, frame_tilt(v, v.up_normal, slope), v.width_up, wear.dent[0]),
        (-1.0, -v.low, -v.low_normal, v.width_low, wear.dent[1]),
    ):
        turn = frame(normal, v.turn[:, 0])
        deep = 4.0 * dent
        reach = 0.40 / 0.66
        pair = (-0.17, 0.17) if v.level[0] == "L" else (0.0,)
        for x in pair:
            spot = v.at(x * width, 0.08 * v.depth, z) + turn[:, 2] * sign * (deep - dent)
            across = width * (reach if len(pair) == 1 else 0.62 * reach)
            shapes.append(ellipsoid(spot, [across, v.depth * reach, deep], turn).cut(1.0))
        if wear.node == sign:
            x, y = wear.node_at
            spot = v.at(x * width, y * v.depth, z) - turn[:, 2] * sign * dent
            shapes.append(ellipsoid(spot, [4.5, 4.0, 3.5], turn).cut(1.0))
    return shapes


def vein(v: Vertebra) -> Shape:
    """The basivertebral vein behind the body's centre."""
    return capsule(v.at(0.0, 0.5 * v.back, 0.0), v.at(0.0, v.back - 1.0, 0.0), 0.6, 2.0 * v.scale, v.turn[:, 2], 1.5)


def discs(bodies: list[Vertebra], build: Build) -> list[Part]:
    """The discs below C2 to L5; gas in some badly worn lumbar ones. To be painted before the bodies."""
    rng = build.rng("discs")
    drawn = rng.random((len(bodies), 3))
    parts = []
    for i, v in enumerate(bodies):
        low = v.at(0.0, 0.0, -v.low)
        if i + 1 < len(bodies):
            other = bodies[i + 1]
            high, width, depth = other.at(0.0, 0.0, other.up), other.width_up, other.depth
        else:
            high = v.centre + np.array([0.0, 7.5, -22.0]) * build.width
            width, depth = v.width_low, v.depth
        worn = v.wear[1]
        axis = low - high
        length = float(np.linalg.norm(axis))
        over = 2.5 + 0.10 * depth
        turn = frame(0.5 * (axis / length) + v.turn[:, 2] if i + 1 < len(bodies) else axis, v.turn[:, 0])
        bulge = 1.0 + (0.02 + 0.05 * worn * drawn[i, 0])
        r = outline(v, 0.25 * (v.width_low + width), 0.25 * (v.depth + depth), 0.02 * depth)
        rows = np.stack([r * s for s in (0.93, 0.97, bulge, 0.97, 0.93)])
        reach = 0.5 * length + over
        shape = loft(0.5 * (low + high), turn, -reach, reach, np.zeros((5, 2)), rows)
        hu = 78.0 + 22.0 * drawn[i, 1] + 12.0 * worn
        parts.append(tissue("intervertebral_disc", [shape], hu, grain=Grain(9.0, 2.5)))
        if v.level[0] == "L" and worn > 0.6 and drawn[i, 2] < 0.4 and length > 4.0:
            gas = ellipsoid(0.5 * (low + high), [0.28 * width, 0.2 * depth, 1.6], turn)
            parts.append(tissue("intervertebral_disc", [gas], -250.0))
    return parts
