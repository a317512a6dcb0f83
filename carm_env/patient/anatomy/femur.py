"""Proximal femora, from the head to below the end of the CT (dimensions: estimates from textbook morphometry)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.pelvis_frame import Basin, bar
from carm_env.patient.anatomy.shapes import Shape, blended, capsule, chain, ellipsoid, loft, rotation, unit

F64 = NDArray[np.float64]
_BELOW_MM = 225.0
"""How far below the symphysis the shaft is drawn."""
_DROP = [-6.0, 8.0, 18.0, 28.0, 44.0, 64.0, 90.0, 130.0, 220.0]
_RADIUS = [18.5, 19.0, 18.0, 16.9, 15.7, 14.9, 14.3, 14.0, 13.8]
_WALL = [0.9, 0.9, 0.9, 2.0, 3.8, 5.4, 6.4, 7.1, 7.4]
"""Outer radius and cortex (mm) of the shaft below where the neck's axis meets it."""


@dataclass(frozen=True)
class Femur:
    """One femur: its axes (columns: left, back, up along the shaft), centre and radius of its head, scale, and the
    shaft's way from the head: ``offset`` laterally, ``rise`` down to where the neck's axis meets it, ``length`` on."""

    side: float
    head: F64
    axes: F64
    radius: float
    scale: float
    offset: float
    rise: float
    length: float
    wall: float

    def at(self, points: ArrayLike) -> F64:
        """LPS of points [..., 3] (lateral, back, up; mm of a 1.70 m person) from the crossing of neck and shaft."""
        p = np.asarray(points, float) * self.scale * [self.side, 1.0, 1.0]
        return np.asarray(self.crossing + p @ self.axes.T, float)

    @property
    def crossing(self) -> F64:
        """Where the axes of neck and shaft meet."""
        return np.asarray(self.head + self.axes @ np.array([self.side * self.offset, 0.0, -self.rise]), float)

    def neck(self, part: float, up: float = 0.0) -> F64:
        """Point on the neck's axis (0: crossing, 1: centre of the head), and ``up`` mm along the shaft's axis."""
        return np.asarray(self.crossing + part * (self.head - self.crossing) + up * self.scale * self.axes[:, 2], float)


def draw_femur(basin: Basin, side: float) -> Femur:
    """Neck-shaft angle 119 to 136 degrees; anteversion and the turned-out foot bring the neck 0 to 36 forwards."""
    b = basin.build
    rng = b.rng("femur")
    neck_shaft = float(np.clip(rng.normal(128.0, 3.5), 119.0, 136.0))
    offset = float(rng.normal(basin.pair(44.0, 41.0), 2.0)) * b.width
    version, valgus, bow = rng.normal([17.0, 7.0, 2.0], [7.0, 1.5, 1.5])
    uneven = rng.normal(0.0, [4.0, 1.0], (2, 2))[int(side > 0.0)]
    version, valgus = float(np.clip(version + uneven[0], 0.0, 36.0)), float(np.clip(valgus + uneven[1], 3.0, 11.0))
    axes = rotation(x_deg=-bow) @ rotation(y_deg=side * valgus) @ rotation(z_deg=side * version)
    rise = offset * float(np.tan(np.radians(neck_shaft - 90.0)))
    length = (_BELOW_MM + 22.0 * b.width) / float(axes[2, 2]) - rise
    wall = float(np.clip(0.55 + 0.45 * b.bone + rng.normal(0.0, 0.06), 0.6, 1.15))
    return Femur(side, b.hip * [side, 1.0, 1.0], axes, basin.head_radius, b.width, offset, rise, length, wall)


def femur_parts(basin: Basin) -> list[Part]:
    """Both femora: spongy bone in a thin shell, the shaft's thick cortex, bundles of trabeculae and fat marrow."""
    parts: list[Part] = []
    density = basin.build.bone
    for side, label in ((-1.0, "right_femur"), (1.0, "left_femur")):
        femur, grain = draw_femur(basin, side), basin.grain
        whole = [_tube(femur, -6.0, 0.0), *_proximal(femur)]
        head = ellipsoid(femur.head, [0.88 * femur.radius] * 3)
        core = 200.0 * density
        parts += [
            bone(label, whole, 1.3, core, 850.0 + 150.0 * density, grain),
            tissue(label, [_tube(femur, 16.0, 0.2)], 1200.0 + 160.0 * density, over={label}),
            tissue(label, [_tube(femur, 10.0, 1.0)], core, grain=grain, over={label}),
            tissue(label, [head, *_bundles(femur)], 530.0 * density, grain=grain, over={label}),
            tissue(label, [_marrow(femur)], -25.0, grain=Grain(20.0, 3.0), over={label}),
        ]
    return parts


