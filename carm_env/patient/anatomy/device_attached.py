"""What lies on the skin: electrodes and leads, cuffs and sensors, clothes, jewellery, oxygen tubing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import limbs_hand
from carm_env.patient.anatomy.device_sites import STEEL_HU, Site, along, joined, thin, wire
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, ellipsoid, frame, unit, vec

F64 = NDArray[np.float64]
_OUTSIDE = ("background", "skin")
_GEL_HU, _CABLE_HU, _BRASS_HU = 20.0, 2600.0, 9000.0


def electrocardiogram(site: Site, rng: np.random.Generator) -> list[Part]:
    """Three to five electrodes on shoulders, chest and flanks, their leads gathered on the belly or beside the neck."""
    u = rng.random((6, 4))
    build = site.build
    w, high = build.width, u[5, 0] < 0.4
    near = site.spot(0.75, 1.15)
    flank = build.z("T10") if u[5, 1] < 0.5 else build.z("L2")
    spots = [(-96.0, build.z("T2")), (96.0, build.z("T2")), (104.0, flank), (-104.0, flank), (34.0, build.z("T6"))]
    count = 3 + int(3.0 * u[5, 2])
    side = 1.0 if u[5, 3] < 0.65 else -1.0
    gather = (side * 40.0, build.z("T1") - 34.0) if high else (side * (20.0 + 50.0 * u[4, 3]), build.z("L1") - 10.0)
    parts: list[Part] = []
    pads: list[Shape] = []
    snaps: list[Shape] = []
    carbon = site.size(0.0, 1.0) + 0.3 * (u[4, 2] - 0.5) > 0.75
    pad, snap = site.size(11.0, 21.0), site.size(3.6, 6.0)
    for (x, z), (a, b, c, _) in zip(spots[:count], u[:count], strict=True):
        at = vec(x * w * near + 16.0 * (a - 0.5), 0.0, z + 30.0 * (b - 0.5))
        skin = site.front(at[0], at[2], 0.0)
        if skin is None:
            continue
        out = site.skin.normal(skin)
        axes = frame(out, [1.0, 0.0, 0.2 * c])
        pads.append(ellipsoid(skin + 0.7 * out, [pad, 0.85 * pad, 0.9], axes, 6.0))
        snaps += [
            ellipsoid(skin + 2.6 * out, [snap, snap, 1.3], axes, 4.0),
            capsule(skin + 2.0 * out, skin + 5.0 * out, 1.6),
        ]
        bow = vec(0.5 * (at[0] + gather[0]) + 34.0 * (c - 0.5), 0.0, 0.5 * (at[2] + gather[1]) + 20.0 * (b - 0.5))
        lead = site.over_front([(at[0] + 3.0, at[2]), (bow[0], bow[2]), (gather[0] + 5.0 * (a - 0.5), gather[1])], 2.2)
        if len(lead) > 2:
            parts.append(
                tissue("device", chain(joined([skin + 4.0 * out], lead), 1.0), thin(_CABLE_HU, 0.8), over=_OUTSIDE)
            )
    if pads:
        parts.insert(0, tissue("device", pads, _GEL_HU, over=_OUTSIDE))
        parts.append(tissue("device", snaps, 300.0 if carbon else 5200.0, over=_OUTSIDE))
    return parts + _trunk_cable(site, gather, high, side, count)


def _trunk_cable(site: Site, gather: tuple[float, float], high: bool, side: float, count: int) -> list[Part]:
    """The leads' common cable from where they meet to the edge: over a shoulder, or down beside the pelvis."""
    build = site.build
    if high:
        knots = [
            gather,
            (gather[0] + side * 26.0, build.z("T1") - 6.0),
            (side * 82.0 * build.width, build.z("T1") + 14.0),
        ]
    else:
        knots = [
            gather,
            (side * 78.0, build.z("L3")),
            (side * 104.0 * build.width, build.z("L5")),
            (side * 108.0 * build.width, build.hip[2] - 30.0),
            (side * 112.0 * build.width, build.symphysis[2] - 200.0),
        ]
    parts: list[Part] = []
    for shift in np.arange(min(count, 3 if high else 1)) * 4.0:
        line = site.over_front([(x + shift, z + 0.4 * shift) for x, z in knots], 2.6)
        if len(line) > 2:
            parts.append(
                tissue(
                    "device", chain(line, 1.1 if high else 2.0), thin(_CABLE_HU, 0.8 if high else 1.0), over=_OUTSIDE
                )
            )
    joint = site.front(gather[0], gather[1], 5.0)
    if joint is not None:
        parts.append(
            tissue(
                "device",
                [capsule(joint - vec(5.0, 0.0, 6.0), joint + vec(5.0, 0.0, 6.0), 5.0, 5.0, [0.0, 1.0, 0.0], 1.7)],
                700.0,
                over=_OUTSIDE,
            )
        )
    return parts


