"""Mandible, teeth with their fillings, and hyoid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.head_frame import MIRROR, Head
from carm_env.patient.anatomy.head_tables import MANDIBLE
from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.shapes import Shape, chain, ellipsoid, frame, rotation, sheet, spline
from carm_env.patient.anatomy.texture import FRACTAL

F64 = NDArray[np.float64]
_UPPER_WIDTHS, _LOWER_WIDTHS = (8.4, 6.6, 7.6, 7.0, 6.8, 10.2, 9.6, 8.6), (5.3, 5.9, 6.8, 7.0, 7.2, 11.0, 10.4, 9.8)
"""Breadth (mm) along the arch of teeth 1 to 8."""
_DEPTHS = (6.5, 6.2, 7.8, 8.4, 8.6, 10.8, 10.6, 10.0)
"""Breadth across the arch."""
_CROWNS, _ROOTS = (9.5, 8.8, 10.0, 8.2, 7.8, 7.2, 7.0, 6.8), (12.5, 12.5, 15.5, 13.0, 13.0, 12.0, 11.5, 10.0)
_LOST = (0.25, 0.3, 0.18, 0.42, 0.45, 0.7, 0.6, 0.8)
"""How readily teeth 1 to 8 are lost with age."""


def parts(head: Head) -> list[Part]:
    """Jaws' alveolar processes, mandible, teeth, metal and hyoid."""
    rng = head.build.rng("teeth")
    bare = bool(rng.random() < 0.3 * max(0.0, head.wear - 0.35))
    lost = (rng.random((2, 2, 8)) < np.array(_LOST) * (0.12 + 0.55 * head.wear * rng.random())) | bare
    lost[:, :, 7] |= rng.random((2, 2)) < 0.45
    teeth = [_row(head, lost, upper) for upper in (True, False)]
    crowns, roots = [s for t in teeth for s in t[0]], [s for t in teeth for s in t[1]]
    sites = [s for t in teeth for s in t[2]]
    found = [_alveolar(head, bare), _mandible(head, bare)]
    if crowns:
        found += [tissue("teeth", roots, 1900.0), bone("teeth", crowns, 1.4, 1700.0, 2700.0)]
    return [*found, *_metal(head, sites, rng), _hyoid(head), _larynx(head)]


def _arch(upper: bool, at: F64) -> tuple[F64, F64]:
    """Points [K, 2] (x, y) of the dental arch at a distance (mm) from the midline, and directions along it."""
    if upper:
        knots = [(0.0, -82.5), (9.5, -80.0), (17.5, -73.0), (23.0, -62.0), (27.0, -49.0), (28.0, -34.0)]
    else:
        knots = [(0.0, -80.0), (8.0, -78.0), (15.5, -71.0), (22.0, -60.0), (27.0, -47.0), (31.0, -31.0)]
    path = spline(np.array([(x, y, 0.0) for x, y in knots]), 80)[:, :2]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    p, q = (np.stack([np.interp(t, length, path[:, i]) for i in (0, 1)], axis=1) for t in (at, at + 0.5))
    return p, (q - p) / np.linalg.norm(q - p, axis=1, keepdims=True)


def _row(
    head: Head, lost: NDArray[np.bool_], upper: bool
) -> tuple[list[Shape], list[Shape], list[tuple[F64, F64, float]]]:
    """Crowns and roots of one jaw, and for each molar and premolar its crown's centre, axes and size."""
    widths = np.array(_UPPER_WIDTHS if upper else _LOWER_WIDTHS)
    middle = np.cumsum(widths) - 0.5 * widths
    places, along = _arch(upper, middle)
    bite, up = -104.0, 1.0 if upper else -1.0
    crowns, roots, sites = [], [], []
    for i, side in enumerate((-1.0, 1.0)):
        for k in range(8):
            if lost[0 if upper else 1, i, k]:
                continue
            front = np.clip(1.0 - k / 3.0, 0.0, 1.0)
            tilt = np.array([0.0, (0.28 if upper else 0.22) * front, 0.0]) + np.array(
                [-side * 0.12 * (1.0 - front), 0.0, 0.0]
            )
            axis = np.array([tilt[0] * up, tilt[1], up])
            axis /= np.linalg.norm(axis)
            overbite = 1.6 * front if upper else 0.0
            edge = np.array([side * places[k, 0], places[k, 1], bite - overbite + (0.25 if upper else -0.25)])
            crown = _CROWNS[k] * (1.0 - 0.2 * head.wear)
            centre, neck = edge + axis * 0.5 * crown, edge + axis * (crown - 1.0)
            turn = frame(axis, [side * along[k, 0], along[k, 1], 0.0])
            size = np.array([0.5 * widths[k] - 0.1, 0.5 * _DEPTHS[k] * (0.72 if k < 3 else 1.0), 0.5 * crown])
            crowns.append(head.ball(centre, size, turn, 4.0))
            tips = _root_tips(upper, k, axis, turn)
            for tip in tips:
                r = 0.5 * widths[k] * (0.82 if len(tips) == 1 else 0.55)
                roots += head.rod([neck + 0.4 * tip, neck + axis * _ROOTS[k] + tip], [r, 0.5 * r])
            if k >= 3:
                sites.append((centre, turn, float(size.min())))
    return crowns, roots, sites


