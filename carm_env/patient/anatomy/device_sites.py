"""What devices hold on to: the organs' own landmarks, the courses of vessels and gullet, the skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import chest_plan, femur, flesh, limbs_pose, vessels
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.chest_plan import Plan
from carm_env.patient.anatomy.device_skin import Skin
from carm_env.patient.anatomy.femur import Femur
from carm_env.patient.anatomy.flesh_outline import Outline, draw_outline
from carm_env.patient.anatomy.head_frame import draw_head
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.limbs_pose import Arm
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.pelvis_frame import Basin
from carm_env.patient.anatomy.shapes import Shape, chain, spline, vec

F64 = NDArray[np.float64]
TITANIUM_HU, STEEL_HU, COBALT_HU, PLATINUM_HU = 7500.0, 12000.0, 14000.0, 16000.0
BARIUM_HU, PLASTIC_HU, FOAM_HU = 2600.0, 150.0, -950.0
_VOXEL_MM = 2.0
NOT_HARD = frozenset(LABELS) - {"teeth", "skull", "mandible"}
"""What a tube in the mouth or nose may pass through."""


@dataclass(frozen=True)
class Site:
    """One body and what has been found on it so far."""

    build: Build

    @cached_property
    def skin(self) -> Skin:
        return Skin(self.build, [part for part in flesh.parts(self.build) if part.label == "skin"])

    @cached_property
    def plan(self) -> Plan:
        return chest_plan.draw_plan(self.build)

    @cached_property
    def outline(self) -> Outline:
        return draw_outline(self.build)

    @cached_property
    def arms(self) -> dict[float, Arm]:
        """By side."""
        return {arm.side: arm for arm in limbs_pose.arms(self.build, self.outline)}

    def femur(self, side: float) -> Femur:
        return femur.draw_femur(Basin(self.build), side)

    def vertebra(self, level: str, point: ArrayLike) -> F64:
        """LPS of points [..., 3] from a vertebral body's centre along its left, back and up."""
        return np.asarray(
            self.build.vertebrae[level] + np.asarray(point, float) * self.build.width @ self.build.frame_at(level).T
        )

    def size(self, low: float, high: float) -> float:
        """A dimension of a device's make."""
        return self.build.style.between("device_make", low, high)

    def spot(self, low: float, high: float) -> float:
        """A number of where a device lies."""
        return self.build.style.between("device_place", low, high)

    def front(self, x: float, z: float, above_mm: float) -> F64 | None:
        """A point over the front skin near x and z."""
        build = self.build
        levels = np.array(list(build.vertebrae.values()))[::-1]
        low = np.concatenate([[[0.0, build.hip[1] - 10.0, build.hip[2] - 60.0]], levels])
        y = float(np.interp(z, low[:, 2], low[:, 1])) - 42.0
        if z > build.z("T1"):
            return self.skin.on([0.35 * x, y + 12.0, z], [0.65 * x, -50.0, 0.0], above_mm)
        return self.skin.on([0.6 * x, y, z], [0.4 * x, -95.0, 0.0], above_mm)

    def over_front(self, knots: ArrayLike, above_mm: float, step_mm: float = 14.0) -> F64:
        """A line over the front skin through knots of x and z [K, 2]; empty where there is no skin."""
        k = np.asarray(knots, float)
        flat = np.c_[k[:, 0], np.zeros(len(k)), k[:, 1]]
        length = float(np.linalg.norm(np.diff(flat, axis=0), axis=1).sum())
        line = spline(flat, max(2, int(length / step_mm) + 1))
        points = [self.front(x, z, above_mm) for x, _, z in line]
        return _smooth(np.array([p for p in points if p is not None]).reshape(-1, 3))

    @cached_property
    def trachea(self) -> F64:
        """Middle of the airway from the back of the throat to the carina [K, 3]."""
        head, near, bow = draw_head(self.build), self.plan.near, 2.5 + 4.0 * self.plan.unfold
        v, w = self.build.vertebrae, self.build.width
        knots = [
            head.at((0.0, -24.0, -92.0)),
            0.5 * (head.at((0.0, -14.0, -98.0)) + v["C2"] + vec(0.0, -17.0, -6.0) * w),
            v["C3"] + vec(0.0, -20.5, 0.0) * w,
            v["C4"] + vec(0.0, -24.0, 0.0) * w,
            v["C5"] + vec(0.0, -28.0, 0.0) * w,
            v["C7"] + vec(0.0, -31.0, 0.0) * w,
            v["T1"] + vec(0.5, -34.0, -4.0) * w,
            near(-bow, -2.0, 22.0),
            near(0.0, 0.0, -1.0),
        ]
        return spline(knots, 30)

    @cached_property
    def superior_cava(self) -> F64:
        """From the confluence of the brachiocephalic veins to the right atrium [K, 3]."""
        near = self.plan.near
        atrium = self.plan.heart((-0.16, 0.50, 0.74))
        return np.array([near(-16.0, -31.0, 26.0), near(-18.0, -27.0, 0.0), near(-19.0, -24.0, -28.0), atrium])

    def subclavian(self, side: float) -> F64:
        """From below the middle of the clavicle to the confluence [K, 3]."""
        w, t1 = self.build.width, self.build.vertebrae["T1"]
        knots = [
            t1 + vec(side * 98.0, -34.0, -36.0) * w,
            t1 + vec(side * 72.0, -40.0, -16.0) * w,
            self.venous_angle(side),
        ]
        return np.array([*knots, *([self.plan.near(2.0, -50.0, 34.0)] if side > 0 else []), self.superior_cava[0]])

    def venous_angle(self, side: float) -> F64:
        """Where the jugular and the subclavian vein meet [3]."""
        return np.asarray(self.build.vertebrae["T1"] + vec(side * 34.0, -40.0, -12.0) * self.build.width)

    @cached_property
    def aorta(self) -> F64:
        """From the fork at L4 up to the arch's top and down to the valve [K, 3]."""
        rows = np.array([shape.row for shape in vessels.aortic(self.plan)])
        return np.asarray(np.concatenate([rows[:, 9:12], rows[-1:, 12:15]])[::-1])

    def iliac(self, side: float) -> F64:
        """Artery from the groin's skin to the aorta's fork [K, 3]."""
        b, w = self.build, self.build.width
        groin = b.hip * [side, 1.0, 1.0] + vec(-4.0 * side, -44.0, 24.0) * w
        sacral = b.vertebrae["L5"] + vec(side * 33.0, -16.0, -26.0) * w
        brim = 0.55 * groin + 0.45 * sacral + vec(side * 4.0, 10.0, -8.0) * w
        start = vessels.bifurcation(self.plan)
        return np.array(
            [groin + vec(-3.0 * side, 4.0, -40.0) * w, groin, brim, sacral, start + vec(side * 4.0, 0.0, 0.0), start]
        )

    @cached_property
    def cava_inferior(self) -> F64:
        """From L5 to the right atrium [K, 3]."""
        v = self.vertebra
        return np.array(
            [
                v("L5", (-10.0, -31.0, 10.0)),
                v("L3", (-20.0, -31.0, 0.0)),
                v("L1", (-19.0, -33.0, 0.0)),
                v("T12", (-14.0, -36.0, 0.0)),
            ]
        )


