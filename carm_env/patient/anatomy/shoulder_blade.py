"""The scapula: a thin blade draped behind the ribs, with its borders, spine, acromion, coracoid and glenoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, ellipsoid, sheet, spline, unit
from carm_env.patient.anatomy.shoulder_joint import head_radius, joint
from carm_env.patient.anatomy.texture import FRACTAL

F64 = NDArray[np.float64]
_UPWARD_DEG = {"at the sides": 6.0, "crossed": 11.0, "raised": 33.0}
"""Upward rotation of the scapula by pose."""
_SWING = {"at the sides": (0.0, 0.0), "crossed": (-4.0, 0.0), "raised": (8.0, 11.0)}
"""How far (mm) the acromion swings backwards and down by pose."""
_GAP_MM = 3.2
_ROOT, _TIP, _TOP = (100.0, -2.0), (82.0, -118.0), (79.0, 27.0)
"""Root of the spine, inferior and superior angle: mm medial to and above the glenoid's centre, in the blade."""
_NODES = [
    (14.0, -2.0), (18.0, -24.0), (34.0, -48.0), (51.0, -72.0), (67.0, -96.0), _TIP, (95.0, -92.0), (99.0, -62.0),
    (101.0, -30.0), _ROOT, (92.0, 15.0), _TOP, (58.0, 19.0), (36.0, 12.0), (20.0, 10.0), (58.0, -38.0), (66.0, -8.0),
    (76.0, -74.0), (38.0, -14.0),
]  # fmt: skip
_LATERAL, _MEDIAL, _UPPER = [0, 1, 2, 3, 4, 5], [5, 6, 7, 8, 9, 10, 11], [11, 12, 13, 14]


@dataclass(frozen=True)
class Blade:
    """One scapula, LPS mm.

    Attributes:
        side: -1 right, +1 left. head: centre of the humeral head [3]. glenoid: centre of its surface [3].
        face: unit vector from there to the head. tip: inferior angle, 2 mm inside. nodes: the blade's points [K, 3].
        back: unit normal of the blade. acromion: its crest from the back to the front corner [4, 3]. scale: size.
    """

    side: float
    head: F64
    glenoid: F64
    face: F64
    tip: F64
    nodes: F64
    back: F64
    acromion: F64
    scale: float


def place(build: Build, side: float) -> Blade:
    """Lays the scapula on the thoracic wall beside the humeral head."""
    rng = build.rng(f"scapula {side:+.0f}")
    own = np.clip(rng.normal(size=4), -2.0, 2.0)
    scale = build.width * (1.0 if build.person.sex == "M" else 0.985) * (1.0 + 0.02 * own[0])
    turn = np.radians(_UPWARD_DEG[build.arms] + 4.0 * own[1])
    head = joint(build, side)
    forward = np.radians(30.0 + 5.0 * own[2])
    face = unit([side * np.cos(forward), -np.sin(forward), 0.12 + 0.5 * np.sin(turn)])
    glenoid = head - face * (head_radius(build) + _GAP_MM)
    clear = 11.0 + 1.5 * own[3]
    root = _drape(build, side, glenoid, scale, turn, _ROOT, clear)
    tip = _drape(build, side, glenoid, scale, turn, _TIP, clear)
    nodes = _nodes(build, glenoid, root, tip, clear - 3.0)
    back = unit(np.cross(root - glenoid, tip - glenoid)) * side
    back = back * np.sign(back[1])
    offset = _acromion(build, side, turn)
    return Blade(side, head, glenoid, face, nodes[5], nodes, back, head + offset, scale)


def _drape(
    build: Build, side: float, glenoid: F64, scale: float, turn: float, at: tuple[float, float], clear: float
) -> F64:
    """Where a point of the blade comes to lie: behind the ribs, at its distance from the glenoid."""
    inward, up = np.array(at) * scale
    across = inward * np.cos(turn) + up * np.sin(turn)
    z = glenoid[2] + up * np.cos(turn) - inward * np.sin(turn)
    x = glenoid[0] - side * np.linspace(-40.0, 1.3 * abs(across) + 20.0, 120)
    y = cage.surface_y(build, x, np.full(len(x), z), True) + clear
    away = np.hypot(x - glenoid[0], y - glenoid[1]) * np.sign((glenoid[0] - x) * side)
    i = int(np.argmin(np.abs(away - max(across, -38.0))))
    return np.array([x[i], y[i], z])


def _nodes(build: Build, glenoid: F64, root: F64, tip: F64, clear: float) -> F64:
    """The blade's points [K, 3]: between its three corners, hollow towards the ribs and clear of them."""
    basis = np.linalg.inv(np.array([_ROOT, _TIP]).T)
    weights = np.array(_NODES) @ basis.T
    points = glenoid + weights[:, :1] * (root - glenoid) + weights[:, 1:] * (tip - glenoid)
    back = np.cross(root - glenoid, tip - glenoid)
    back = unit(back * np.sign(back[1]))
    hollow = np.zeros(len(points))
    hollow[[15, 16, 17, 18]] = [5.0, 4.0, 4.0, 3.0]
    points = points + hollow[:, None] * back
    ribs = cage.surface_y(build, points[:, 0], points[:, 2], True)
    points[:, 1] = np.maximum(points[:, 1], ribs + clear)
    return np.asarray(points, float)