def pressure_cuff(site: Site, rng: np.random.Generator) -> list[Part]:
    """A cuff round an upper arm with its hose."""
    u = rng.random(4)
    arm = site.arms[1.0 if u[0] < 0.5 else -1.0]
    axis = unit(arm.elbow - arm.shoulder)
    length = float(np.linalg.norm(arm.elbow - arm.shoulder))
    middle = arm.shoulder + site.spot(0.5, 0.68) * (arm.elbow - arm.shoulder)
    half = min(0.2 * length, site.size(52.0, 68.0))
    axes = frame(axis, arm.hinge)
    turns = np.linspace(0.0, 2.0 * np.pi, 17)[:-1]
    radii = []
    for turn in turns:
        skin = site.skin.exit(middle, np.cos(turn) * axes[:, 0] + np.sin(turn) * axes[:, 1], 120.0)
        radii.append(np.inf if skin is None else float(np.linalg.norm(skin - middle)))
    r = np.minimum(np.array(radii), 1.25 * np.median(radii))
    if not np.isfinite(r).all():
        return []
    lines = [middle + axes @ vec(rho * np.cos(t), rho * np.sin(t), 0.0) for rho, t in zip(r + 3.0, turns, strict=True)]
    strips = [
        capsule(p - half * axis, p + half * axis, 0.2 * float(np.median(r)) + 1.0, None, unit(p - middle), 4.0)
        for p in lines
    ]
    best = int(np.argmin([p[1] for p in lines]))
    start, out = lines[best] - half * axis, unit(lines[best] - middle)
    tail = [site.skin.on(middle - (half + d) * axis, out, 3.5, 120.0) for d in (18.0, 36.0, 54.0)]
    hose = joined([start + 2.0 * out], [p for p in tail if p is not None])
    parts = [
        tissue("device", strips, -250.0, over=("background",)),
        tissue("device", [capsule(start + 0.4 * half * axis, start, 4.0)], 200.0, over=("background",)),
    ]
    return parts if len(hose) < 2 else [*parts, tissue("device", chain(hose, 3.2), 60.0, over=("background",))]


def oximeter(site: Site, rng: np.random.Generator) -> list[Part]:
    """A clip on a finger, its cable along the forearm."""
    u = rng.random(5)
    arm = site.arms[-1.0 if u[0] < 0.6 else 1.0]
    ray = limbs_hand.rays(site.build, arm)[1 + int(2.0 * u[1])]
    start, end = ray[-1]
    tip, fore, back = 0.5 * (start + end), arm.elbow - arm.wrist, -limbs_hand.palm_side(arm)
    axes = frame(end - start, np.cross(end - start, back))
    nail = axes[:, 1] if axes[:, 1] @ back > 0.0 else -axes[:, 1]
    reach = site.size(8.5, 10.5)
    shells = [ellipsoid(tip + s * reach * nail, [8.5, 2.8, 19.0], axes, 5.0) for s in (-1.0, 1.0)]
    chips = [ellipsoid(tip + s * reach * nail, [3.0, 1.2, 4.0], axes, 5.0) for s in (-1.0, 1.0)]
    spring = capsule(start - 8.0 * axes[:, 2] - 6.0 * nail, start - 8.0 * axes[:, 2] + 6.0 * nail, 1.4)
    spots = [
        0.5 * sum(ray[1]),
        ray[0][1],
        0.5 * sum(ray[0]),
        *(arm.wrist + t * fore for t in (0.0, 0.12, 0.24, 0.36, 0.48, 0.6)),
    ]
    over = [site.skin.on(p, back, 1.6, 90.0) for p in spots]
    near = [p for p, q in zip(over, spots, strict=True) if p is not None and np.linalg.norm(p - q) < 75.0]
    cable = joined([start + (reach + 2.0) * nail], near)
    parts = [
        tissue("device", shells, 90.0, over=("background",)),
        tissue("device", [*chips, spring], 5500.0, over=("background",)),
    ]
    if len(cable) < 4:
        return parts
    return [*parts, tissue("device", chain(along(cable, 12.0), 1.3), thin(_CABLE_HU, 0.9), over=_OUTSIDE)]


