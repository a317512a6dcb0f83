"""Hip bones: iliac wing, acetabulum, ischium, pubis, and the symphysis between them.

The wing's middle surface and thickness are rounded figures from one woman's CT (ACRIN-FLT-Breast_001), both sides
averaged; below the hip joint the figures are estimates.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from carm_env.patient.anatomy.extended import Summit
from carm_env.patient.anatomy.part import Part, bone, tissue
from carm_env.patient.anatomy.pelvis_frame import Basin, bar, outlined, trimmed
from carm_env.patient.anatomy.shapes import (
    Shape,
    capsule,
    ellipsoid,
    half_space,
    rotation,
    sheet,
    unit,
    vec,
)  # fmt: skip

F64 = NDArray[np.float64]
_CREST = np.array([
    [84, 92], [69, 119], [50, 139], [30, 150], [12, 145], [-4, 134], [-17, 121], [-29, 108], [-42, 91], [-53, 74],
], float)  # fmt: skip
"""y, z of the crest's axis from the posterior to the anterior superior spine."""
_FOOT = np.array([
    [72, 72], [56, 60], [41, 50], [29, 42], [18, 37], [8, 35], [-3, 35], [-13, 37], [-22, 39], [-29, 40],
], float)  # fmt: skip
"""y, z of the wing's lower border from the posterior to the anterior inferior spine."""
_WING = np.array([
    [84, 92, 60, 7], [78, 108, 63.5, 8], [66, 122, 69.5, 8], [50, 137, 76, 6.5], [30, 150, 93, 5], [12, 143, 110, 5],
    [-4, 131, 121, 5.5], [-16, 119, 125, 6.5], [-28, 107, 126, 7], [-39, 95, 125, 6], [-48, 83, 119.5, 5.5],
    [-53, 74, 117, 5.5], [40, 135, 80, 6.5], [30, 135, 90, 6], [20, 135, 101, 5], [10, 135, 111, 5],
    [58, 122, 69, 8.5], [46, 122, 70, 9], [31, 122, 80, 6], [20, 122, 92, 4], [10, 122, 105, 4], [0, 122, 118, 5],
    [70, 109, 64, 8.5], [58, 109, 63.5, 10], [45, 109, 66, 9], [30, 109, 76, 6.5], [20, 109, 87, 3.5],
    [10, 109, 100, 3], [0, 109, 113, 4], [-10, 109, 123, 6], [-18, 109, 126, 6.5], [76, 96, 61, 9.5],
    [60, 96, 63.5, 11], [50, 96, 64.5, 10.5], [40, 96, 67, 9.5], [30, 96, 75, 6.5], [20, 96, 86, 3.2],
    [10, 96, 97, 2.5], [0, 96, 106, 2.5], [-10, 96, 114.5, 3.2], [-20, 96, 121, 4.5], [-30, 96, 125, 5.5],
    [72, 83, 62, 9], [60, 83, 64, 11], [45, 83, 66, 11], [30, 83, 74, 8.5], [20, 83, 84, 4.5], [10, 83, 91.5, 3],
    [0, 83, 100, 2.8], [-10, 83, 107, 3], [-20, 83, 111.5, 3.5], [-30, 83, 114.5, 4.5], [-40, 83, 118, 5.5],
    [72, 72, 60, 5.5], [60, 70, 64, 7.5], [50, 70, 68, 8], [40, 70, 69, 9.5], [30, 70, 72, 10], [20, 70, 76, 9],
    [10, 70, 83.5, 7], [0, 70, 95, 5], [-10, 70, 101.5, 4.5], [-20, 70, 105.5, 4.5], [-30, 70, 109, 4.8],
    [-40, 70, 112, 5], [60, 60, 63, 5.5], [50, 57, 66, 8], [40, 57, 68, 9], [30, 57, 70, 10.5], [20, 57, 74, 11],
    [10, 57, 79, 10.5], [0, 57, 88, 8], [-10, 57, 96, 6.5], [-20, 57, 101, 5.5], [-30, 57, 104, 5],
    [-38, 57, 109, 4.5], [32, 44, 73, 8], [20, 44, 76, 11], [10, 44, 79, 12], [0, 44, 82, 13], [-10, 44, 90, 9],
    [-20, 44, 96, 6.5], [-29, 42, 99, 5], [26, 34, 76, 9], [10, 34, 80, 13], [0, 34, 82, 13], [-10, 34, 85, 12],
    [-22, 36, 95, 7],
])  # fmt: skip
"""y, z, x and half thickness of the wing's middle surface."""
_TRUNK_Z = [-70.0, -68.0, -62.0, -54.0, -43.0, -32.0, -20.0, -8.0, 5.0, 18.0, 31.0, 44.0, 50.0]
_TRUNK = np.array([
    [(62, 21), (60, 20), (59, 18), (59, 16), (60, 14), (61, 13),
     (63, 13), (64, 14), (65, 16), (65, 18), (65, 20), (64, 21)],
    [(61, 28), (57, 25), (55, 20), (55, 15), (57, 11), (60, 9),
     (64, 9), (67, 11), (69, 15), (70, 19), (69, 24), (66, 28)],
    [(61, 36), (54, 30), (52, 22), (53, 14), (56, 8), (60, 6),
     (65, 6), (70, 8), (74, 13), (75, 20), (74, 28), (68, 35)],
    [(63, 43), (55, 36), (53, 25), (54, 15), (57, 8), (62, 6),
     (68, 6), (74, 9), (78, 14), (80, 21), (79, 32), (72, 41)],
    [(65, 46), (56, 39), (54, 27), (55, 17), (58, 10), (63, 7),
     (70, 7), (76, 10), (81, 15), (84, 23), (83, 34), (75, 44)],
    [(63, 44), (57, 37), (55, 24), (56, 13), (58, 5), (63, 2),
     (70, 2), (76, 5), (81, 9), (85, 16), (85, 27), (77, 40)],
    [(60, 46), (56, 37), (55, 20), (54, 6), (53, -7), (55, -17),
     (62, -21), (74, -18), (83, -8), (88, 6), (88, 21), (76, 39)],
    [(54, 52), (53, 41), (55, 20), (54, 4), (52, -10), (49, -21),
     (58, -28), (76, -26), (88, -14), (93, 6), (92, 22), (75, 41)],
    [(58, 50), (56, 38), (55, 18), (53, 2), (51, -12), (52, -23),
     (66, -29), (87, -27), (98, -12), (99, 8), (97, 22), (80, 40)],
    [(68, 43), (61, 32), (59, 15), (58, 0), (57, -12), (63, -24),
     (83, -31), (97, -25), (103, -9), (103, 6), (99, 19), (84, 36)],
    [(73, 41), (65, 33), (62, 17), (61, 1), (66, -9), (83, -19),
     (97, -34), (101, -25), (101, -9), (99, 4), (94, 16), (83, 33)],
    [(74, 40), (67, 33), (63, 20), (66, 5), (73, -4), (86, -18),
     (98, -30), (103, -24), (98, -8), (94, 3), (89, 14), (80, 31)],
    [(74, 36), (69, 31), (66, 20), (69, 7), (77, -3), (88, -16),
     (98, -25), (100, -21), (97, -8), (92, 3), (86, 13), (79, 28)],
], float)  # fmt: skip
"""Outlines (x, y) of the acetabular part and ischium: from the posterior tip by the pelvic side to the front and back
by the outer side."""


