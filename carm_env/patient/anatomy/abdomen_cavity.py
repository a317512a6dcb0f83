"""The space inside the abdominal wall: where an organ may lie, and how a body drawn by constraints becomes a shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import domes, flesh_muscles
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.chest_plan import BLOOD_HU, draw_plan
from carm_env.patient.anatomy.flesh_outline import draw_outline
from carm_env.patient.anatomy.shapes import Shape, balloon

F64 = NDArray[np.float64]
Field = Callable[[F64], F64]
INSIDE = ("peritoneum",)
"""Labels that an organ may take the place of: organs neither leave the cavity nor cut into one another."""
_STEPS = 36


@dataclass(frozen=True)
class Cavity:
    """The abdominal cavity as ``flesh`` draws it.

    Attributes:
        z: even heights [L], rising. centre: x, y of the sections [L, 2]. radii: mm [L, N] at even steps of ``_turn``.
        spine: x and y of the vertebral centres [L, 2]. dome_x, dome_y, dome: the diaphragm's height map and its axes.
        roof: what lies below the diaphragm, to keep. tops: highest points [3] of the right and the left dome.
        blood_hu: of arteries. uptake: how far organs take up contrast medium, 0 to 1.
    """

    z: F64
    centre: F64
    radii: F64
    spine: F64
    dome_x: F64
    dome_y: F64
    dome: F64
    roof: Shape
    tops: tuple[F64, F64]
    blood_hu: float
    uptake: float

    def section(self, z: ArrayLike) -> tuple[F64, F64, F64, F64]:
        """Centre x, y, half width and half depth at heights z."""
        n = self.radii.shape[1] // 4
        columns = (
            *self.centre.T,
            0.5 * (self.radii[:, 0] + self.radii[:, 2 * n]),
            0.5 * (self.radii[:, n] + self.radii[:, 3 * n]),
        )
        cx, cy, a, b = (np.interp(np.asarray(z, float), self.z, column) for column in columns)
        return cx, cy, a, b

    def at(self, u: float, v: float, z: float) -> F64:
        """Point [3] at height z: u from -1 (right wall) to 1 (left), v from -1 (front) to 1 (back)."""
        cx, cy, a, b = self.section(z)
        return np.array([float(cx + u * a), float(cy + v * b), z])

    def front(self, x: float, z: float, inset_mm: float) -> F64:
        """Point [3] ``inset_mm`` behind the front wall."""
        cx, cy, a, b = self.section(z)
        u = np.clip((x - cx) / a, -0.93, 0.93)
        return np.array([x, float(cy - b * (1.0 - abs(u) ** 2.4) ** (1.0 / 2.4)) + inset_mm, z])

    def rho(self, p: F64) -> tuple[F64, F64]:
        """Distance (about, mm; negative inside) of points [..., 3] from the wall, and the angle of each (radians)."""
        step = self.z[1] - self.z[0]
        f = np.clip((p[..., 2] - self.z[0]) / step, 0.0, len(self.z) - 1.001)
        i = f.astype(int)
        f = f - i
        x, y = (p[..., k] - (1.0 - f) * self.centre[i, k] - f * self.centre[i + 1, k] for k in range(2))
        count = self.radii.shape[1]
        g = _turn(x, y) * 0.25 * count
        j = np.minimum(g.astype(int), count - 1)
        g, k = g - j, (j + 1) % count
        low, high = ((1.0 - g) * self.radii[n, j] + g * self.radii[n, k] for n in (i, i + 1))
        return np.hypot(x, y) - (1.0 - f) * low - f * high, np.arctan2(y, x)

    def above_dome(self, p: F64) -> F64:
        """How far (mm) points [..., 3] lie above the diaphragm."""
        f = np.clip((p[..., 0] - self.dome_x[0]) / (self.dome_x[1] - self.dome_x[0]), 0, len(self.dome_x) - 1.001)
        g = np.clip((p[..., 1] - self.dome_y[0]) / (self.dome_y[1] - self.dome_y[0]), 0, len(self.dome_y) - 1.001)
        return np.asarray(p[..., 2] - self.dome[f.astype(int), g.astype(int)], float)

    def from_spine(self, p: F64) -> tuple[F64, F64]:
        """Offsets x and y (mm) of points [..., 3] from the vertebral centre at their height."""
        return tuple(p[..., i] - np.interp(p[..., 2], self.z, self.spine[:, i]) for i in range(2))  # type: ignore[return-value]


def draw_cavity(build: Build) -> Cavity:
    """The cavity of a build, from the pelvic floor to the domes."""
    shape = flesh_muscles.cavity(build, draw_outline(build))
    assert shape.table is not None
    low, high, levels, turns = shape.row[18], shape.row[19], int(shape.row[21]), int(shape.row[22])
    table = shape.table.reshape(levels, turns + 2).astype(float)
    z = np.linspace(low, high, levels)
    bodies = np.array(list(build.vertebrae.values()))[::-1]
    spine = np.stack([np.interp(z, bodies[:, 2], bodies[:, i]) for i in range(2)], axis=1)
    roof = domes.surface(build)
    assert roof.table is not None
    x0, y0, dx, dy, _, columns, rows = roof.row[9:16]
    x, y = x0 + dx * np.arange(int(columns)), y0 + dy * np.arange(int(rows))
    dome = roof.table.reshape(len(x), len(y)).astype(float)
    tops = (domes.crown(build, -1.0), domes.crown(build, 1.0))
    plan = draw_plan(build)
    uptake = float(np.clip((plan.arterial_hu - BLOOD_HU) / 250.0, 0.0, 1.0)) if plan.contrast else 0.0
    centre, radii = table[:, :2], table[:, 2:]
    return Cavity(z, centre, radii, spine, x, y, dome, roof.keep(), tops, plan.arterial_hu, uptake)


def _turn(x: F64, y: F64) -> F64:
    """The kernels' stand-in for the angle of (x, y): 0 to 4 counter-clockwise from +x."""
    r = np.abs(x) + np.abs(y) + 1e-9
    return np.asarray(np.where(y >= 0.0, 1.0 - x / r, 3.0 + x / r))


