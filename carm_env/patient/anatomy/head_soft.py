"""Soft tissue of the head: skin, fat, muscles, ears, nose, lips, tongue, and the airway down to the trachea."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.flesh_outline import neck_radius
from carm_env.patient.anatomy.head_frame import Head
from carm_env.patient.anatomy.head_tables import FACE
from carm_env.patient.anatomy.head_vault import Braincase
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, balloon, chain, ellipsoid, loft, rotation, spline
from carm_env.patient.anatomy.texture import FRACTAL, RIDGED

F64 = NDArray[np.float64]
SOFT = ("background", "skin", "fat", "muscle")
INNER = ("skin", "fat", "muscle")
OUTER = ("background", "skin", "fat")
SKIN_MM = 2.0
_CENTRE = -12.0


def parts(head: Head, case: Braincase) -> list[Part]:
    """All soft tissue outside the skull; it spares bones that were painted before."""
    return [*_flesh(head, case), *_throat(head)]


def _flesh(head: Head, case: Braincase) -> list[Part]:
    """Skin, fat and muscles."""
    build = head.build
    rng = build.rng("face")
    age, bmi = build.person.age_years, build.person.bmi
    plump = float(np.clip((bmi - 26.0) * 0.22 + rng.normal(0.0, 1.0), -2.5, 5.5))
    outline = [_scalp(head, case, plump), _face(head, plump).blended(4.0), _neck(head, True).blended(5.0)]
    outline += [s.blended(5.0) for s in [*_nose(head), *_lips(head)]] + _ears(head)
    hu = 58.0 - 0.16 * max(0.0, age - 30.0)
    marble = Grain(16.0, build.style.between("fat_marbling", 2.0, 4.5), RIDGED)
    meat = Grain(8.0 + 0.1 * max(0.0, age - 30.0), 1.6, FRACTAL)
    return [
        Part("skin", tuple(outline), 28.0, SKIN_MM, -70.0, grain=Grain(12.0, 2.0), over=frozenset(OUTER)),
        tissue("fat", [_face(head, plump), _neck(head, True)], -92.0, SKIN_MM, marble, OUTER),
        tissue("muscle", [_neck(head, False), *_muscles(head)], hu, grain=meat, over=INNER),
        tissue("fat", _fat_pads(head, plump), -85.0, grain=marble, over=INNER),
        tissue("muscle", _deep(head), hu, grain=meat, over=INNER),
        tissue("skin", [*_nose(head), *_lips(head)], 18.0, 1.0, over=SOFT),
    ]


def _scalp(head: Head, case: Braincase, plump: float) -> Shape:
    """The scalp: the skull's surface and 5 to 7 mm."""
    table, size = case.outer.table, 80
    assert table is not None
    thick = (5.2 + 0.25 * plump) * head.k
    origin = head.build.head((0.0, 0.0, 0.0))
    scalp = balloon(origin, head.build.head_turn, lambda u: _level(u, table.astype(float)) + thick, size)
    row = scalp.row.copy()
    row[5] = max(row[5], origin[2] - 42.0)
    return replace(scalp, row=row)


def _level(u: F64, radii: F64) -> F64:
    """The skull's radii, held from the height of the brow down."""
    z = u[:, 2] * radii
    return np.asarray(np.where(z < -30.0, np.minimum(radii, 30.0 / np.maximum(-u[:, 2], 0.05)), radii))


def _face(head: Head, plump: float) -> Shape:
    """Face and head from the brow to below the chin as drawn cross-sections."""
    turns = 48
    angle = np.arange(turns) * 2.0 * np.pi / turns
    rows, local_z = [], []
    for z in sorted(FACE):
        half = np.array(FACE[z], float)
        stretched = head.local(np.column_stack([half, np.full(len(half), float(z))]))
        local_z.append(stretched[0, 2])
        cheek = plump * np.clip((-z - 40.0) / 40.0, 0.0, 1.0) * np.clip(half[:, 0] / 50.0, 0.0, 0.9)
        x, y = stretched[:, 0] + cheek, stretched[:, 1] - _CENTRE * head.length
        around = np.arctan2(x, -y)
        r = np.interp(np.abs(np.mod(angle + 0.5 * np.pi + np.pi, 2 * np.pi) - np.pi), around, np.hypot(x, y))
        rows.append(r)
    even = np.linspace(local_z[0], local_z[-1], 30)
    radii = np.stack([np.interp(even, local_z, np.array(rows)[:, i]) for i in range(turns)], axis=1)
    centre = np.tile([0.0, _CENTRE * head.length], (30, 1))
    k = head.k
    return loft(
        head.build.head((0.0, 0.0, 0.0)), head.build.head_turn, even[0] * k, even[-1] * k, centre * k, radii * k
    )