def thin(hu: float, radius: float) -> float:
    """HU that makes the painter give a rod thinner than a voxel its true mass at 2 mm voxels."""
    r = radius + 0.5 * _VOXEL_MM
    share = 3.0 * _VOXEL_MM * radius**2 / r**3 if radius < 0.5 * _VOXEL_MM else 1.0
    return max(0.0, hu) * min(1.0, share)


def wire(points: ArrayLike, radius: float, hu: float, rigid: bool = False) -> Part:
    """A wire of one metal along a polyline [K, 3]."""
    return tissue("device", chain(points, radius), thin(hu, radius), rigid=rigid)


def tube(
    points: F64, radius: float, bore: float, hu: float = PLASTIC_HU, stripe: float = 0.6, lumen: float | None = -1000.0
) -> list[Part]:
    """A plastic tube along [K, 3] with a bore (radius; filled with ``lumen`` HU) and a barium stripe in its wall."""
    parts = [tissue("device", chain(points, radius), thin(hu, radius), over=NOT_HARD)]
    if lumen is not None:
        parts.append(tissue("device", chain(points, bore), lumen, over=NOT_HARD))
    if stripe > 0.0:
        parts.append(wire(points + vec(0.0, -0.5 * (radius + bore), 0.0), stripe, BARIUM_HU))
    return parts


def ring(
    centre: ArrayLike, axes: F64, radius: float, thick: float, count: int = 12, radius_y: float | None = None
) -> list[Shape]:
    """A ring about local z (columns of ``axes``)."""
    a = np.linspace(0.0, 2.0 * np.pi, count + 1)
    ry = radius if radius_y is None else radius_y
    local = np.stack([radius * np.cos(a), ry * np.sin(a), 0.0 * a], axis=1)
    return chain(np.asarray(centre, float) + local @ axes.T, thick)


def along(points: ArrayLike, step_mm: float) -> F64:
    """A smooth line through knots [K, 3] with points about ``step_mm`` apart."""
    p = np.asarray(points, float)
    length = float(np.linalg.norm(np.diff(p, axis=0), axis=1).sum())
    return spline(p, max(3, int(length / step_mm) + 1))


def joined(*lines: F64 | Sequence[F64]) -> F64:
    """Polylines one after the other, without doubled points."""
    p = np.concatenate([np.asarray(line, float).reshape(-1, 3) for line in lines])
    apart = np.r_[True, np.linalg.norm(np.diff(p, axis=0), axis=1) > 0.5]
    return np.asarray(p[apart])


def _smooth(points: F64) -> F64:
    """Takes the steps out of a line [K, 3] that was found point by point."""
    if len(points) < 3:
        return points
    out = points.copy()
    out[1:-1] = 0.25 * points[:-2] + 0.5 * points[1:-1] + 0.25 * points[2:]
    apart = np.r_[True, np.linalg.norm(np.diff(out, axis=0), axis=1) > 0.5]
    return np.asarray(out[apart])
