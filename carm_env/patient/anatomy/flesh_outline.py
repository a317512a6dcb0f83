"""The trunk's outline from the perineum to the neck: muscle and skin as drawn cross-sections that fit the weight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import cage, shoulder
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.flesh_bones import bones_under
from carm_env.patient.anatomy.shapes import Shape, loft

F64 = NDArray[np.float64]
TURNS = 72
STEP_MM = 8.0
ANGLES = np.linspace(0.0, 2.0 * np.pi, TURNS, endpoint=False)
_C, _S = np.cos(ANGLES), np.sin(ANGLES)
_FRONT, _BACK, _SIDE = np.clip(-_S, 0.0, 1.0) ** 1.5, np.clip(_S, 0.0, 1.0) ** 1.5, np.abs(_C) ** 1.5

ROUNDED_MM = 48.0
"""Height over which the trunk's lower end closes between the thighs, so that it leaves no step on them."""
_FITTED, _REST_KG = 1.06, 3.6
"""Painted mass against the sum of the sections, and the rest: hands, neck, bone (fitted over 14 phantoms)."""


@dataclass(frozen=True)
class Outline:
    """Cross-sections of the trunk.

    Attributes:
        z: even heights [L] from the perineum up. centre: x and y [L, 2] the radii start from.
        muscle, skin: radii [L, TURNS] (mm) at ``ANGLES`` (0: patient's left, pi/2: back).
        excess: visceral fat that pushes the abdominal wall out (mm). fat: scale of ``Build.fat_mm`` that meets the
        weight. girth: scale of the muscles.
    """

    z: F64
    centre: F64
    muscle: F64
    skin: F64
    excess: float
    fat: float
    girth: float

    def shape(self, radii: F64) -> Shape:
        """The tube of ``muscle`` or ``skin``."""
        return loft([0.0, 0.0, 0.0], None, self.z[0], self.z[-1], self.centre, radii)

    def clearance(self, points: F64) -> F64:
        """Distance (mm, level by level) of points [..., 3] from the skin; far above and below the trunk: large."""
        x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
        f = np.clip((z - self.z[0]) / (self.z[1] - self.z[0]), 0.0, len(self.z) - 1.001)
        i = f.astype(int)
        f = f - i
        dx, dy = (x - (1 - f) * self.centre[i, k] - f * self.centre[i + 1, k] for k, x in ((0, x), (1, y)))
        g = np.mod(np.arctan2(dy, dx), 2.0 * np.pi) / (2.0 * np.pi) * TURNS
        j = np.minimum(g.astype(int), TURNS - 1)
        g, k = g - j, (j + 1) % TURNS
        lower, upper = ((1 - g) * self.skin[n, j] + g * self.skin[n, k] for n in (i, i + 1))
        out = np.hypot(dx, dy) - ((1 - f) * lower + f * upper)
        return np.asarray(np.maximum(out, z - self.z[-1]))

    def surface(self, z: float, angle: float, radii: F64) -> F64:
        """The point [3] of an outline at a height and an angle (radians)."""
        i = int(np.clip(np.round((z - self.z[0]) / (self.z[1] - self.z[0])), 0, len(self.z) - 1))
        r = float(
            np.interp(np.mod(angle, 2.0 * np.pi), np.append(ANGLES, 2.0 * np.pi), np.append(radii[i], radii[i, 0]))
        )
        cx, cy = self.centre[i]
        return np.array([cx + r * np.cos(angle), cy + r * np.sin(angle), z])

    @property
    def back(self) -> float:
        """y of the hindmost skin."""
        return float((self.centre[:, 1:] + self.skin * _S).max())


@lru_cache(4)
def draw_outline(build: Build) -> Outline:
    """The outline whose mass, with all that it does not hold, is the person's weight; the last ones are remembered."""
    low, high = 0.05, 4.0
    for _ in range(10):
        fat = float(np.sqrt(low * high))
        if mass_kg(build, _at_fat(build, fat)) < build.person.weight_kg:
            low = fat
        else:
            high = fat
    return _at_fat(build, float(np.sqrt(low * high)))


def limb_fat(build: Build, fat: float) -> float:
    """Subcutaneous fat (mm) of upper arm and thigh's front."""
    return 2.5 + (0.42 if build.person.sex == "F" else 0.28) * build.fat_mm * fat