def _neck(head: Head, skin: bool) -> Shape:
    """Skin or muscle of the upper neck, from C4 into the base of the head."""
    build = head.build
    c4, top = build.vertebrae["C4"], head.at((0.0, 8.0, -78.0) if skin else (0.0, 15.0, -60.0))
    thick = 2.5 + 0.3 * build.fat_mm if skin else 0.0
    ring = neck_radius(build) + thick
    bottom = float(c4[2]) - 8.0
    high = max(float(top[2]), bottom + 30.0)
    angle = np.arange(48) * 2.0 * np.pi / 48
    a, b = np.array((60.0, 60.0) if skin else (57.0, 52.0)) * head.k
    oval = a * b / np.hypot(b * np.cos(angle), a * np.sin(angle))
    z = np.linspace(0.0, high - bottom, 14)[:, None]
    f = np.clip((z - 22.0) / max(high - bottom - 22.0, 10.0), 0.0, 1.0)
    taper = 1.0 - 0.1 * np.clip(1.0 - z / 14.0, 0.0, 1.0)
    f = f * f * (3.0 - 2.0 * f)
    centre = c4[:2] - [0.0, 7.0] + f * (top[:2] - c4[:2] + [0.0, 7.0])
    return loft([0.0, 0.0, 0.0], None, bottom, high, centre, taper * ((1.0 - f) * ring + f * oval))


def _nose(head: Head) -> list[Shape]:
    """The outer nose."""
    rng = head.build.rng("outer nose")
    long, wide = np.clip(rng.normal(1.0, 0.12, 2), 0.75, 1.3) * (0.95 + 0.1 * head.brow)
    tip = (0.0, -97.0 - 19.0 * float(long), -76.0)
    ridge = [(0.0, -97.0, -42.0), (0.0, -100.0 - 5.0 * long, -56.0), tip]
    base = [tip, (0.0, -96.0, -85.0)]
    wings = head.rods([(9.0 * wide, -102.0, -79.0), (13.0 * wide, -95.0, -82.0)], [6.0, 5.5])
    sides = head.rods([(4.0, -96.0, -46.0), (8.0, -97.0, -62.0), (11.0, -96.0, -76.0)], [5.0, 7.5, 8.0])
    return [*head.rod(ridge, [5.0, 6.0, 8.0]), *head.rod(base, [7.5, 7.0]), *wings, *sides]


def _lips(head: Head) -> list[Shape]:
    """Lips and the chin's pad."""
    upper = [(-20.0, -86.0, -103.0), (-8.0, -95.0, -100.0), (8.0, -95.0, -100.0), (20.0, -86.0, -103.0)]
    lower = [(-17.0, -86.0, -106.0), (-7.0, -94.0, -110.0), (7.0, -94.0, -110.0), (17.0, -86.0, -106.0)]
    pad = head.ball((0.0, -84.0, -137.0), (17.0, 11.0, 13.0))
    return [*head.rod(upper, [4.0, 6.0, 6.0, 4.0]), *head.rod(lower, [4.0, 5.5, 5.5, 4.0]), pad]


def _ears(head: Head) -> list[Shape]:
    """Auricles: a shell that stands off the head, a rim and a lobe."""
    rng = head.build.rng("ears")
    size = np.clip(rng.normal(1.0 + 0.06 * head.wear, 0.06), 0.85, 1.2)
    off = float(np.clip(rng.normal(0.0, 2.0), -3.0, 5.0))
    rim = [(76.0, 0.0, -38.0), (79.0 + off, 2.0, -27.0), (84.0 + off, 14.0, -24.0), (87.0 + off, 25.0, -34.0),
           (84.0 + off, 22.0, -52.0), (79.0, 10.0, -68.0), (76.0, 4.0, -76.0)]  # fmt: skip
    points = np.array(rim)
    points[:, 2] = -52.0 + (points[:, 2] + 52.0) * size
    shell = head.pair((79.0 + 0.4 * off, 11.0, -46.0), np.array([2.6, 13.0, 22.0]) * size, rotation(z_deg=-32.0))
    return [*head.rods(points, [2.6, 2.6, 2.8, 2.8, 2.6, 3.6, 4.2]), *shell]


def _muscles(head: Head) -> list[Shape]:
    """The deep bulk of face and neck, masseters and temporal muscles."""
    bulk = 1.05 - 0.1 * head.wear + 0.04 * head.brow
    masseter = head.rods([(59.0, -44.0, -66.0), (57.0, -34.0, -84.0), (51.0, -22.0, -110.0)],
                         np.array([10.0, 15.0, 12.0]) * bulk, (1.0, 0.2, 0.0), 1.7)  # fmt: skip
    temporal = head.rods([(64.0, -22.0, 8.0), (63.0, -34.0, -20.0), (58.0, -42.0, -44.0), (52.0, -38.0, -64.0)],
                         np.array([14.0, 21.0, 17.0, 9.0]) * bulk, (1.0, 0.0, 0.25), 2.9)  # fmt: skip
    nape = head.rods([(13.0, 56.0, -52.0), (14.0, 52.0, -80.0)], [15.0, 17.0])
    return [
        *masseter, *temporal, *nape,
        head.ball((0.0, -34.0, -88.0), (46.0, 44.0, 36.0)), head.ball((0.0, -50.0, -122.0), (30.0, 34.0, 18.0)),
        head.ball((0.0, -80.0, -106.0), (22.0, 11.0, 22.0)),
        *head.rods([(46.0, 12.0, -76.0), (44.0, 16.0, -110.0)], [13.0, 12.0]),
    ]  # fmt: skip


