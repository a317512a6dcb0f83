"""Shape rows for the painter: rods, ellipsoids, plates, drawn tubes and bodies, planes and height maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import distances, kernels

F64 = NDArray[np.float64]
MARGIN_MM = 6.0
"""Room around a shape in its box, for the edge's partial voxels at the coarsest spacing."""
_EVERYWHERE = 1e6


@dataclass(frozen=True)
class Shape:
    """One implicit shape: its row (see ``kernels.COLUMNS``) and, for drawn shapes, its table of radii or heights."""

    row: F64
    table: NDArray[np.float32] | None = None

    def cut(self, blend_mm: float = 0.0) -> Shape:
        """Takes this shape away from the shapes before it in the same part."""
        return self._with(kernels.CUT, blend_mm)

    def keep(self, blend_mm: float = 0.0) -> Shape:
        """Keeps of the shapes before it in the same part only what lies inside this one."""
        return self._with(kernels.KEEP, blend_mm)

    def blended(self, blend_mm: float) -> Shape:
        """Joins the shapes before it with a fillet of about this radius."""
        return self._with(int(self.row[1]), blend_mm)

    def _with(self, operation: int, blend_mm: float) -> Shape:
        row = self.row.copy()
        row[1], row[2] = operation, blend_mm
        row[3:6] -= blend_mm - self.row[2]
        row[6:9] += blend_mm - self.row[2]
        return replace(self, row=row)


def blended(shapes: Sequence[Shape], blend_mm: float) -> list[Shape]:
    """All shapes with fillets where they meet."""
    return [shape.blended(blend_mm) for shape in shapes]


def vec(x: float, y: float, z: float) -> F64:
    """A point or offset [3]."""
    return np.array([x, y, z], float)


def unit(vector: ArrayLike) -> F64:
    """The vector scaled to length 1."""
    v = np.asarray(vector, float)
    return v / np.linalg.norm(v)


def capsule(
    a: ArrayLike, b: ArrayLike, radius: float, radius_b: float | None = None, flat: ArrayLike | None = None,
    flatness: float = 1.0,
) -> Shape:  # fmt: skip
    """A round-ended cone from ``a`` to ``b`` (mm); one radius, or one at each end.

    Args:
        flat: direction in which the section is thinner by the factor ``flatness`` (>= 1), e.g. across a rib.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    radius_b = radius if radius_b is None else radius_b
    axis = unit([0.0, 0.0, 1.0] if flat is None else flat)
    reach = max(radius, radius_b) * np.sqrt(1.0 - axis**2 * (1.0 - 1.0 / flatness**2))
    numbers = [*a, *b, radius, radius_b, *axis, flatness]
    return Shape(_row(distances.CAPSULE, np.minimum(a, b) - reach, np.maximum(a, b) + reach, numbers))


def chain(
    points: ArrayLike, radius: ArrayLike, flat: ArrayLike | None = None, flatness: ArrayLike = 1.0
) -> list[Shape]:
    """Capsules along a polyline [K, 3]; ``radius`` one number or one a point; ``flat`` [3] or [K, 3]."""
    p = np.asarray(points, float)
    r = np.broadcast_to(np.asarray(radius, float), (len(p),))
    f = np.broadcast_to(np.asarray(flatness, float), (len(p),))
    n = None if flat is None else np.broadcast_to(np.asarray(flat, float), p.shape)
    return [
        capsule(
            p[i], p[i + 1], float(r[i]), float(r[i + 1]),
            None if n is None else n[i] + n[i + 1], float(0.5 * (f[i] + f[i + 1])),
        )
        for i in range(len(p) - 1)
    ]  # fmt: skip


def spline(points: ArrayLike, count: int) -> F64:
    """``count`` points along a smooth curve through [K, D] knots, evenly spaced in the knots' chord length."""
    from scipy.interpolate import PchipInterpolator

    p = np.asarray(points, float)
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(p[:, :3], axis=0), axis=1))])
    return np.asarray(PchipInterpolator(at, p)(np.linspace(0.0, at[-1], count)))


def plate(a: ArrayLike, b: ArrayLike, c: ArrayLike, radius: ArrayLike) -> Shape:
    """A triangle with rounded rims; ``radius`` half its thickness, one number or one a corner."""
    p = np.array([a, b, c], float)
    r = np.broadcast_to(np.asarray(radius, float), (3,))
    normal = np.cross(p[1] - p[0], p[2] - p[0])
    normal /= max(float(np.linalg.norm(normal)), 1e-9)
    return Shape(_row(distances.TRIANGLE, p.min(0) - r.max(), p.max(0) + r.max(), [*p.ravel(), *r, *normal]))


def sheet(points: ArrayLike, triangles: ArrayLike, radius: ArrayLike) -> list[Shape]:
    """Plates over a triangulated surface: points [K, 3], corner indices [T, 3], half thickness one or a point."""
    p, t = np.asarray(points, float), np.asarray(triangles, int)
    r = np.broadcast_to(np.asarray(radius, float), (len(p),))
    return [plate(p[i], p[j], p[k], r[[i, j, k]]) for i, j, k in t]


def ellipsoid(centre: ArrayLike, semi: ArrayLike, rotation: ArrayLike | None = None, power: float = 2.0) -> Shape:
    """An ellipsoid (power 2) or, with a greater power, an elliptic cylinder with rounded rims along local z.

    Args:
        rotation: [3, 3], columns are the local axes.
    """
    centre, semi = np.asarray(centre, float), np.asarray(semi, float)
    turn = np.eye(3) if rotation is None else np.asarray(rotation, float)
    if power == 2.0:
        reach = np.sqrt(((turn * semi) ** 2).sum(1))
    else:
        reach = np.sqrt((turn[:, 0] * semi[0]) ** 2 + (turn[:, 1] * semi[1]) ** 2) + np.abs(turn[:, 2]) * semi[2]
    numbers = [*centre, *turn[:, 0], *turn[:, 1], *semi, power]
    return Shape(_row(distances.SUPERQUADRIC, centre - reach, centre + reach, numbers))


