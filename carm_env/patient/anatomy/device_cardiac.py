"""Implants of heart and vessels: pacemakers, wires of the sternum, valves, stents, filters, coils."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage, ribs_course
from carm_env.patient.anatomy.device_sites import (
    COBALT_HU,
    PLATINUM_HU,
    STEEL_HU,
    TITANIUM_HU,
    Site,
    along,
    joined,
    ring,
    thin,
    wire,
)
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, ellipsoid, frame, loft, unit, vec

F64 = NDArray[np.float64]


def pacemaker(site: Site, rng: np.random.Generator) -> list[Part]:
    """A generator on the left (sometimes right) pectoral muscle, one or two leads, or a defibrillator's coil."""
    u = rng.random(7)
    build, plan = site.build, site.plan
    side = 1.0 if u[0] < 0.85 else -1.0
    x = side * site.spot(82.0, 112.0) * build.width
    skin = site.front(x, build.z("T3") - 6.0 - 18.0 * u[1], 0.0)
    if skin is None:
        return []
    out = site.skin.normal(skin)
    shock = u[2] < 0.3
    scale = site.size(0.85, 1.2) * (1.3 if shock else 1.0)
    at = skin - (6.0 + 4.5 * scale + 0.25 * build.fat_mm) * out
    axes = frame(out, [np.cos(0.8 * u[3]), 0.0, np.sin(0.8 * u[3])])
    angle = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
    can = loft(
        at,
        axes,
        -3.4 * scale,
        3.4 * scale,
        np.zeros((3, 2)),
        np.outer([0.94, 1.0, 0.94], scale * (21.0 + 2.6 * np.cos(2.0 * angle) - 1.2 * np.sin(3.0 * angle))),
    )
    head = at + axes @ (scale * vec(3.0, 19.0, 0.0))
    parts = [
        tissue("device", [ellipsoid(head, scale * vec(14.0, 7.0, 3.2), axes, 4.0)], 250.0),
        tissue("device", [can], TITANIUM_HU),
        tissue("device", [can], 3200.0 + 2500.0 * u[4], 1.0),
        tissue(
            "device",
            [ellipsoid(at + axes @ (scale * vec(-5.0, -6.0, 0.0)), scale * vec(9.0, 8.0, 2.2), axes, 6.0)],
            9500.0,
        ),
        tissue("device", [capsule(head - 5.0 * axes[:, 0], head + 6.0 * axes[:, 0], 1.5)], STEEL_HU),
    ]
    loop = [
        head,
        at + axes @ (scale * vec(24.0, 14.0, -4.0)),
        at + axes @ (scale * vec(22.0, -12.0, -5.0)),
        at + axes @ (scale * vec(-2.0, 0.0, -6.0)),
        head + axes @ vec(-8.0, 16.0, -4.0),
    ]
    vein = joined(loop if u[5] < 0.6 else [head], site.subclavian(side), site.superior_cava)
    apex = plan.heart(np.array([(-0.08, 0.42, 0.40), (0.08, 0.26, 0.16), (0.40, 0.22, 0.12)]))
    atrium = plan.heart(np.array([(-0.16, 0.44, 0.42), (-0.12, 0.30, 0.56)]))
    lead = along(joined(vein, apex), 10.0)
    parts += [wire(lead, 0.95, 11000.0), tissue("device", [capsule(lead[-2], lead[-1], 1.3)], PLATINUM_HU)]
    if shock:
        parts.append(wire(lead[-7:-1], 1.5, TITANIUM_HU))
    if u[6] < 0.6:
        second = along(joined(vein + vec(0.0, 2.5, 0.0), atrium), 10.0)
        parts += [wire(second, 0.85, 11000.0), tissue("device", [capsule(second[-2], second[-1], 1.3)], PLATINUM_HU)]
    return parts