def _fat_pads(head: Head, plump: float) -> list[Shape]:
    """Cheeks, the space beside the pharynx, and under the chin."""
    own = 1.0 + 0.05 * plump
    return [
        *head.pair((42.0, -54.0, -82.0), np.array([7.0, 13.0, 15.0]) * own),
        *head.rods([(33.0, -20.0, -64.0), (30.0, -14.0, -86.0)], np.array([4.5, 4.0]) * own),
        *head.pair((48.0, -38.0, -52.0), np.array([3.5, 6.0, 9.0]) * own),
        head.ball((0.0, -58.0, -137.0), np.array([20.0, 14.0, 5.0]) * own),
    ]


def _deep(head: Head) -> list[Shape]:
    """Pterygoid muscles, glands and the muscles before the spine."""
    return [
        *head.rods([(26.0, -36.0, -64.0), (42.0, -18.0, -64.0)], 6.5),
        *head.rods([(20.0, -33.0, -72.0), (40.0, -18.0, -104.0)], [6.0, 7.0]),
        *head.pair((55.0, -4.0, -84.0), (10.0, 12.0, 19.0)),
        *head.pair((32.0, -34.0, -124.0), (9.0, 14.0, 11.0)),
        *head.rods([(9.0, -4.0, -66.0), (10.0, -2.0, -100.0)], 5.5),
    ]


def _throat(head: Head) -> list[Part]:
    """Tongue, soft palate, tonsils, the airway from the nasopharynx to the larynx, and its epiglottis."""
    build = head.build
    rng = build.rng("throat")
    open_ = float(np.clip(rng.normal(1.0, 0.15), 0.7, 1.3))
    tongue = [head.ball((0.0, -50.0, -106.0), (23.0, 30.0, 16.0)), head.ball((0.0, -36.0, -114.0), (17.0, 19.0, 21.0))]
    gap = 1.0 + 2.2 * rng.random()
    mouth = [head.ball((0.0, -54.0, -89.5), (14.0, 22.0, gap))]
    air, epiglottis = _airway(head, open_)
    velum = head.rod([(0.0, -40.0, -87.0), (0.0, -26.0, -91.0), (0.0, -18.0, -102.0)], [4.0, 4.5, 3.5])
    return [
        tissue("tongue", tongue, 52.0, grain=Grain(12.0, 2.0, FRACTAL), over=(*SOFT, "tongue")),
        tissue("airway", mouth, -800.0, over=(*SOFT, "tongue")),
        tissue("airway", air, -970.0, over=(*SOFT, "tongue")),
        tissue("muscle", [*velum, *epiglottis], 50.0, over=("airway", "muscle", "fat")),
    ]


def _airway(head: Head, open_: float) -> tuple[list[Shape], list[Shape]]:
    """Pharynx and larynx, flat from front to back, and the epiglottis in it."""
    build, w = head.build, head.build.width
    c = build.vertebrae
    end = c["C5"] + np.array([0.0, -28.0, 0.0]) * w
    knots = np.array([
        [*head.at((0.0, -26.0, -66.0)), 12.0, 1.15], [*head.at((0.0, -19.5, -80.0)), 11.0, 1.4],
        [*(0.5 * (head.at((0.0, -14.0, -98.0)) + c["C2"] + np.array([0.0, -17.0, -6.0]) * w)), 10.0 * open_, 1.8],
        [*(c["C3"] + np.array([0.0, -20.5, 0.0]) * w), 11.0 * open_, 1.6],
        [*(c["C4"] + np.array([0.0, -24.0, 0.0]) * w), 10.5 * open_, 1.5], [*end, 7.5, 0.0],
    ])  # fmt: skip
    knots[-1, 4] = 1.0
    path = spline(knots, 12)
    shapes = head.rods([(6.5, -46.0, -72.0), (5.0, -26.0, -68.0)], [6.5, 8.0])
    shapes += chain(path[:, :3], path[:, 3], np.array([0.0, 1.0, 0.15]), np.maximum(path[:, 4], 1.0))
    at = c["C3"] + np.array([0.0, -21.0, -4.0]) * w
    lid = chain(
        [at + np.array([0.0, -4.0, -9.0]), at, at + np.array([0.0, 1.5, 8.0])], [4.0, 7.5, 5.0], [0.0, 1.0, 0.2], 4.5
    )
    shapes += [ellipsoid(at + np.array([0.0, -6.0, 2.0]), np.array([9.0, 3.0, 5.0]))]
    return shapes, lid