CREST_CAP_MM = 4.0
"""The crest's highest 4 mm tell where its top is."""


def crest_axis(basin: Basin, side: float) -> F64:
    """Axis of the iliac crest from the posterior to the anterior superior spine [10, 3], LPS."""
    return _wing_points(basin, side)[0][0]


def crest(basin: Basin, side: float) -> Summit:
    """Top of the iliac crest, 3 mm below its surface."""
    points, half = (grid[0] for grid in _wing_points(basin, side))
    at = np.linspace(0.0, len(half) - 1.0, 181)
    node = np.arange(len(half))
    axis = np.stack([np.interp(at, node, points[:, k]) for k in range(3)], axis=1)
    axis[:, 2] += np.interp(at, node, half)
    return Summit(axis, CREST_CAP_MM, 2.5, 3.0)


def hip_parts(basin: Basin) -> list[Part]:
    """Joint cartilage, both hip bones with their dense roofs, and the symphysis."""
    b = basin.build
    parts = [
        tissue("cartilage", [ellipsoid(b.hip * [s, 1, 1], [basin.joint_radius + 0.5] * 3)], 75.0) for s in (-1.0, 1.0)
    ]
    for side, label in ((-1.0, "right_hip"), (1.0, "left_hip")):
        parts.append(bone(label, _hip_bone(basin, side), 1.8, 350.0 * b.bone, 790.0 + 130.0 * b.bone, basin.grain))
        parts.append(_roof(basin, side, label))
    half = _symphysis_half(basin)
    disc = ellipsoid(b.symphysis, np.array([half + 1.0, 7.0 * b.width, 19.0 * b.width]), _symphysis_turn(), 4.0)
    parts.insert(2, tissue("pubic_symphysis", [disc], 130.0))
    return parts