def loft(
    origin: ArrayLike, rotation: ArrayLike | None, z_low: float, z_high: float, centres: ArrayLike, radii: ArrayLike
) -> Shape:
    """A tube along local z with a drawn cross-section: any star-shaped outline, level by level.

    Args:
        rotation: [3, 3], columns are the local axes (None: the patient's).
        z_low, z_high: its flat ends in local mm. centres: local x and y of the section's centre, [L, 2] for L >= 2
        levels evenly spaced from z_low to z_high. radii: mm, [L, N] at N even angles counter-clockwise from local +x.
    """
    origin = np.asarray(origin, float)
    turn = np.eye(3) if rotation is None else np.asarray(rotation, float)
    centres, radii = np.asarray(centres, float), _by_turn(np.asarray(radii, float))
    table = np.concatenate([centres, radii], axis=1).astype(np.float32)
    angle = _angles_of_turn(radii.shape[1], 4.0, False)
    rim = centres[:, None, :] + np.maximum(radii, 0.0)[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    flat_low, flat_high = rim.min((0, 1)), rim.max((0, 1))
    corners = np.array([[x, y, z] for x in (flat_low[0], flat_high[0]) for y in (flat_low[1], flat_high[1])
                        for z in (z_low, z_high)]) @ turn.T + origin  # fmt: skip
    numbers = [*origin, *turn[:, 0], *turn[:, 1], z_low, z_high, 0.0, len(table), radii.shape[1]]
    return Shape(_row(distances.LOFT, corners.min(0), corners.max(0), numbers), table.ravel())


def balloon(centre: ArrayLike, rotation: ArrayLike | None, radius: Callable[[F64], F64], size: int = 48) -> Shape:
    """A star-shaped body.

    Args:
        radius: distance of the surface (mm, [K]) in the local unit directions [K, 3].
        size: levels from pole to pole; twice as many turns.
    """
    centre = np.asarray(centre, float)
    turn = np.eye(3) if rotation is None else np.asarray(rotation, float)
    polar, around = _angles_of_turn(size, 2.0, True), _angles_of_turn(2 * size, 4.0, False)
    p, a = np.meshgrid(np.pi - polar, around, indexing="ij")
    directions = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], axis=-1).reshape(-1, 3)
    radii = np.maximum(np.asarray(radius(directions), float), 0.1)
    points = (directions * radii[:, None]) @ turn.T + centre
    numbers = [*centre, *turn[:, 0], *turn[:, 1], 0.0, size, 2 * size]
    return Shape(_row(distances.BALLOON, points.min(0), points.max(0), numbers), radii.astype(np.float32))


def half_space(point: ArrayLike, normal: ArrayLike) -> Shape:
    """All that lies behind a plane, against its normal; for ``cut`` and ``keep``."""
    n = unit(normal)
    return Shape(_row(distances.PLANE, [-_EVERYWHERE] * 3, [_EVERYWHERE] * 3, [*np.asarray(point, float), *n]))


def below(x: ArrayLike, y: ArrayLike, heights: ArrayLike) -> Shape:
    """All that lies below a height map z(x, y): even axes ``x`` [I] and ``y`` [J], ``heights`` [I, J]; for ``cut``
    and ``keep``."""
    x, y, h = np.asarray(x, float), np.asarray(y, float), np.asarray(heights, np.float32)
    numbers = [x[0], y[0], x[1] - x[0], y[1] - y[0], 0.0, len(x), len(y)]
    return Shape(_row(distances.SURFACE, [-_EVERYWHERE] * 3, [_EVERYWHERE] * 3, numbers), h.ravel())


def rotation(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> F64:
    """Rotation [3, 3]: first about z, then y, then x (right-handed)."""
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([x_deg, y_deg, z_deg])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z, float)


def frame(along: ArrayLike, hint: ArrayLike) -> F64:
    """Axes [3, 3] (columns) with z along ``along`` and x as near to ``hint`` as can be."""
    z = unit(along)
    x = np.asarray(hint, float)
    x = unit(x - z * np.dot(x, z))
    return np.stack([x, np.cross(z, x), z], axis=1)


def _row(kind: int, low: ArrayLike, high: ArrayLike, numbers: Sequence[float]) -> F64:
    row = np.zeros(kernels.COLUMNS)
    row[0] = kind
    row[3:6], row[6:9] = np.asarray(low) - MARGIN_MM, np.asarray(high) + MARGIN_MM
    row[9 : 9 + len(numbers)] = numbers
    return row


def _angles_of_turn(count: int, span: float, closed: bool) -> F64:
    """Angles (radians) at even steps of the kernels' stand-in for the angle."""
    t = np.linspace(0.0, span, count, endpoint=closed)
    x, y = 1.0 - t, np.minimum(t, 2.0 - t)
    lower = t > 2.0
    x, y = np.where(lower, t - 3.0, x), np.where(lower, -(1.0 - np.abs(t - 3.0)), y)
    return np.asarray(np.mod(np.arctan2(y, x), 2.0 * np.pi), float)


def _by_turn(radii: F64) -> F64:
    """Radii at even angles [L, N] resampled to even steps of the kernels' stand-in for the angle."""
    count = radii.shape[1]
    angles = _angles_of_turn(count, 4.0, False)
    at = np.linspace(0.0, 2.0 * np.pi, count + 1)
    return np.array([np.interp(angles, at, np.append(row, row[0])) for row in radii])