def _profile(femur: Femur, top: float) -> tuple[F64, F64, F64]:
    """Heights (mm from the crossing, ascending), outer radii and cortex of the shaft below ``top`` [L]."""
    z = np.linspace(-femur.length, -top * femur.scale, 36)
    drop = -z / femur.scale
    return z, np.interp(drop, _DROP, _RADIUS) * femur.scale, np.interp(drop, _DROP, _WALL) * femur.scale * femur.wall


def _rough(count: int = 32) -> F64:
    """The shaft's section: the linea aspera behind, flatter in front."""
    angle = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    back = np.cos(angle - 0.5 * np.pi)
    return np.asarray(1.0 - 0.03 * back + 0.13 * np.clip(back, 0.0, 1.0) ** 8, float)


def _tube(femur: Femur, top: float, wall: float) -> Shape:
    """The shaft from ``top`` (mm below the crossing) down, less ``wall`` times its cortex."""
    z, r, cortex = _profile(femur, top)
    section = _rough() if wall < 0.5 else np.ones(32)
    bare = 0.3 if 0.0 < wall < 0.5 else wall * cortex
    radii = (r - bare)[:, None] * section
    return loft(femur.crossing, femur.axes, z[0], z[-1], np.zeros((len(z), 2)), radii)


def _marrow(femur: Femur) -> Shape:
    """The medullary canal, tapering into the spongy bone above."""
    z, r, cortex = _profile(femur, 4.0)
    taper = np.interp(-z / femur.scale, [4.0, 18.0, 40.0, 62.0], [0.05, 0.45, 0.8, 1.0])
    radii = np.maximum((r - cortex) * taper - 0.3, 0.3)[:, None] * np.ones(32)
    return loft(femur.crossing, femur.axes, z[0], z[-1], np.zeros((len(z), 2)), radii)


def _proximal(femur: Femur) -> list[Shape]:
    """Head with its fovea, neck and trochanters."""
    k, side = femur.scale, femur.side
    back, out = femur.axes[:, 1], side * femur.axes[:, 0]
    neck = bar(
        [femur.neck(0.9), femur.neck(0.7), femur.neck(0.45), femur.neck(0.2, -2.0), femur.neck(-0.1, -5.0)],
        np.array([0.68 * femur.radius, 0.61 * femur.radius, 0.58 * femur.radius, 14.5 * k, 16.0 * k]),
        np.array([0.84 * femur.radius, 0.77 * femur.radius, 0.77 * femur.radius, 20.0 * k, 20.0 * k]),
        back,
    )
    great = capsule(femur.at([6, 3, -8]), femur.at([8, 8, 18]), 17.5 * k, 14.5 * k, out, 1.2)
    saddle = capsule(femur.at([-8, 4, 4]), femur.at([5, 9, 15]), 13.5 * k, 13.0 * k)
    tip = capsule(femur.at([7, 9, 16]), femur.at([4.5, 12, 25]), 12.0 * k, 8.5 * k)
    crest = bar(femur.at([[2, 17, 18], [-4, 17, -6], [-12, 14, -27]]), 6.0 * k, 6.0 * k, back)
    lesser = capsule(femur.at([-8, 9, -27]), femur.at([-17, 15, -28]), 9.5 * k, 5.5 * k)
    fovea = unit(femur.axes @ np.array([-side * 0.93, 0.15, -0.10]) + [0.0, 0.0, -0.15])
    return [
        neck.blended(8.0),
        *blended([great, saddle, tip, crest, lesser], 10.0),
        ellipsoid(femur.head, [femur.radius] * 3).blended(5.0),
        ellipsoid(femur.head + 1.13 * femur.radius * fovea, [6.5 * k] * 3).cut(2.0),
    ]


def _bundles(femur: Femur) -> list[Shape]:
    """Compressive trabeculae from the head to the calcar, and the tensile arc below the neck's upper border."""
    k, r = femur.scale, femur.radius
    back = femur.axes[:, 1]
    pressed = np.array(
        [
            femur.head + 0.5 * r * femur.axes[:, 2],
            femur.neck(0.78, -3.0),
            femur.neck(0.42, -12.0),
            femur.at([-15, 0, -26]),
        ]
    )
    drawn = np.array(
        [
            femur.neck(0.9, 2.0),
            femur.neck(0.5, 9.0),
            femur.neck(0.2, 11.0),
            femur.at([10, 2, 2]),
            femur.at([15, 1, -20]),
        ]
    )
    return [
        *chain(pressed, np.array([9.0, 8.0, 5.0, 2.5]) * k, back),
        *chain(drawn, np.array([5.0, 3.5, 3.5, 3.5, 2.0]) * k, back),
    ]