def drawn_by(field: Field, centre: F64, reach_mm: float, size: int) -> Shape:
    """The star-shaped body about ``centre`` where ``field`` (points [..., 3]; about mm) is negative.

    Args:
        reach_mm: the longest radius looked for. size: see ``balloon``.
    """
    return balloon(centre, None, lambda directions: _radii(field, centre, reach_mm, directions), size)


def volume_ml(field: Field, centre: F64, reach_mm: float) -> float:
    """Volume of the body that ``drawn_by`` draws, to about 5 %."""
    n = np.arange(260)
    z = 1.0 - (2.0 * n + 1.0) / len(n)
    around = n * np.pi * (3.0 - np.sqrt(5.0))
    flat = np.sqrt(1.0 - z * z)
    r = _radii(field, centre, reach_mm, np.stack([flat * np.cos(around), flat * np.sin(around), z], axis=1))
    return float(4.0 * np.pi / 3.0 * (r**3).mean() / 1000.0)


def _radii(field: Field, centre: F64, reach_mm: float, directions: F64) -> F64:
    """Where rays [K, 3] from the centre first leave the field's inside, mm."""
    t = np.linspace(0.0, reach_mm, _STEPS + 1)[1:]
    f = field(centre + directions[:, None, :] * t[None, :, None])
    out = f > 0.0
    out[:, -1] = True
    i = out.argmax(1)
    j, k = np.maximum(i - 1, 0), np.arange(len(f))
    before, after = np.where(i > 0, f[k, j], -10.0), np.maximum(f[k, i], 1e-3)
    step = np.clip(before / (before - after), 0.0, 1.0)
    return np.asarray(np.where(i > 0, t[j], 0.0) + step * t[0], float)


def smooth_max(fields: list[F64], blend_mm: float) -> F64:
    """The greatest of several fields, with rounded edges of about ``blend_mm``."""
    return np.asarray(blend_mm * np.logaddexp.reduce(np.stack(fields) / blend_mm, axis=0), float)