def _symphysis_half(basin: Basin) -> float:
    """Half the width of the joint space (mm)."""
    return float(np.clip(basin.build.rng("symphysis").normal(2.6, 0.35), 2.1, 3.6))


def _symphysis_turn() -> F64:
    """Axes of the pubic bodies: local z along the joint, up and forwards."""
    return rotation(x_deg=36.0)


@cache
def _wing_grid() -> F64:
    """Drawn x, y, z and half thickness over the wing, from the crest down and from back to front [6, 10, 4]."""
    down = np.array([0.0, 0.14, 0.33, 0.54, 0.77, 1.0])[:, None, None]
    yz = _CREST + down * (_FOOT - _CREST)
    fit = RBFInterpolator(_WING[:, :2], _WING[:, 2:], smoothing=6.0)(yz.reshape(-1, 2)).reshape(*yz.shape[:2], 2)
    return np.concatenate([fit[..., :1], yz, fit[..., 1:]], axis=-1)


def _wing_points(basin: Basin, side: float) -> tuple[F64, F64]:
    """Grid [6, 10, 3] over the wing's middle surface (LPS) and half thickness [6, 10]."""
    rng = basin.build.rng("iliac wing")
    lift, flare, thick, bulge, reach = rng.normal(0.0, [3.5, 3.0, 0.08, 2.0, 4.0])
    thin = rng.uniform(0.75, 1.0)
    uneven = rng.normal(0.0, [1.5, 1.5, 1.0], (2, 3))[int(side > 0.0)]
    lift, flare, bulge = np.array([lift, flare, bulge]) + uneven
    x, y, z, half = np.moveaxis(_wing_grid(), -1, 0)
    up = np.clip((z - 45.0) / 100.0, 0.0, 1.0)
    x = x + up * (basin.pair(4.0, 7.0) + flare) * np.clip((40.0 - y) / 40.0, 0.0, 1.0)
    z = z + up * (basin.pair(9.0, 0.0) + lift)
    x = x - bulge * np.sin(np.pi * up) * np.clip((40.0 - y) / 40.0, 0.0, 1.0)
    y = y + reach * up * np.clip((20.0 - y) / 70.0, 0.0, 1.0)
    half = np.maximum(half, 1.7) * (1.0 + thick) * basin.pair(1.08, 0.98) * basin.build.width
    half = np.where(half < 4.5, half * thin, half)
    return basin.at(np.stack([x, y, z], axis=-1), side), half


def _hip_bone(basin: Basin, side: float) -> list[Shape]:
    points, half = _wing_points(basin, side)
    rows, columns = half.shape
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel()
    wing = sheet(points.reshape(-1, 3), np.stack([a, b, c, b, d, c], 1).reshape(-1, 3), half.ravel())
    high = 3 * len(wing) // 5
    wing = [*[trimmed(s, 3.0) for s in wing[:high]], *wing[high:]]
    return [*wing, _trunk(basin, side).blended(7.0), *_pubis(basin, side), *_socket(basin, side)]


def _trunk(basin: Basin, side: float) -> Shape:
    """Acetabular part and ischium in one body."""
    z = np.array(_TRUNK_Z)
    outlines = _TRUNK.copy()
    low = np.clip(-z / 60.0, 0.0, 1.0)[:, None]
    outlines[..., 0] += low * basin.pair(-7.0, 0.0)
    spine = basin.pair(-3.0, 0.0)
    outlines[6:9, 0, 0] += spine
    lps = basin.at(np.concatenate([outlines, np.broadcast_to(z[:, None, None], (*outlines.shape[:2], 1))], 2), side)
    heights = lps[:, 0, 2] - np.where(z < 0.0, basin.pair(6.0, 0.0) * low[:, 0], 0.0)
    centre = np.array([0.0, 0.0, basin.build.hip[2]])
    return outlined(centre, None, heights - centre[2], lps[..., :2], 30)