def _acromion(build: Build, side: float, turn: float) -> F64:
    """Crest of the acromion against the centre of the humeral head: back corner, side, tip, joint of the clavicle."""
    r, (behind, lower) = head_radius(build), _SWING[build.arms]
    rest = np.array([[2.0, 27.0, 0.7 * r], [13.0, 14.0, r + 2.0], [8.0, -8.0, r + 7.0], [-8.0, -8.0, r + 6.0]])
    rest += [0.0, behind, -lower]
    c, s = np.cos(0.6 * turn), np.sin(0.6 * turn)
    lateral, up = rest[:, 0] * c - rest[:, 2] * s, rest[:, 2] * c + rest[:, 0] * s
    return np.stack([side * lateral, rest[:, 1], up], axis=1)


def parts(build: Build, name: str, blade: Blade) -> list[Part]:
    """Thin blade, then borders and spine, then the solid lateral end."""
    density = float(np.clip(build.bone, 0.5, 1.2))
    label = f"{name}_scapula"
    return [
        tissue(label, _thin(blade), 780.0, grain=Grain(170.0, 6.0, FRACTAL)),
        bone(label, _rims(blade), 1.3, 200.0 * density, 1150.0, Grain(40.0, 2.5)),
        bone(label, _head(build, blade), 1.2, 230.0 * density, 1100.0, Grain(40.0, 2.5)),
    ]


def crest(blade: Blade) -> F64:
    """What lies under the skin: the free edge of the spine and the acromion [8, 3]."""
    return np.concatenate([_spine(blade)[0][1:], blade.acromion])


def rim(blade: Blade) -> F64:
    """The blade's edge [12, 3], from the glenoid round the inferior angle to the upper border."""
    return np.asarray(blade.nodes[_LATERAL + _MEDIAL[1:]], float)


def _thin(blade: Blade) -> list[Shape]:
    """Blade and the plate of its spine."""
    triangles = [
        (0, 1, 18), (1, 2, 18), (2, 15, 18), (2, 3, 15), (3, 17, 15), (3, 4, 17), (4, 5, 17), (5, 6, 17), (6, 7, 17),
        (7, 15, 17), (7, 8, 15), (8, 16, 15), (8, 9, 16), (15, 16, 18), (0, 18, 14), (16, 14, 18), (9, 10, 16),
        (10, 12, 16), (10, 11, 12), (12, 13, 16), (13, 14, 16),
    ]  # fmt: skip
    blade_plates = sheet(blade.nodes, triangles, 0.95)
    edge, base = _spine(blade)
    points = np.concatenate([edge, base])
    n = len(edge)
    strips = [(i, i + 1, n + i) for i in range(n - 1)] + [(i + 1, n + i, n + i + 1) for i in range(n - 1)]
    return [*blade_plates, *sheet(points, strips, 1.4)]


def _spine(blade: Blade) -> tuple[F64, F64]:
    """Free crest and base [5, 3] of the scapular spine, from its root to the back corner of the acromion."""
    root, neck = blade.nodes[9], blade.nodes[14] + 2.0 * blade.back
    t = np.linspace(0.0, 1.0, 5)[:, None]
    base = root + t * (neck - root)
    corner = blade.acromion[0]
    lift = blade.back * 7.5 * blade.scale
    edge = root + t * (corner - root) + lift * np.sin(np.pi * np.minimum(t, 1.0)) * (1.0 - 0.4 * t)
    return edge, base


def _rims(blade: Blade) -> list[Shape]:
    """Lateral, medial and upper border, and the crest of the spine with the acromion."""
    s = blade.scale
    lateral = spline(blade.nodes[_LATERAL], 9)
    medial, upper = blade.nodes[_MEDIAL], blade.nodes[_UPPER]
    edge = _spine(blade)[0]
    flat = np.array([0.0, 0.3, 1.0])
    acromion = blade.acromion
    return [
        *chain(lateral, np.array([8.5, 6.8, 5.6, 5.0, 4.8, 4.6, 4.4, 4.6, 5.0]) * s, blade.back, 1.25),
        *chain(medial, np.array([5.0, 3.4, 2.6, 2.4, 2.8, 2.4, 2.8]) * s, blade.back, 1.3),
        *chain(upper, np.array([2.6, 1.8, 1.8, 3.0]) * s),
        *chain(edge, np.array([1.6, 3.4, 4.0, 4.4, 6.5]) * s, flat, 1.2),
        *chain(acromion, np.array([7.0, 9.5, 9.0, 7.5]) * s, flat, 1.9),
        *chain(acromion[[0, 3]], np.array([6.5, 8.0]) * s, flat, 1.9),
    ]


def _head(build: Build, blade: Blade) -> list[Shape]:
    """Glenoid with its neck, hollowed for the humeral head, and the coracoid process."""
    s, g = blade.scale, blade.glenoid
    inner = blade.nodes[[0, 14, 1]].mean(axis=0)
    up = unit(blade.nodes[11] - blade.nodes[5])
    up = unit(up - blade.face * np.dot(up, blade.face))
    rim = g - blade.face * 3.5
    ahead = unit(-blade.back + 0.25 * blade.face)
    base = inner + up * 12.0 * s + blade.face * 4.0
    knee = base + ahead * 17.0 * s + up * 13.0 * s
    beak = knee + ahead * 19.0 * s + blade.face * 13.0 * s - up * 8.0 * s
    socket = ellipsoid(blade.head, [head_radius(build) + _GAP_MM] * 3)
    return [
        capsule(rim - up * 9.0 * s, rim + up * 6.0 * s, 12.5 * s, 10.0 * s, blade.face, 1.5),
        *(
            shape.blended(5.0)
            for shape in chain([rim, inner, blade.nodes[18]], np.array([11.5, 8.5, 3.0]) * s, blade.back, 1.35)
        ),
        socket.cut(),
        *(shape.blended(3.0) for shape in chain([base, knee, beak], np.array([8.0, 7.0, 5.5]) * s)),
    ]