def mass_kg(build: Build, o: Outline) -> float:
    """Estimated mass of the whole body.

    Trunk from its sections (muscle and organs 1.03 g/cm3, fat 0.91, less the lungs), head and arms from height and fat
    (estimates fitted to the painted phantom), 17 % of the weight in the legs below mid-thigh (estimate).
    """
    step = o.z[1] - o.z[0]
    turn = np.pi / TURNS
    inner, outer = (turn * (r**2).sum(1) for r in (o.muscle, o.skin))
    trunk = 1.03e-6 * step * inner.sum() + 0.91e-6 * step * (outer - inner).sum()
    _, _, half, depth = cage.section(build, np.linspace(build.z("T2"), build.z("T9"), 20))
    lungs = 0.55e-6 * np.mean(np.pi * half * depth) * (build.z("T2") - build.z("T9"))
    limb, h, male = limb_fat(build, o.fat), build.person.height_mm, build.person.sex == "M"
    brawn = build.width * (1.0 if male else 0.86) * (1.0 + 0.008 * (build.person.bmi - 25.0))
    arms = 2.0e-6 * np.pi * h * (0.15 * (37.0 * brawn + limb) ** 2 + 0.146 * (31.0 * brawn + 0.65 * limb) ** 2)
    thigh = 2.0e-6 * 120.0 * np.pi * (77.0 * build.width * o.girth * (1.06 if male else 0.98) + limb) ** 2
    head = 4.6 * build.head_scale**3
    return float((_FITTED * (trunk - lungs + arms + thigh + head) + _REST_KG) / 0.83)


def _at_fat(build: Build, fat: float) -> Outline:
    z = np.arange(build.symphysis[2] - 70.0, build.z("C3") + 8.0, STEP_MM)
    excess, girth = _excess(build, fat), build.girth * fat**0.08
    centre, muscle = _muscle(build, z, excess, girth)
    under = bones_under(build, z, centre, TURNS)
    muscle = np.maximum(muscle, under - 1.0)
    narrow = np.interp(z, z[-1] + np.array([-30.0, 0.0]), [1.0, 0.86])[:, None]
    muscle = muscle * narrow
    skin = np.maximum(muscle + _fat(build, z, fat) * narrow, under + 7.0)
    top = centre[:, 1:] + skin * _S
    chest = (z > build.z("T10")) & (z < build.z("T4"))
    table = max(float(top[chest].max()) + 12.0, float((centre[:, 1:] + muscle * _S).max()) + 8.0)
    room = (table - centre[:, 1:]) / np.maximum(_S, 1e-3)
    flat = np.where(_S > 0.05, np.maximum(np.minimum(skin, room), muscle + 3.0), skin)
    rounded = np.clip((z - z[0]) / ROUNDED_MM, 0.0, 1.0)
    close = (0.1 + 0.9 * np.sqrt(rounded * (2.0 - rounded)))[:, None]
    return Outline(z, centre, muscle * close, flat * close, excess, fat, girth)


def _excess(build: Build, fat: float) -> float:
    """mm by which visceral fat pushes the front of the belly out."""
    male = build.person.sex == "M"
    more = build.rng("belly").normal(0.0, 0.25)
    slope = (1.1 if male else 0.6) * (1.0 + float(np.clip(more, -0.5, 0.5)))
    return float(slope * (build.fat_mm * fat - (9.0 if male else 16.0)))


def _muscle(build: Build, z: F64, excess: float, girth: float) -> tuple[F64, F64]:
    """Centres [L, 2] and radii [L, TURNS] of the muscle's outline."""
    from scipy.interpolate import PchipInterpolator

    knots = np.array(_knots(build, excess, girth))
    knots = knots[np.argsort(knots[:, 0])]
    half, front, back, square = (PchipInterpolator(knots[:, 0], column)(z) for column in knots[:, 1:].T)
    levels = np.array(list(build.vertebrae.values()))[::-1]
    x = 0.8 * np.interp(z, levels[:, 2], levels[:, 0])
    y = 0.5 * (front + back)
    depth = np.where(_S[None] > 0.0, (back - y)[:, None], (y - front)[:, None])
    n = np.where(_S[None] > 0.0, square[:, None] + 0.35, square[:, None])
    radii = ((np.abs(_C) / half[:, None]) ** n + (np.abs(_S) / depth) ** n) ** (-1.0 / n)
    centre = np.stack([x, y], axis=1)
    return centre, np.maximum(radii, _ribs(build, z, centre)) - _furrow(build, z)