def _pubis(basin: Basin, side: float) -> list[Shape]:
    """Superior ramus, body and inferior ramus."""
    k = basin.build.width
    upper = basin.at([[68, -10, 22], [58, -19, 8], [48, -30, -3], [38, -41, -9], [28, -50, -12], [18, -57, -15]], side)
    ramus = bar(upper, np.array([11.0, 9.5, 8.0, 7.0, 6.8, 6.5]) * k, np.array([13.0, 12.0, 10.5, 9.3, 9.5, 11.0]) * k,
                [side * 0.3, 1.0, 0.3])  # fmt: skip
    ridge = bar(
        basin.at([[60, -6, 22], [53, -17, 9], [45, -28, 0], [36, -41, -4], [28, -55, -5]], side),
        3.2 * k,
        4.0 * k,
        [0, 1, 0],
    )
    lower = basin.at(
        basin.mixed(
            [[11, -50, -28], [15, -42, -42], [22, -29, -56], [33, -9, -66], [48, 10, -66]],
            [[13, -50, -27], [19, -41, -41], [28, -28, -52], [39, -9, -60], [55, 10, -60]],
        ),
        side,
    )
    inferior = bar(lower, np.array([6.0, 5.5, 5.0, 5.2, 6.5]) * k, np.array([10.0, 9.5, 8.5, 8.5, 10.0]) * k,
                   [side * 0.35, 0.85, 0.15])  # fmt: skip
    return [ramus.blended(7.0), ridge.blended(5.0), _pubic_body(basin, side).blended(6.0), inferior.blended(6.0)]


def _pubic_body(basin: Basin, side: float) -> Shape:
    """The body beside the symphysis, drawn across the joint's axis."""
    k, gap, tall = basin.build.width, _symphysis_half(basin), basin.pair(21.0, 18.0)
    z = np.array([-1.1, -0.85, -0.4, 0.2, 0.7, 0.95, 1.1]) * tall * k
    wide = np.array([10.0, 16.0, 22.0, 26.0, 29.0, 27.0, 17.0]) * k
    deep = np.array([2.5, 5.5, 6.5, 7.0, 7.5, 6.0, 3.0]) * k
    inner = gap + np.array([4.0, 0.8, 0.0, 0.0, 0.3, 1.5, 4.0])
    outlines = []
    for w, d, i in zip(wide, deep, inner, strict=True):
        right = [(i, 0.45 * d), (i, -0.6 * d), (i + 2.0, -0.95 * d), (0.5 * w, -d), (w - 2.0, -0.8 * d), (w, -0.2 * d),
                 (w - 1.0, 0.5 * d), (0.6 * w, d), (i + 2.0, 0.85 * d)]  # fmt: skip
        outlines.append([(side * x, y) for x, y in right])
    return outlined(basin.build.symphysis, _symphysis_turn(), z, outlines, 16)


def opening(side: float) -> F64:
    """Direction into which the socket opens."""
    return unit([side * 0.72, -0.30, -0.62])


def _socket(basin: Basin, side: float) -> list[Shape]:
    """What the joint takes out of the hip bone: a sphere, its mouth, and the fossa with the notch below."""
    hip, r, out = basin.build.hip * [side, 1.0, 1.0], basin.joint_radius, opening(side)
    mouth = capsule(hip + 3.0 * out, hip + 30.0 * out, r - 0.5, r + 6.5)
    down = unit([-side * 0.30, -0.10, -1.0])
    inward = hip + r * unit([-side * 0.80, 0.08, -0.45])
    notch = capsule(inward + vec(side * 6.5, 0.0, 0.0), hip + (r + 12.0) * down, 8.5, 8.5)
    return [ellipsoid(hip, [r] * 3).cut(), mouth.cut(1.5), notch.cut(1.0)]


def _roof(basin: Basin, side: float, label: str) -> Part:
    """The dense subchondral bone that carries the head."""
    hip, r = basin.build.hip * [side, 1.0, 1.0], basin.joint_radius
    shell = [
        ellipsoid(hip + vec(side * 1.2, 0.0, 1.3), [r + 1.4] * 3),
        ellipsoid(hip, [r] * 3).cut(),
        half_space(hip + vec(0.0, 0.0, 0.45 * r), [0.0, 0.0, -1.0]).keep(4.0),
    ]
    return tissue(label, shell, 800.0, over={label})
