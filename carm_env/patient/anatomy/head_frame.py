"""The head's own coordinates: one template, drawn in mm, made a person by breadth, length and face height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import Shape, chain, ellipsoid, sheet

F64 = NDArray[np.float64]
MIRROR = np.array([-1.0, 1.0, 1.0])
SELLA = (0.0, -23.5, -33.0)
LENS = (32.0, -82.6, -41.0)


@dataclass(frozen=True)
class Head:
    """A person's head: the template's frame is that of ``Build.head`` at scale 1.

    Attributes:
        breadth, length, height: scales of the braincase. face: of the face's height below the orbits.
        cheek: of the face's breadth. brow: male (1) to female (0) shape of brow, jaw and mastoid.
        wear: 0 at 30 years and younger, 1 at 80.
    """

    build: Build
    breadth: float
    length: float
    height: float
    face: float
    cheek: float
    brow: float
    wear: float

    @property
    def k(self) -> float:
        return self.build.head_scale

    def local(self, points: ArrayLike) -> F64:
        """Points (or [K, 3]) of the template in the head's frame (before ``Build.head``'s scale)."""
        p = np.array(points, float)
        x, y, z = p[..., 0], p[..., 1], p[..., 2]
        low = np.clip((-z - 42.0) / 25.0, 0.0, 1.0) * np.clip(-y / 25.0, 0.0, 1.0)
        front = np.clip((8.0 - y) / 30.0, 0.0, 1.0)
        down = np.maximum(0.0, -52.0 - z) * (self.face - 1.0) * front
        up = np.maximum(0.0, z) * (self.height - 1.0)
        return np.stack(
            [x * (self.breadth + (self.cheek - self.breadth) * low), y * self.length, z + up - down], axis=-1
        )

    def at(self, points: ArrayLike) -> F64:
        """LPS of points (or [K, 3]) of the template."""
        return self.build.head(self.local(points))

    def ball(self, centre: ArrayLike, semi: ArrayLike, turn: F64 | None = None, power: float = 2.0) -> Shape:
        """An ellipsoid; ``turn`` [3, 3] turns it within the head."""
        axes = self.build.head_turn if turn is None else self.build.head_turn @ turn
        return ellipsoid(self.at(centre), np.asarray(semi, float) * self.k, axes, power)

    def pair(self, centre: ArrayLike, semi: ArrayLike, turn: F64 | None = None, power: float = 2.0) -> list[Shape]:
        """The right and the left of an ellipsoid drawn on the left."""
        other = None if turn is None else turn * np.outer(MIRROR, MIRROR)
        c = np.asarray(centre, float)
        return [self.ball(c * MIRROR, semi, other, power), self.ball(c, semi, turn, power)]

    def rod(
        self, points: ArrayLike, radius: ArrayLike, flat: ArrayLike | None = None, flatness: float = 1.0
    ) -> list[Shape]:
        """Capsules along a polyline [K, 3] of the template."""
        across = None if flat is None else np.asarray(flat, float) @ self.build.head_turn.T
        return chain(self.at(points), np.asarray(radius, float) * self.k, across, flatness)

    def rods(
        self, points: ArrayLike, radius: ArrayLike, flat: ArrayLike | None = None, flatness: float = 1.0
    ) -> list[Shape]:
        """The right and the left of a polyline drawn on the left."""
        p = np.asarray(points, float)
        other = None if flat is None else np.asarray(flat, float) * MIRROR
        return [*self.rod(p * MIRROR, radius, other, flatness), *self.rod(p, radius, flat, flatness)]

    def plates(self, points: ArrayLike, triangles: Sequence[Sequence[int]], radius: ArrayLike) -> list[Shape]:
        """A triangulated sheet of the template."""
        return sheet(self.at(points), triangles, np.asarray(radius, float) * self.k)

    def lattice(self, rows: ArrayLike, radius: ArrayLike) -> list[Shape]:
        """A sheet over a lattice of points [R, C, 3] with half thicknesses broadcast to [R, C]."""
        p = np.asarray(rows, float)
        r, c = p.shape[:2]
        thick = np.broadcast_to(np.asarray(radius, float), (r, c))
        corners = [(i * c + j, i * c + j + 1, (i + 1) * c + j, (i + 1) * c + j + 1)
                   for i in range(r - 1) for j in range(c - 1)]  # fmt: skip
        triangles = [t for a, b, d, e in corners for t in ((a, b, d), (b, e, d))]
        return self.plates(p.reshape(-1, 3), triangles, thick.ravel())

    def lattices(self, rows: ArrayLike, radius: ArrayLike) -> list[Shape]:
        """The right and the left of a lattice drawn on the left."""
        p = np.asarray(rows, float)
        return [*self.lattice(p * MIRROR, radius), *self.lattice(p, radius)]


def draw_head(build: Build) -> Head:
    """The head of a body: cephalic index (breadth against length) 0.72 to 0.86 (estimate)."""
    rng = build.rng("head")
    n = np.clip(rng.standard_normal(6), -2.0, 2.0)
    male = build.person.sex == "M"
    even = ((1.02 if male else 0.96) / build.head_scale) ** 0.4
    return Head(
        build=build,
        breadth=even * (1.0 + 0.025 * n[0]),
        length=even * (1.0 - 0.012 * n[0] + 0.012 * n[1]),
        height=even * (1.0 + 0.02 * n[2]),
        face=build.style.between("face_height", 0.92, 1.08) * (1.01 if male else 0.98),
        cheek=1.0 + 0.025 * n[3],
        brow=float(np.clip((0.75 if male else 0.2) + 0.18 * n[4], 0.0, 1.1)),
        wear=float(np.clip((build.person.age_years - 30.0) / 50.0 + 0.1 * n[5], 0.0, 1.2)),
    )