def _knots(build: Build, excess: float, girth: float) -> list[tuple[float, float, float, float, float]]:
    """Height, half width, y of front and back, and squareness of the muscle's outline, level by level."""
    w, male = build.width, build.person.sex == "M"
    hip, low, y5, y3 = build.hip, build.symphysis[2], build.y("L5"), build.y("L3")
    trochanter = hip[0] + 77.0 * w
    brawn = (1.1 if male else 0.99) * girth * (1.0 - 0.0012 * max(0.0, build.person.age_years - 55.0))
    rump, waist, hips = 86.0 * w * brawn, (152.0 if male else 142.0) * w * girth, girth**0.5
    more, raised = max(excess, -8.0), float(build.arms == "raised")
    levels = [
        (low - 70.0, 40.0 * w, hip[1] - 40.0, hip[1] + 34.0, 2.2),
        (low - 35.0, 118.0 * w, hip[1] - 72.0, hip[1] + 62.0, 2.4),
        (low - 8.0, 0.95 * trochanter * hips, hip[1] - 84.0 * w * hips, hip[1] + rump - 8.0, 2.5),
        (hip[2] + 8.0, trochanter * hips, hip[1] - 88.0 * w * hips, hip[1] + rump + 6.0, 2.5),
        (
            hip[2] + 66.0 * w,
            149.0 * build.pelvis * hips,
            y5 - 90.0 * w * hips - 0.5 * more,
            y5 + 82.0 * w * brawn,
            2.45,
        ),
        (
            build.z("L5") + 6.0,
            (145.0 if male else 141.0) * w * hips + 0.35 * more,
            y5 - 94.0 * w * hips - 0.9 * more,
            y5 + 78.0 * w * brawn,
            2.4,
        ),
        (build.z("L3"), waist + 0.55 * more, y3 - 104.0 * w * girth - more, y3 + 76.0 * w * brawn, 2.35),
        (
            build.z("L1"),
            waist + 0.5 * more,
            build.y("L1") - 130.0 * w * hips - 0.8 * more,
            build.y("L1") + 70.0 * w * brawn,
            2.3,
        ),
    ]
    for level, side, before, behind, square in (
        ("T11", 10.0, 0.0, 66.0, 2.3), ("T9", 10.0, 8.0, 62.0, 2.3), ("T7", 12.0 + 7.0 * raised, 9.0, 62.0, 2.35),
        ("T5", 19.0 + 9.0 * raised, 16.0, 68.0, 2.4), ("T4", 29.0, 18.0, 76.0, 2.45),
    ):  # fmt: skip
        z = build.z(level)
        _, _, half, _ = cage.section(build, z)
        push = 0.3 * more if level == "T11" else 0.0
        levels.append((
            z, float(half) + side * w * brawn, float(cage.front_y(build, z)) - before * brawn - push,
            build.y(level) + behind * w, square,
        ))  # fmt: skip
    return levels + _shoulder_knots(build)


def _shoulder_knots(build: Build) -> list[tuple[float, float, float, float, float]]:
    """The slope from the shoulders to the neck."""
    joints = [shoulder.joint(build, side) for side in (-1.0, 1.0)]
    reach, z, y = (
        0.5 * (joints[1][0] - joints[0][0]),
        0.5 * (joints[0][2] + joints[1][2]),
        0.5 * (joints[0][1] + joints[1][1]),
    )
    w, neck = build.width, neck_radius(build)
    c, top = build.vertebrae["C5"], build.z("C4") + 4.0
    raised = build.arms == "raised"
    under = build.z("T3") + 10.0
    z = min(max(z, under + 20.0), top - 42.0)
    rise = top - z
    front, back = float(cage.front_y(build, under)), build.y("T2")
    return [
        (under, reach - (18.0 if raised else 22.0), front - 14.0, back + 76.0 * w, 2.5),
        (z, reach - (20.0 if raised else 8.0), 0.5 * (front + y - 48.0), y + 58.0 * w, 2.6),
        (z + 0.28 * rise, reach - (54.0 if raised else 30.0), y - 46.0 * w, y + 54.0 * w, 2.4),
        (z + 0.6 * rise, max(0.5 * reach, neck + 14.0), 0.5 * (y + c[1]) - 50.0 * w, 0.5 * (y + c[1]) + 52.0 * w, 2.2),
        (top, neck + 2.0, c[1] - 0.98 * neck - 4.0, c[1] + 0.9 * neck, 2.1),
        (top + 16.0, neck, c[1] - 1.0 * neck - 4.0, c[1] + 0.86 * neck, 2.1),
        (top + 80.0, 0.97 * neck, c[1] - 1.0 * neck - 4.0, c[1] + 0.84 * neck, 2.1),
    ]


def neck_radius(build: Build) -> float:
    """Half width (mm) of the neck's muscles: circumferences of 0.32 to 0.38 m in women and 0.36 to 0.45 m in men with
    the skin (estimate)."""
    male = build.person.sex == "M"
    return (55.0 if male else 48.0) * build.width**0.7 * (1.0 + 0.006 * (build.person.bmi - 25.0))


