"""The pelvis' drawing board: figures of one person of 1.70 m, fitted to a body's anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain
from carm_env.patient.anatomy.shapes import Shape, frame, loft, spline
from carm_env.patient.anatomy.texture import RIDGED

F64 = NDArray[np.float64]
HIP_X, L5_Z, SYMPHYSIS_Y = 85.0, 131.0, -60.0


@dataclass(frozen=True)
class Basin:
    """Maps drawn points (mm; origin amid the hip centres, +x lateral, L5's centre at z = 131, the left hip at x = 85,
    the symphysis at (0, -60, -22)) to LPS."""

    build: Build

    @cached_property
    def female(self) -> float:
        """0 (android) to 1 (gynaecoid)."""
        draw = self.build.rng("pelvis shape").normal(0.0, 0.13)
        return float(np.clip((0.85 if self.build.person.sex == "F" else 0.15) + draw, 0.0, 1.0))

    @cached_property
    def scale(self) -> F64:
        """Scales of x, y and of z above the hips [3]."""
        b = self.build
        return np.array([
            b.hip[0] / HIP_X, (b.symphysis[1] - b.hip[1]) / SYMPHYSIS_Y, (b.z("L5") - b.hip[2]) / L5_Z,
        ])  # fmt: skip

    @cached_property
    def head_radius(self) -> float:
        """Radius of the femoral head (mm)."""
        mean = 22.6 if self.build.person.sex == "F" else 25.0
        draw = self.build.rng("femoral head").normal(1.0, 0.03)
        return float(np.clip(mean * self.build.width**0.7 * draw, 20.0, 28.0))

    @property
    def joint_radius(self) -> float:
        """Radius of the bony socket: the head and a joint space of 3.5 mm or so."""
        return self.head_radius + float(np.interp(self.build.person.age_years, [30.0, 85.0], [4.0, 3.2]))

    @property
    def grain(self) -> Grain:
        """Texture of the spongy bone."""
        style = self.build.style
        return Grain(style.between("trabecular_grain", 22.0, 48.0), style.between("trabecular_grain", 2.0, 1.3), RIDGED)

    def at(self, points: ArrayLike, side: float) -> F64:
        """LPS of drawn points [..., 3] on one side."""
        p = np.asarray(points, float)
        z = np.where(p[..., 2] > 0.0, self.scale[2], self.build.width) * p[..., 2]
        flat = np.stack([side * p[..., 0] * self.scale[0], p[..., 1] * self.scale[1], z], axis=-1)
        return np.asarray(flat + np.array([0.0, self.build.hip[1], self.build.hip[2]]), float)

    def mixed(self, male: ArrayLike, female: ArrayLike) -> F64:
        """Figures between those of the two sexes."""
        m, f = np.asarray(male, float), np.asarray(female, float)
        return m + self.female * (f - m)

    def pair(self, male: float, female: float) -> float:
        """One figure between those of the two sexes."""
        return male + self.female * (female - male)


def outlined(
    origin: ArrayLike,
    turn: ArrayLike | None,
    z: Sequence[float] | F64,
    outlines: ArrayLike,
    levels: int,
    turns: int = 48,
    middle: ArrayLike | None = None,
) -> Shape:
    """A loft through drawn outlines.

    Args:
        z: local heights of the outlines, ascending [L]. outlines: local x, y, corners around, the same number at each
        height and star-shaped about ``middle`` [L, 2] or else their mean, [L, K, 2]. levels, turns: size of the table.
    """
    z = np.asarray(z, float)
    fine = np.linspace(z[0], z[-1], levels)
    between = PchipInterpolator(z, np.asarray(outlines, float))(fine)
    corners = np.concatenate([between, between[:, :1]], axis=1)
    count = between.shape[1]
    smooth = CubicSpline(np.arange(count + 1), corners, axis=1, bc_type="periodic")(np.linspace(0.0, count, 6 * turns))
    centres = smooth.mean(1) if middle is None else PchipInterpolator(z, np.asarray(middle, float))(fine)
    d = smooth - centres[:, None]
    polar, reach = np.arctan2(d[..., 1], d[..., 0]), np.hypot(d[..., 0], d[..., 1])
    order = np.argsort(polar, axis=1)
    polar, reach = np.take_along_axis(polar, order, 1), np.take_along_axis(reach, order, 1)
    angles = np.linspace(0.0, 2.0 * np.pi, turns, endpoint=False)
    radii = [np.interp(angles, at, r, period=2.0 * np.pi) for at, r in zip(polar, reach, strict=True)]
    return loft(origin, turn, float(z[0]), float(z[-1]), centres, np.array(radii))


def bar(path: ArrayLike, thick: ArrayLike, wide: ArrayLike, across: ArrayLike, turns: int = 32) -> Shape:
    """A bent bar in one piece, with round ends.

    Args:
        path: its axis, LPS [K, 3], bent by less than 60 degrees against the line from end to end.
        thick, wide: half its size along ``across`` and at right angles to it, one a point [K].
    """
    p = np.asarray(path, float)
    turn = frame(p[-1] - p[0], across)
    local = (p - p[0]) @ turn
    sizes = np.broadcast_to(np.asarray(thick, float), (len(p),)), np.broadcast_to(np.asarray(wide, float), (len(p),))
    fine = spline(np.column_stack([local, *sizes]), 40)
    cap = 0.5 * (sizes[0] + sizes[1])
    low, high = -0.7 * float(cap[0]), float(local[-1, 2] + 0.7 * cap[-1])
    z = np.linspace(low, high, 28)
    at = np.clip(z, 0.0, local[-1, 2])
    x, y, a, b = (np.interp(at, fine[:, 2], fine[:, i]) for i in (0, 1, 3, 4))
    over = np.abs(z - at) / np.where(z < 0.0, 0.72 * cap[0], 0.72 * cap[-1])
    end = np.sqrt(np.clip(1.0 - over**2, 0.02, 1.0))
    angle = np.linspace(0.0, 2.0 * np.pi, turns, endpoint=False)
    c, s = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    radii = ((c / a[:, None]) ** 2.4 + (s / b[:, None]) ** 2.4) ** (-1.0 / 2.4) * end[:, None]
    return loft(p[0], turn, low, high, np.stack([x, y], axis=1), radii)


def trimmed(shape: Shape, by_mm: float) -> Shape:
    """The shape with less room about it, for one that is joined to its neighbours without fillets."""
    row = shape.row.copy()
    row[3:6] += by_mm
    row[6:9] -= by_mm
    return replace(shape, row=row)


def beside(shape: Shape, x_mm: float) -> list[Shape]:
    """What of a shape may lie further than ``x_mm`` to the left and to the right of the patient's middle."""
    halves = []
    for side, column in ((-1.0, 6), (1.0, 3)):
        row = shape.row.copy()
        row[column] = side * x_mm
        halves.append(replace(shape, row=row))
    return halves