def _root_tips(upper: bool, k: int, axis: F64, turn: F64) -> list[F64]:
    """How far the roots of tooth k + 1 part: one root in front, two or three in molars."""
    if k < 5:
        return [np.zeros(3)]
    apart = [-2.6, 2.6]
    tips = [turn[:, 0] * a + turn[:, 1] * (1.5 if upper else 0.0) for a in apart]
    return [*tips, turn[:, 1] * -3.0] if upper else tips


def _metal(head: Head, sites: list[tuple[F64, F64, float]], rng: np.random.Generator) -> list[Part]:
    """Fillings and crowns of amalgam, gold and ceramics in the premolars and molars of many."""
    u = rng.random((40, 3))
    plenty = 0.3 * rng.random() ** 2 * (0.4 + head.wear)
    shapes, caps = [], []
    for (centre, turn, size), (a, b, c) in zip(sites, u, strict=False):
        if a < plenty:
            shapes.append(head.ball(centre + turn[:, 0] * (b - 0.5), (1.3 + b, 1.2 + c, 1.5), turn))
        elif a < 1.5 * plenty:
            caps.append(head.ball(centre, np.array([1.02, 1.02, 0.9]) * size, turn, 3.0))
    found = []
    if shapes:
        found.append(tissue("device", shapes, 6000.0 + 2000.0 * rng.random()))
    if caps:
        found.append(tissue("device", caps, 4500.0 + 3500.0 * rng.random()))
    return found


def _alveolar(head: Head, bare: bool) -> Part:
    """The upper jaw's rim around the roots; shrunken without teeth."""
    places, _ = _arch(True, np.linspace(0.0, 58.0, 9))
    low = -90.5 if bare else -94.5
    rows = [[(x, y + 1.0, -87.5) for x, y in places], [(0.98 * x, y + 2.0, low) for x, y in places]]
    thick = np.array([[4.2] * 9, [2.6 if bare else 3.8] * 9])
    both = np.concatenate([np.array(rows)[:, :0:-1] * MIRROR, np.array(rows)], axis=1)
    return bone("skull", head.lattice(both, np.concatenate([thick[:, 1:], thick], axis=1)), 1.1, 520.0, 950.0,
                Grain(120.0, 2.0, FRACTAL))  # fmt: skip


