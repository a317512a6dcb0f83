"""Where the organs of the chest lie: the numbers that lungs, heart, vessels and airways share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import cage, domes
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import Shape, loft

F64 = NDArray[np.float64]
LUNGS = ("right_lung", "left_lung")
BLOOD_HU = 42.0
_STERNUM_MM = 14.0


@dataclass(frozen=True)
class Plan:
    """Layout of one chest (mm, LPS).

    Attributes:
        dome: the diaphragm. carina: air of the trachea just above its fork. floor: z of the diaphragm under the heart.
        heart_x: x from which its right third is told. heart_width: greatest width of its silhouette.
        heart_front, heart_back: y between sternum and oesophagus.
        unfold: 0 to 1, how far age has stretched the aorta. arterial_hu, venous_hu: blood of the left and right heart.
    """

    build: Build
    dome: domes.Diaphragm
    carina: F64
    floor: float
    heart_x: float
    heart_width: float
    heart_front: float
    heart_back: float
    unfold: float
    arterial_hu: float
    venous_hu: float
    contrast: bool

    @property
    def scale(self) -> float:
        """Size of vessels and airways against a person of 1.70 m."""
        return float(np.sqrt(self.build.width * self.build.chest))

    def near(self, x: float, y: float, z: float) -> F64:
        """A point given from the carina in mm of a person of 1.70 m."""
        return self.carina + np.array([x, y, z]) * self.scale

    def lifted(self, points: ArrayLike, gap_mm: float) -> F64:
        """Points [..., 3], those lower than this above the diaphragm raised."""
        p = np.array(points, float)
        p[..., 2] = np.maximum(p[..., 2], domes.heights_of(self.dome, p[..., 0], p[..., 1]) + gap_mm)
        return p

    def heart(self, u: ArrayLike) -> F64:
        """A point (or [K, 3]) from fractions: across (-0.33 right border, 0.67 left border), front to back (0 to 1),
        bottom to top (0: diaphragm, 1: roof of the left atrium)."""
        u = np.asarray(u, float)
        low = np.array([self.heart_x, self.heart_front, self.floor])
        return low + u * self.heart_size

    @property
    def heart_size(self) -> F64:
        """Width, depth and height of the heart's box [3]."""
        top = self.carina[2] - 12.0 * self.scale
        tall = float(np.clip(top - self.floor, 0.55 * self.heart_width, 1.12 * self.heart_width))
        return np.array([self.heart_width, self.heart_back - self.heart_front, tall])


@lru_cache(4)
def draw_plan(build: Build) -> Plan:
    """Draws the layout. The carina lies about 62 mm below T1, the arch's top some 32 mm above it."""
    rng, person = build.rng("chest plan"), build.person
    length = (build.z("T1") - build.z("T12")) / 262.0
    normal, uniform = rng.normal(0.0, 1.0, 6), rng.random(4)
    low = domes.diaphragm(build)
    floor = float(domes.heights_of(low, low.centre[0] + 12.0, low.centre[1] - 20.0))
    room = -floor / length - 172.0
    drop = (62.0 + 5.5 * float(np.clip(normal[0], -2.0, 2.0)) + 0.10 * float(np.clip(room, -60.0, 60.0))) * length
    z = build.z("T1") - drop
    spine = build.along(np.interp(-z, [-build.z(f"T{k}") for k in range(1, 8)], np.arange(7)))
    carina = np.array([spine[0] + 1.5 * normal[1], spine[1] - (49.0 + 2.0 * normal[2]) * build.width, z])
    cx, cy, half, deep = (float(v) for v in cage.section(build, min(floor + 25.0, z - 40.0)))
    back = float(np.interp(floor + 50.0, [build.z("T12"), build.z("T9"), build.z("T6")],
                           [build.y(k) for k in ("T12", "T9", "T6")]))  # fmt: skip
    ratio = (
        0.467 + 0.0011 * (person.age_years - 50.0) + 0.0022 * (person.bmi - 27.0) - 0.0006 * room + 0.022 * normal[3]
    )
    width = float(np.clip(ratio, 0.42, 0.56)) * 2.0 * (half - domes.WALL_MM)
    contrast = bool(uniform[0] < 0.2)
    arterial = 150.0 + 150.0 * uniform[1] if contrast else BLOOD_HU
    venous = arterial * (0.8 + 0.6 * uniform[2]) if contrast else BLOOD_HU
    behind = back - 28.0 * build.width
    front = max(cy - deep + _STERNUM_MM + 2.0, behind - (0.95 + 0.03 * float(np.clip(normal[5], -2.0, 2.0))) * width)
    unfold = float(np.clip((person.age_years - 48.0) / 38.0 + 0.25 * normal[4], 0.0, 1.0))
    x = cx + 0.03 * width
    return Plan(build, low, carina, floor, x, width, front, behind, unfold, arterial, venous, contrast)


def polar(outline: F64, centre: F64, turns: int) -> F64:
    """Distances [turns] of a closed outline [K, 2] from a point inside it [2] at even angles from +x."""
    arm = outline - centre
    even = np.linspace(0.0, 2.0 * np.pi, turns, endpoint=False)
    angle, reach = np.arctan2(arm[:, 1], arm[:, 0]), np.hypot(arm[:, 0], arm[:, 1])
    return np.asarray(np.interp(even, angle, reach, period=2.0 * np.pi))


def tube(z: F64, centres: F64, radii: F64) -> Shape:
    """A vertical tube of drawn sections at even heights ``z`` [L], its box no larger than the outline needs.

    Args:
        centres: [L, 2]. radii: [L, N] at even angles.
    """
    shape = loft([0.0, 0.0, 0.0], None, float(z[0]), float(z[-1]), centres, radii)
    angle = np.linspace(0.0, 2.0 * np.pi, radii.shape[1], endpoint=False)
    row = shape.row.copy()
    for axis, way in enumerate((np.cos(angle), np.sin(angle))):
        edge = centres[:, axis, None] + radii * way
        row[3 + axis], row[6 + axis] = edge.min() - 5.0, edge.max() + 5.0
    return replace(shape, row=row)
