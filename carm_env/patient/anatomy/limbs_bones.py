"""Long bones of the arm: humerus, radius and ulna."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import shoulder
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.limbs_pose import Arm
from carm_env.patient.anatomy.part import Grain, Part, bone
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, ellipsoid, spline, unit
from carm_env.patient.anatomy.texture import RIDGED

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class _Axis:
    """Places along a bone: from ``start`` by a share of ``way`` [3], then mm (times ``w``) to the side and front."""

    start: F64
    way: F64
    lateral: F64
    front: F64
    w: float

    def __call__(self, t: float, lateral: float = 0.0, front: float = 0.0) -> F64:
        return np.asarray(self.start + t * self.way + self.w * (lateral * self.lateral + front * self.front))


def spongy(build: Build) -> Grain:
    """Trabeculae of the ends."""
    return Grain(45.0, build.style.between("trabecular_grain", 0.8, 1.6), RIDGED)


def wall(build: Build, thick_mm: float) -> float:
    """Thickness of a shaft's cortex: less in thin bones of little density."""
    return thick_mm * (0.55 + 0.45 * min(build.bone, 1.15))


def name(side: float) -> str:
    """Prefix of the labels of a side."""
    return "left" if side > 0 else "right"


def humerus(build: Build, a: Arm) -> list[Part]:
    """Shaft and both ends: thick walls around marrow between spongy ends."""
    w, label = build.width * (1.0 if build.person.sex == "M" else 0.93), f"{name(a.side)}_humerus"
    front = unit(np.cross(unit(a.elbow - a.shoulder), a.hinge)) * a.side
    at = _Axis(a.shoulder, a.elbow - a.shoulder, a.hinge, front, w)
    head = [
        ellipsoid(a.shoulder, [shoulder.head_radius(build)] * 3),
        capsule(at(0.02, 15.0, 2.0), at(0.1, 10.0, 1.0), 11.5 * w, 13.0 * w).blended(4.0),
        capsule(at(0.035, 8.0, 15.0), at(0.11, 4.0, 9.0), 6.5 * w, 8.0 * w).blended(4.0),
        capsule(at(0.05, 2.0), at(0.2, 4.0), 19.0 * w, 12.0 * w).blended(5.0),
    ]
    path = np.array([
        [*at(0.12, 4.0), 15.5], [*at(0.24, 3.0), 12.0], [*at(0.42, 3.5), 11.2],
        [*at(0.6, 1.0), 10.6], [*at(0.78, 0.0, 1.0), 10.4], [*at(0.9), 11.0],
    ])  # fmt: skip
    knots = spline(path, 9)
    return [
        bone(label, chain(knots[:, :3], knots[:, 3] * w), wall(build, 4.6 * w), -20.0, 1380.0),
        bone(label, _distal(at, w), 1.6, 210.0 * build.bone, 1150.0, spongy(build)),
        bone(label, head, 1.2, 230.0 * build.bone, 900.0, spongy(build)),
    ]


def _distal(at: _Axis, w: float) -> list[Shape]:
    """Epicondyles, trochlea and capitulum, with the fossae above them."""
    return [
        capsule(at(0.86), at(0.96, 17.0), 9.0 * w, 8.0 * w, at.front, 1.35),
        capsule(at(0.86), at(0.955, -19.0), 9.0 * w, 7.5 * w, at.front, 1.35).blended(3.0),
        capsule(at(0.955, -25.0, -2.0), at(0.985, -12.0), 6.5 * w, 8.0 * w).blended(3.0),
        capsule(at(0.97, 23.0), at(0.99, 14.0), 6.5 * w, 8.0 * w).blended(3.0),
        capsule(at(1.0, -20.0, 1.0), at(1.0, -5.0, 1.0), 12.5 * w, 8.5 * w).blended(2.0),
        capsule(at(1.0, -6.0, 1.0), at(1.0, 4.0, 1.0), 8.5 * w, 9.5 * w).blended(2.0),
        ellipsoid(at(1.0, 13.0, 4.0), [10.5 * w] * 3).blended(2.0),
        ellipsoid(at(0.938, -2.0, -10.0), [11.0 * w, 8.0 * w, 9.0 * w]).cut(1.0),
        ellipsoid(at(0.945, -2.0, 11.0), [8.0 * w, 6.5 * w, 7.0 * w]).cut(1.0),
    ]