def _ribs(build: Build, z: F64, centre: F64) -> F64:
    """Radii [L, TURNS] that keep the muscle 9 mm outside the rib cage; less below T10, 0 away from it."""
    turn = np.linspace(-np.pi, np.pi, 64, endpoint=False)
    here = np.nonzero((z > build.z("L2")) & (z < build.z("T1") + 22.0))[0]
    points = cage.wall(build, z[here, None], turn)[..., :2] - centre[here, None]
    front = np.clip((build.z("T12") + 12.0 - z[here]) / 60.0, 0.0, 1.0)[:, None] * (points[..., 1] < -20.0)
    away = (
        9.0
        - 30.0 * front
        - 70.0 * np.clip((build.z("T12") - z[here]) / (build.z("T12") - build.z("L2")), 0.0, 1.0)[:, None]
    )
    angle, reach = np.arctan2(points[..., 1], points[..., 0]), np.hypot(points[..., 0], points[..., 1]) + away
    radii = np.zeros((len(z), TURNS))
    for row, level in enumerate(here):
        radii[level] = np.interp(ANGLES, angle[row], reach[row], period=2.0 * np.pi)
    return radii


def _furrow(build: Build, z: F64) -> F64:
    """Depth [L, TURNS] of the furrow over spinous processes and sacrum, between the buttocks and over the sternum."""
    at = [build.symphysis[2] - 30.0, build.hip[2], build.z("L5") - 40.0, build.z("L4"), build.z("T8"), build.z("T2")]
    depth, narrow = (
        np.interp(z, at, v)[:, None] for v in ([16.0, 26.0, 20.0, 9.0, 6.0, 2.0], [0.16, 0.2, 0.34, 0.16, 0.16, 0.2])
    )
    behind = depth * np.exp(-0.5 * ((ANGLES - 0.5 * np.pi) / narrow) ** 2)
    sternum = np.interp(z, [build.z("T9"), build.z("T8"), build.z("T4"), build.z("T3")], [0.0, 7.0, 7.0, 0.0])[:, None]
    return np.asarray(behind + sternum * np.exp(-0.5 * ((ANGLES - 1.5 * np.pi) / 0.16) ** 2))


def _fat(build: Build, z: F64, fat: float) -> F64:
    """Thickness [L, TURNS] of skin and subcutaneous fat: women carry more on hips and thighs, men on the belly."""
    male = build.person.sex == "M"
    own = np.exp(np.clip(build.rng("fat").normal(0.0, 0.16, 4), -0.35, 0.35))
    hips, belly, chest, back = own * ([0.9, 1.1, 0.75, 0.85] if male else [1.45, 1.15, 0.85, 0.8])
    hip, low = build.hip[2], build.symphysis[2]
    rows = [  # height, front, side, back as multiples of Build.fat_mm
        (low - 70.0, 0.4, 0.4 * hips, 0.4),
        (low - 20.0, 0.9, 0.85 * hips, 0.75 * hips),
        (hip + 10.0, 1.0 * belly, 1.0 * hips, 0.75 * hips),
        (hip + 70.0, 1.25 * belly, 1.0 * hips, 0.85 * hips),
        (build.z("L5"), 1.4 * belly, 0.55 * (hips + belly), 0.8 * back),
        (build.z("L3"), 1.35 * belly, 0.95 * belly, 0.8 * back),
        (build.z("L1"), 1.05 * belly, 0.8 * belly, 0.75 * back),
        (build.z("T10"), 0.7 * chest, 0.75 * chest, 0.7 * back),
        (build.z("T6"), 0.6 * chest, 0.9 * chest, 0.65 * back),
        (build.z("T3"), 0.6 * chest, (0.4 if build.arms == "raised" else 0.65) * chest, 0.7 * back),
        (build.z("T1"), 0.45, 0.45, 0.6 * back),
        (build.z("C5"), 0.28, 0.25, 0.35),
    ]
    at, front, side, behind = np.array(rows).T
    f, s, b = (np.interp(z, at, v)[:, None] for v in (front, side, behind))
    weights = _FRONT + _BACK + _SIDE
    share = (f * _FRONT + b * _BACK + s * _SIDE) / weights
    return np.asarray(3.0 + 120.0 * -np.expm1(-build.fat_mm * fat * share / 120.0))


def front_of(o: Outline, z: ArrayLike, x: float = 0.0) -> F64:
    """y of the front skin at heights z and a distance x from the midline."""
    ys = np.linspace(-320.0, 80.0, 201)
    points = np.stack(np.broadcast_arrays(x, ys[:, None], np.atleast_1d(np.asarray(z, float))[None]), axis=-1)
    inside = o.clearance(points) < 0.0
    return np.asarray(ys[np.argmax(inside, axis=0)])