def sternotomy(site: Site, rng: np.random.Generator) -> list[Part]:
    """Wires round the sternum; with them a valve or clips of bypass grafts."""
    u = rng.random(8)
    build, plan = site.build, site.plan
    count = 5 + int(3.0 * u[0])
    top = ribs_course.notch_z(build) - 14.0
    heights = top - np.linspace(0.0, 128.0 * cage.stretch(build), count) - 3.0 * np.sin(40.0 * u[1] + np.arange(count))
    r = 0.42 + 0.12 * u[2]
    loops: list[Shape] = []
    for i, z in enumerate(heights):
        middle = vec(float(cage.section(build, z)[0]), float(cage.front_y(build, z)) + 6.0, z)
        half = (19.0 if i < 2 else 14.0) * build.width
        axes = frame([0.0, 0.25 * np.sin(7.0 * u[3] + 2.0 * i), 1.0], [1.0, 0.0, 0.12 * np.sin(9.0 * u[3] + i)])
        loops += ring(middle, axes, half, r, 10, 9.5)
        knot = middle + vec(3.0 * np.sin(5.0 * i + u[4]), -10.5, 0.0)
        loops += chain([knot, knot + vec(2.0, -1.5, 4.0 + 2.0 * np.sin(3.0 * i))], 2.0 * r)
    parts = [tissue("device", loops, thin(STEEL_HU, r))]
    if u[5] < 0.4:
        parts += _valve(site, u[6], u[7])
    elif u[5] < 0.85:
        graft = plan.heart(np.array([(0.14, 0.30, 0.92), (0.22, 0.14, 0.72), (0.34, 0.06, 0.45), (0.42, 0.10, 0.25)]))
        clips = along(graft, 11.0) + 2.5 * np.sin(
            3.0 * np.arange(len(along(graft, 11.0)))[:, None] + vec(0.0, 1.0, 2.0)
        )
        bits = [capsule(p, p + vec(2.0, 1.5, 3.5), 0.6) for p in clips]
        parts.append(tissue("device", bits, thin(TITANIUM_HU, 0.6)))
    return parts


def _valve(site: Site, u: float, kind: float) -> list[Part]:
    """A mechanical valve (ring and leaflets), a stented one, or a stent valve, in aortic or mitral position."""
    plan = site.plan
    aortic = u < 0.6
    centre = plan.heart((0.09, 0.47, 0.68) if aortic else (0.22, 0.68, 0.54))
    along_flow = unit(vec(-0.35, -0.35, 0.85) if aortic else vec(0.6, -0.65, -0.45))
    axes = frame(along_flow, [1.0, 0.0, 0.0])
    radius = site.size(10.5, 14.0) * (1.0 if aortic else 1.15)
    if kind < 0.5:
        leaves = [ellipsoid(centre + s * 4.0 * axes[:, 0], [0.8, 0.85 * radius, 7.0], axes, 6.0) for s in (-1.0, 1.0)]
        return [tissue("device", ring(centre, axes, radius, 1.3, 14), COBALT_HU), tissue("device", leaves, 3500.0)]
    if kind < 0.8:
        return [
            wire_ring(centre, axes, radius, 0.6),
            tissue("device", _posts(centre, axes, radius), thin(COBALT_HU, 0.6)),
        ]
    return [
        tissue("device", mesh(centre - 9.0 * along_flow, centre + 9.0 * along_flow, radius, 9), thin(COBALT_HU, 0.35))
    ]


def wire_ring(centre: F64, axes: F64, radius: float, thick: float) -> Part:
    return tissue("device", ring(centre, axes, radius, thick, 14), thin(COBALT_HU, thick))


def _posts(centre: F64, axes: F64, radius: float) -> list[Shape]:
    a = np.radians([0.0, 120.0, 240.0])
    feet = centre + radius * (np.cos(a)[:, None] * axes[:, 0] + np.sin(a)[:, None] * axes[:, 1])
    return [capsule(p, p + 10.0 * axes[:, 2] - 0.12 * (p - centre), 0.6) for p in feet]