def _mandible(head: Head, bare: bool) -> Part:
    """One blade bent around the mouth: body, angle, ramus with coronoid and condylar processes, chin."""
    body = spline(MANDIBLE, 10)
    top = body[:, 2] - (7.0 * np.clip(1.0 - np.arange(10) / 9.0, 0.3, 1.0) if bare else 0.0) + 2.0
    flare = np.linspace(0.0, 2.5, 10) * head.brow
    low = body[:, 3] - 2.0 * head.brow + 5.0
    x, y = body[:, 0], body[:, 1]
    rows = np.array([
        np.stack([x, y + 1.0, top - 5.0], axis=1),
        np.stack([x + 0.5 * flare + 0.8, y - 0.5, 0.5 * (top + low) - 2.0], axis=1),
        np.stack([x + flare, y - 2.5 * np.exp(-np.arange(10) / 2.0), low], axis=1),
    ])  # fmt: skip
    thick = np.array([body[:, 4] - 0.6, 0.5 * (body[:, 4] + body[:, 5]) - 0.8, body[:, 5] - 0.4])
    out = 1.5 * head.brow
    ramus = [
        [(49.0, -37.0, -65.0), (49.8, -29.0, -75.0), (50.0, -20.0, -75.0), (50.5, -10.0, -66.0)],
        [(48.0, -40.0, -76.0), (48.8, -30.0, -83.0), (49.2, -20.0, -83.0), (50.0, -9.0, -78.0)],
        [(46.0, -40.0, -90.0), (48.0, -29.0, -93.0), (48.5, -18.0, -93.0), (49.0, -8.0, -90.0)],
        [(43.0, -37.5, -104.0), (46.0 + out, -28.0, -106.0), (47.0 + out, -18.0, -105.0), (47.5 + out, -9.5, -101.0)],
        [(39.0, -36.0, -121.0), (43.5 + out, -26.0, -117.5), (45.5 + out, -17.5, -114.0), (46.5 + out, -12.5, -109.0)],
    ]  # fmt: skip
    wide = [
        [1.6, 1.2, 1.4, 3.0],
        [2.6, 1.8, 2.0, 3.2],
        [3.2, 2.4, 2.4, 3.4],
        [4.0, 2.8, 2.8, 3.6],
        [4.2, 3.6, 3.4, 3.6],
    ]
    blade = np.concatenate([rows[:, :0:-1] * MIRROR, rows], axis=1)
    shapes = [
        *head.lattice(blade, np.concatenate([thick[:, :0:-1], thick], axis=1)),
        *head.lattices(ramus, wide),
        *head.pair((50.5, -9.0, -58.5), (9.0, 3.8, 4.6), rotation(z_deg=-18.0)),
        *head.rods([(50.5, -9.0, -60.0), (50.3, -9.5, -69.0)], [4.2, 3.0]),
        head.ball((0.0, -81.0, -136.0), (11.0 + 3.0 * head.brow, 4.0, 5.5)),
    ]  # fmt: skip
    density = 0.75 + 0.25 * head.build.bone
    return bone(
        "mandible", shapes, 2.0 * head.k, 330.0 * density, 1500.0 * (0.5 + 0.5 * density), Grain(120.0, 2.2, FRACTAL)
    )


def _hyoid(head: Head) -> Part:
    """Body and greater horns in front of C3 and C4."""
    build, w = head.build, head.build.width
    c3, c4 = build.vertebrae["C3"], build.vertebrae["C4"]
    body = 0.5 * (c3 + c4) + np.array([0.0, -43.0, -3.0]) * w
    path = np.array([[0.0, 0.0, 0.0], [9.0, 1.5, 1.0], [14.0, 8.0, 2.5], [17.0, 20.0, 5.0], [19.0, 31.0, 8.0]]) * w
    radius = np.array([4.2, 3.6, 2.6, 2.0, 1.8])
    flat = np.array([[0.0, 1.0, 0.3], [0.0, 1.0, 0.3], [1.0, 0.5, 0.0], [1.0, 0.2, 0.0], [1.0, 0.0, 0.0]])
    shapes = [s for m in (MIRROR, np.ones(3)) for s in chain(body + path * m, radius, flat * m, 1.5)]
    return bone("hyoid", [*shapes, ellipsoid(body, np.array([9.0, 3.2, 5.0]))], 1.2, 350.0, 850.0)


def _larynx(head: Head) -> Part:
    """Thyroid cartilage around the airway of C4 and C5, calcified in many of the old."""
    build, w = head.build, head.build.width
    rng = build.rng("larynx")
    c4, c5 = build.vertebrae["C4"], build.vertebrae["C5"]
    big = (0.9 + 0.25 * head.brow) * w
    calcium = 130.0 + 420.0 * float(np.clip(head.wear * 1.2 - 0.35, 0.0, 1.0)) * rng.random()
    keel = [c4 + np.array([0.0, -41.0, -3.0]) * w, c5 + np.array([0.0, -41.0, -5.0]) * w]
    shapes = []
    for side in (-1.0, 1.0):
        back = [c4 + np.array([side * 18.0 * big, -20.0 * w, 6.0]), c5 + np.array([side * 15.0 * big, -20.0 * w, -7.0])]
        shapes += sheet([keel[0], keel[1], *back], [(0, 1, 2), (1, 2, 3)], 1.0)
    return tissue("cartilage", shapes, calcium, grain=Grain(0.35 * calcium, 2.5, FRACTAL), over=("muscle", "fat"))