def forearm(build: Build, a: Arm) -> list[Part]:
    """Ulna and radius, which crosses it where the palm is turned against the elbow's front."""
    w = build.width * (1.0 if build.person.sex == "M" else 0.92)
    along = unit(a.wrist - a.elbow)
    lateral = unit(a.hinge - along * (a.hinge @ along))
    length = float(np.linalg.norm(a.wrist - a.elbow)) - 18.0 * w
    at = _Axis(a.elbow, length * along, lateral, unit(np.cross(along, lateral)) * a.side, w)
    thumb = unit(a.thumb - along * (a.thumb @ along))
    return _ulna(build, a, at, along, thumb) + _radius(build, a, at, along, thumb)


def _ulna(build: Build, a: Arm, at: _Axis, along: F64, thumb: F64) -> list[Part]:
    """Olecranon and coronoid around the trochlea, a tapering shaft, the styloid on the little finger's side."""
    w, label = at.w, f"{name(a.side)}_ulna"
    upper = unit(a.elbow - a.shoulder)
    back = unit(upper - along) if upper @ along < 0.98 else -at.front
    root = at(0.0, -11.0)
    end = at(0.965) - 11.0 * w * thumb
    middle = 0.5 * (at(0.55, -6.0, -3.0) + end - 0.41 * at.way)
    path = spline(np.array([
        [*at(0.1, -9.0, -4.0), 9.5], [*at(0.25, -8.0, -5.0), 7.4], [*middle, 6.4],
        [*(end - 0.12 * at.way), 5.6], [*end, 6.2],
    ]), 8)  # fmt: skip
    near = [
        capsule(root + w * (17.0 * back - 2.0 * along), root + w * (12.0 * along + 7.2 * back), 9.0 * w),
        capsule(root + w * (13.0 * along + 3.0 * back), at(0.13, -9.0, -3.0), 9.0 * w).blended(3.0),
        capsule(root + 14.0 * w * along, root + w * (13.0 * along - 12.0 * back), 7.0 * w, 4.0 * w).blended(2.0),
        ellipsoid(root, [11.0 * w] * 3).cut(),
    ]
    far = [
        capsule(end - 8.0 * w * along, end, 6.0 * w, 7.4 * w),
        capsule(end - 3.0 * w * thumb, end + w * (8.0 * along - 4.0 * thumb), 3.4 * w, 2.2 * w).blended(1.0),
    ]
    core = 190.0 * build.bone
    return [
        bone(label, chain(path[:, :3], path[:, 3] * w), wall(build, 3.4 * w), 40.0, 1350.0),
        bone(label, near, 1.6, core, 1150.0, spongy(build)),
        bone(label, far, 1.2, core, 1000.0, spongy(build)),
    ]


def _radius(build: Build, a: Arm, at: _Axis, along: F64, thumb: F64) -> list[Part]:
    """Head and neck below the capitulum, a bowed shaft, a broad lower end with the styloid towards the thumb."""
    w, label = at.w, f"{name(a.side)}_radius"
    end = at(0.965) + 8.5 * w * thumb
    bow = 0.5 * (at(0.5, 13.0, 2.0) + end - 0.465 * at.way) + 5.0 * w * at.lateral
    path = spline(np.array([
        [*at(0.12, 12.0, 2.0), 6.6], [*at(0.2, 9.5, 3.0), 7.6], [*bow, 7.4], [*(end - 0.2 * at.way), 7.6],
        [*(end - 0.1 * at.way), 9.0],
    ]), 8)  # fmt: skip
    near = [
        capsule(at(0.075, 13.0, 2.0), at(0.095, 13.0, 2.0), 9.5 * w),
        capsule(at(0.1, 13.0, 2.0), at(0.15, 12.0, 2.0), 7.0 * w).blended(2.0),
    ]
    far = [
        capsule(end + w * (2.0 * thumb - 16.0 * along), end + w * along, 9.5 * w, 11.5 * w),
        capsule(end - w * (2.0 * along + 4.0 * thumb), end + w * (6.0 * thumb - along), 10.0 * w, 9.5 * w).blended(3.0),
        capsule(end + 8.0 * w * thumb, end + w * (9.0 * thumb + 11.0 * along), 6.0 * w, 3.5 * w).blended(2.0),
    ]
    core = 190.0 * build.bone
    return [
        bone(label, chain(path[:, :3], path[:, 3] * w), wall(build, 3.4 * w), 40.0, 1350.0),
        bone(label, near, 1.4, core, 1050.0, spongy(build)),
        bone(label, far, 1.3, core, 1000.0, spongy(build)),
    ]