def clothes(site: Site, rng: np.random.Generator) -> list[Part]:
    """Snaps of a gown on the shoulders, or buttons down the front, a zip, hooks and wires of a brassiere."""
    u = rng.random(7)
    build = site.build
    kinds = ["gown", "buttons", "zip", "brassiere"]
    kind = kinds[int(4.0 * u[0])]
    if kind == "brassiere" and build.person.sex == "M":
        kind = "gown"
    if kind == "zip":
        z = np.linspace(build.symphysis[2] + 8.0, build.symphysis[2] + 120.0 + 40.0 * u[1], 40)
        teeth = [site.front(2.5 * np.sin(0.2 * i) + 4.0 * (u[2] - 0.5), v, 2.5) for i, v in enumerate(z)]
        return _on_front([p for p in teeth if p is not None], 1.5, 1.2, _BRASS_HU, site)
    if kind == "buttons":
        count = 4 + int(4.0 * u[1])
        z = np.linspace(build.z("T4"), build.z("L4"), count)
        points = [site.front(14.0 * (u[2] - 0.5) + 3.0 * np.sin(2.0 * i), v, 2.5) for i, v in enumerate(z)]
        return _on_front(
            [p for p in points if p is not None], site.size(4.5, 8.5), 1.4, 250.0 if u[3] < 0.6 else 5000.0, site
        )
    if kind == "gown":
        side = 1.0 if u[1] < 0.5 else -1.0
        spots = [(side * (64.0 + 22.0 * i), build.z("T1") - 24.0 + 4.0 * u[2] * i) for i in range(3)]
        points = [site.front(x * build.width, z, 2.5) for x, z in spots]
        return _on_front([p for p in points if p is not None], site.size(4.0, 6.5), 1.2, 4200.0, site)
    parts: list[Part] = []
    for side in (-1.0, 1.0):
        turn = np.radians(np.linspace(200.0, 340.0, 12))
        r = site.size(50.0, 66.0)
        knots = [(side * 78.0 * build.width + r * np.cos(t), build.z("T6") - 8.0 + 0.9 * r * np.sin(t)) for t in turn]
        line = np.array([p for p in (site.front(x, z, 1.0) for x, z in knots) if p is not None])
        if len(line) > 3:
            parts.append(tissue("device", chain(line, 0.9, None), thin(STEEL_HU, 0.6), over=_OUTSIDE))
    return parts


def jewellery(site: Site, rng: np.random.Generator) -> list[Part]:
    """A necklace with a pendant, or a ring in the navel."""
    u = rng.random(6)
    build = site.build
    if u[0] < 0.75:
        low = build.z("T3") - site.spot(0.0, 60.0)
        top, half = build.z("T1") - 3.0, 60.0 * build.width
        t = np.linspace(-1.0, 1.0, 44)
        points = [site.front(half * x * (1.0 - 0.25 * abs(x)), low + (top - low) * abs(x) ** 1.3, 1.2) for x in t]
        beads = np.array([p for p in points if p is not None])
        if len(beads) < 8:
            return []
        r = site.size(0.6, 1.6)
        hu = PRECIOUS_HU if u[1] < 0.6 else 1500.0
        parts = [
            tissue("device", chain(beads, 0.7 * r), thin(hu, 0.7 * r), over=_OUTSIDE),
            tissue("device", [capsule(p, p + vec(0.3, 0.0, 0.0), r) for p in beads[::2]], thin(hu, r), over=_OUTSIDE),
        ]
        pendant = beads[len(beads) // 2] + vec(0.0, -1.0, -9.0)
        if u[2] < 0.6:
            parts.append(
                tissue(
                    "device",
                    [
                        capsule(pendant + vec(0, 0, 7), pendant - vec(0, 0, 7), 1.3),
                        capsule(pendant - vec(5, 0, -2), pendant + vec(5, 0, 2), 1.3),
                    ],
                    hu,
                    over=_OUTSIDE,
                )
            )
        return parts
    navel = site.front(0.0, build.z("L4"), 1.5)
    if navel is None:
        return []
    return [
        tissue(
            "device",
            [
                capsule(navel - vec(0, 0, 6), navel + vec(0, 0, 6), 1.0),
                ellipsoid(navel + vec(0, 0, 7), [2.6] * 3),
                ellipsoid(navel - vec(0, 0, 7), [3.2] * 3),
            ],
            STEEL_HU,
            over=_OUTSIDE,
        )
    ]


PRECIOUS_HU = 14000.0


def _on_front(points: list[F64], radius: float, half: float, hu: float, site: Site) -> list[Part]:
    """Discs on the front skin."""
    discs: list[Shape] = []
    for p in points:
        discs.append(ellipsoid(p, [radius, radius, half], frame(site.skin.normal(p), [1.0, 0.0, 0.0]), 4.0))
    return [tissue("device", discs, thin(hu, half), over=_OUTSIDE)] if discs else []


def breast_clips(site: Site, rng: np.random.Generator) -> list[Part]:
    """Clips after surgery at an armpit or breast."""
    u = rng.random(20)
    build = site.build
    side = -1.0 if u[0] < 0.5 else 1.0
    skin = site.front(side * site.spot(92.0, 122.0) * build.width, build.z("T4") - 12.0, 0.0)
    if skin is None:
        return []
    root = skin - (14.0 + 0.5 * build.fat_mm) * site.skin.normal(skin)
    offsets = (u[1:19].reshape(6, 3) - 0.5) * [34.0, 14.0, 50.0]
    return [
        wire(np.array([root + o, root + o + unit(o + 1.0) * 5.0]), 0.7, 7500.0) for o in offsets[: 3 + int(3.9 * u[19])]
    ]