def mesh(a: F64, b: F64, radius: float, waves: int, thick: float = 0.35) -> list[Shape]:
    """Zigzag rings of a stent from ``a`` to ``b``."""
    axes = frame(b - a, [0.3, 1.0, 0.2])
    length = float(np.linalg.norm(b - a))
    rows = max(1, int(length / max(6.0, 0.9 * radius)))
    turn = np.linspace(0.0, 2.0 * np.pi, 2 * waves + 1)
    shapes: list[Shape] = []
    for i in range(rows):
        z = length * (i + 0.5 + 0.45 * np.where(np.arange(2 * waves + 1) % 2, 1.0, -1.0)) / rows
        local = np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)
        shapes += chain(a + local @ axes.T, thick)
    return shapes


def vascular(site: Site, rng: np.random.Generator) -> list[Part]:
    """A stent graft of the aorta, an iliac stent, a filter in the cava, or coronary stents."""
    u = rng.random(6)
    kind = u[0]
    if kind < 0.3:
        aorta = along(joined(site.aorta[:3]), 14.0)
        radius = site.size(9.5, 14.0)
        shapes = [s for a, b in pairwise(aorta) for s in mesh(a, b, radius, 6, 0.4)]
        for side in (-1.0, 1.0):
            limb = site.iliac(side)[::-1]
            line = along(limb[:3] + vec(0.0, 0.0, 4.0), 12.0)[:5]
            shapes += [s for a, b in pairwise(line) for s in mesh(a, b, 6.0, 5, 0.4)]
        return [tissue("device", shapes, thin(TITANIUM_HU, 0.4))]
    if kind < 0.55:
        line = along(site.iliac(-1.0 if u[1] < 0.5 else 1.0)[2:5], 14.0)
        shapes = [s for a, b in pairwise(line[:-1]) for s in mesh(a, b, site.size(3.2, 5.0), 6)]
        return [tissue("device", shapes, thin(TITANIUM_HU, 0.35))]
    if kind < 0.75:
        line = along(site.cava_inferior[1:3], 6.0)
        tip = line[int(u[2] * 2.0) + 4]
        turn = np.linspace(0.0, 2.0 * np.pi, 7)[:6]
        legs = [capsule(tip, tip + vec(12.0 * np.cos(t), 9.0 * np.sin(t), -site.size(26.0, 42.0)), 0.3) for t in turn]
        return [tissue("device", [*legs, capsule(tip, tip + vec(0.0, 0.0, 5.0), 1.0)], thin(TITANIUM_HU, 0.4))]
    course = along(site.plan.heart(np.array([(0.16, 0.36, 0.82), (0.30, 0.20, 0.70), (0.42, 0.14, 0.45)])), 7.0)
    first = int(3.0 * u[3])
    shapes = [
        s
        for a, b in zip(course[first : first + 3], course[first + 1 : first + 4], strict=False)
        for s in mesh(a, b, 1.6, 4, 0.3)
    ]
    return [tissue("device", shapes, thin(COBALT_HU, 0.3))]


def coils(site: Site, rng: np.random.Generator) -> list[Part]:
    """A ball of platinum coils in an aneurysm at the base of the brain, or an intracranial stent beside it."""
    u = rng.random(6)
    side = -1.0 if u[0] < 0.5 else 1.0
    places = [(0.0, -36.0, -26.0), (side * 14.0, -22.0, -30.0), (side * 32.0, -22.0, -22.0), (0.0, -4.0, -32.0)]
    at = site.build.head(np.array(places[int(4.0 * u[1]) % 4]))
    radius = site.size(2.2, 5.5)
    turn = frame(unit(2.0 * u[2:5] - 1.0), [0.3, 1.0, 0.5])
    ball = [ellipsoid(at, radius * np.array([1.0, 0.85, 1.15]), turn)]
    t = np.linspace(0.0, 9.0, 15)
    tuft = (
        at
        + 1.08
        * radius
        * np.stack([np.cos(t) * np.sin(0.7 * t), np.sin(t) * np.sin(0.7 * t), np.cos(0.7 * t)], axis=1)
        @ turn.T
    )
    return [tissue("device", ball, 9000.0), tissue("device", chain(tuft, 0.6), thin(PLATINUM_HU, 0.6))]
