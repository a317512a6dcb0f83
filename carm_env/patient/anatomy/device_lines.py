"""Tubes and lines that end outside the body: airway, stomach, veins, arteries, bladder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage
from carm_env.patient.anatomy.device_sites import (
    PLASTIC_HU,
    STEEL_HU,
    TITANIUM_HU,
    Site,
    along,
    joined,
    thin,
    tube,
    wire,
)
from carm_env.patient.anatomy.head_frame import draw_head
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, ellipsoid, frame, unit, vec

F64 = NDArray[np.float64]


def tracheal_tube(site: Site, rng: np.random.Generator) -> list[Part]:
    """From the lips to a few cm above the carina, with cuff, connector and a barium stripe."""
    u = rng.random(5)
    build, trachea = site.build, site.trachea
    side = 1.0 if u[0] < 0.3 else -1.0
    radius = site.size(4.6, 5.8)
    height = site.spot(22.0, 58.0)
    deep = trachea[trachea[:, 2] > trachea[-1, 2] + height]
    mouth = draw_head(build).at(
        [[side * 17.0, -101.0, -105.0], [side * 14.0, -80.0, -104.0], [side * 6.0, -54.0, -92.0]]
    )
    line = along(joined(mouth, deep), 9.0)
    cuff = line[-4]
    parts = [
        tissue("device", [ellipsoid(cuff, [9.5, 9.5, 14.0])], -1000.0, over=("airway", "muscle", "fat", "mediastinum"))
    ]
    parts += tube(line, radius, radius - 1.4, 130.0, 0.55 + 0.3 * u[1])
    out = unit(mouth[0] - mouth[1])
    joint = mouth[0] + 4.0 * out
    end = joint + 20.0 * unit(out + build.head_turn @ vec(side * 0.9, 0.0, -0.4))
    return [*parts, *tube(np.array([mouth[0], joint, end]), 7.5, 5.6, 60.0, 0.0)]


def stomach_tube(site: Site, rng: np.random.Generator) -> list[Part]:
    """From a nostril down the gullet into the stomach."""
    u = rng.random(6)
    build, near = site.build, site.plan.near
    side = 1.0 if u[0] < 0.5 else -1.0
    head = draw_head(build).at(
        [
            [side * 10.0, -114.0, -92.0],
            [side * 8.0, -104.0, -80.0],
            [side * 6.5, -84.0, -74.0],
            [side * 6.5, -46.0, -72.0],
            [side * 5.0, -26.0, -68.0],
            [side * 2.0, -17.0, -82.0],
        ]
    )
    flat, w = build.vertebrae, build.width
    neck = np.array(
        [
            flat["C3"] + vec(1.0, -17.0, 0.0) * w,
            flat["C6"] + vec(1.0, -19.0, 0.0) * w,
            flat["T1"] + vec(4.0, -21.0, 0.0) * w,
        ]
    )
    chest = np.array(
        [
            near(7.0, 13.0, 10.0),
            near(7.0, 16.0, -16.0),
            flat["T8"] + vec(9.0, -26.0, 0.0) * w,
            flat["T10"] + vec(14.0, -36.0, 0.0) * w,
        ]
    )
    fundus = site.vertebra("T11", (44.0, -62.0, -6.0))
    low = site.vertebra("L1", (site.spot(30.0, 62.0), -84.0, -10.0 * u[1]))
    end = site.vertebra("L2", (10.0 + 22.0 * u[2], -96.0, 8.0))
    line = along(joined(head, neck, chest, [fundus, low, end]), 12.0)
    line[2:-1, :2] += 1.2 * np.sin(np.arange(len(line) - 3)[:, None] * 0.8 + 6.0 * u[3:5])
    radius = site.size(1.8, 3.2)
    return tube(line, radius, 0.6 * radius, 160.0, 0.5, 0.0)


def central_line(site: Site, rng: np.random.Generator) -> list[Part]:
    """A catheter from the right jugular or a subclavian vein to above the right atrium; its hub on the skin."""
    u = rng.random(5)
    cava = site.superior_cava
    reach = 2 + int(u[0] < 0.6)
    radius = site.size(0.9, 1.5)
    if site.spot(0.0, 1.0) + 0.4 * (u[1] - 0.5) < 0.6:
        w, v = site.build.width, site.build.vertebrae
        neck = np.array([v["C6"] + vec(-32.0, -24.0, 0.0) * w])
        inner = joined(neck, [site.venous_angle(-1.0)], cava[:reach])
        out = _on_skin(site, neck[0], unit(vec(-0.6, -1.0, 0.5)))
    else:
        side = -1.0 if u[2] < 0.6 else 1.0
        inner = joined(site.subclavian(side), cava[1:reach])
        out = _on_skin(site, inner[0], unit(vec(side * 0.5, -1.0, -0.4)))
    line = along(inner if out is None else joined([out], inner), 9.0)
    parts = [wire(line, radius, 2400.0)]
    if out is None:
        return parts
    hub = _lumens(site, inner[0], out, u[3:])
    return [*parts, tissue("device", hub, thin(260.0, 1.5), over=("background", "skin"))]


def port(site: Site, rng: np.random.Generator) -> list[Part]:
    """A port below the clavicle: a chamber in the fat with a catheter to the right atrium."""
    u = rng.random(4)
    side = -1.0 if u[0] < 0.75 else 1.0
    build = site.build
    x = side * site.spot(62.0, 96.0) * build.width
    skin = site.front(x, build.z("T3") - 8.0 - 16.0 * u[1], 0.0)
    if skin is None:
        return []
    out = site.skin.normal(skin)
    at = skin - (8.0 + 0.1 * build.fat_mm) * out
    axes = frame(out, [1.0, 0.0, 0.0])
    r = site.size(9.0, 14.0)
    metal = u[2] < 0.6
    chamber = [ellipsoid(at, [r, r, 5.5], axes, 5.0)]
    hole = [ellipsoid(at + 2.0 * out, [0.62 * r, 0.62 * r, 4.5], axes, 5.0)]
    inner = joined([at + side * vec(-r, 0.0, 3.0)], site.subclavian(side)[1:], site.superior_cava[1:])
    return [
        wire(along(inner, 10.0), 1.25, 900.0),
        tissue("device", chamber, 6000.0 if metal else 350.0),
        tissue("device", hole, 400.0 if metal else 120.0),
        tissue("device", [ellipsoid(at - 4.0 * out, [0.6 * r, 0.6 * r, 1.0], axes, 5.0)], 5000.0),
    ]


def urinary_catheter(site: Site, rng: np.random.Generator) -> list[Part]:
    """A silicone catheter with its balloon in the bladder, then over a thigh."""
    u = rng.random(5)
    build, low = site.build, site.build.symphysis
    side = 1.0 if site.spot(0.0, 1.0) < 0.5 else -1.0
    neck = low + vec(0.0, 24.0, 8.0)
    male = build.person.sex == "M"
    inner = [neck + vec(3.0 - 6.0 * u[0], 2.0, 24.0), neck, low + vec(0.0, 20.0, -22.0)]
    if male:
        inner.append(low + vec(0.0, 2.0, -48.0))
    gate = low + vec(0.0, 16.0, -46.0) if not male else low + vec(side * 6.0, -18.0, -66.0)
    thigh = np.array(
        [
            [side * (38.0 + 22.0 * u[1]), low[2] - 84.0],
            [side * (88.0 + 24.0 * u[2]), low[2] - 128.0],
            [side * 96.0, low[2] - 210.0],
        ]
    )
    over = site.over_front(thigh, 3.0)
    line = along(joined(inner, [gate], over), 9.0)
    radius = site.size(2.2, 3.2)
    balloon = tissue(
        "device", [ellipsoid(inner[0] + vec(0.0, 0.0, -3.0), [13.0, 13.0, 11.5])], 8.0 if u[3] < 0.7 else -900.0
    )
    return [balloon, *tube(line, radius, 0.5 * radius, 260.0, 0.45 * (u[4] < 0.7), 5.0)]


def arterial_catheter(site: Site, rng: np.random.Generator) -> list[Part]:
    """A sheath in a groin; through it a guiding catheter up the aorta into the arch or a carotid, with or without a
    wire."""
    u = rng.random(6)
    side = -1.0 if u[0] < 0.8 else 1.0
    iliac = site.iliac(side)
    skin = _on_skin(site, iliac[0], unit(vec(0.0, -1.0, -0.9)))
    entry = iliac[0] + vec(0.0, -25.0, -22.0) if skin is None else skin
    sheath = along(joined([entry], iliac[:3]), 10.0)
    parts = [wire(sheath, site.size(1.2, 1.8), 900.0)]
    hub = entry + unit(entry - iliac[0]) * 8.0
    parts.append(
        tissue(
            "device",
            [capsule(entry, hub, 4.0), capsule(hub, hub + vec(side * 16.0, -2.0, -8.0), 2.0)],
            120.0,
            over=("background", "skin"),
        )
    )
    course = site.aorta
    top = int(np.argmax(course[:, 2]))
    carotid = u[2] < 0.6
    aorta = course[: top + 1 if carotid else top - 3 + int(12.0 * u[1])]
    inner = joined(iliac[1:-1], aorta[::3], aorta[-1:])
    if carotid:
        inner = joined(inner, _carotid(site, 1.0 if u[3] < 0.5 else -1.0, course[top], site.spot(0.45, 1.0)))
    line = along(inner, 12.0)
    parts.append(wire(line, site.size(1.0, 1.35), 3600.0))
    if u[4] < 0.5:
        parts.append(wire(line, 0.45, STEEL_HU))
    parts.append(tissue("device", [capsule(line[-2], line[-1], 1.3)], TITANIUM_HU))
    return parts


def drain(site: Site, rng: np.random.Generator) -> list[Part]:
    """A chest drain from the side to the apex of a lung."""
    u = rng.random(4)
    side = -1.0 if u[0] < 0.5 else 1.0
    build, plan = site.build, site.plan
    z = build.z("T7") - 20.0 * u[1]
    cx, cy, half, _ = (float(v) for v in cage.section(build, z))
    skin = site.skin.exit(vec(cx + side * 0.6 * half, cy - 10.0, z), vec(side, -0.25, -0.1), 120.0 + build.fat_mm)
    if skin is None or abs(skin[0] - cx) > half + 45.0 + 1.6 * build.fat_mm:
        return []
    inner = vec(cx + side * (0.93 * half - 12.0), skin[1] + 6.0, z + 14.0)
    top = plan.near(side * (44.0 + 8.0 * u[2]), 10.0, site.spot(10.0, 42.0))
    out = skin + vec(side * 3.0, -8.0, -26.0)
    line = along([out, skin, inner, 0.5 * (inner + top) + vec(side * 10.0, 8.0 * u[3], 0.0), top], 12.0)
    radius = site.size(2.6, 4.6)
    return tube(line, radius, 0.62 * radius, PLASTIC_HU, 0.7)


def _carotid(site: Site, side: float, arch: F64, share: float) -> F64:
    """From the top of the arch towards the skull base; ``share`` of the way."""
    near, v = site.plan.near, site.vertebra
    root = near(12.0, -16.0, 33.0) if side > 0 else near(-3.0, -24.0, 32.0)
    knots = np.array(
        [
            arch + vec(-2.0, -3.0, 3.0),
            root,
            near(side * 22.0, -24.0, 58.0),
            v("C6", (side * 26.0, -20.0, 0.0)),
            v("C4", (side * 29.0, -16.0, 0.0)),
            v("C2", (side * 28.0, -8.0, 6.0)),
            site.build.head((side * 26.0, -22.0, -48.0)),
        ]
    )
    line = along(knots, 10.0)
    return line[: max(4, int(share * len(line)))]


def _on_skin(site: Site, start: F64, direction: F64) -> F64 | None:
    """A point on the skin from inside; None if it is far away."""
    return site.skin.exit(start, direction, 120.0)


def _lumens(site: Site, start: F64, out: F64, u: F64) -> list[Shape]:
    """A hub and two short lines over the skin, from where a catheter leaves it."""
    way = unit(out - start)
    ends = [
        site.skin.on(start + vec(x, 0.0, z), way, 2.0, 140.0)
        for x, z in ((-3.0, -10.0), (-14.0 - 6.0 * u[0], -26.0), (6.0, -30.0))
    ]
    found = [p for p in ends if p is not None]
    if len(found) < 3:
        return [capsule(out, out + 3.0 * way, 2.5)]
    hub, one, two = found
    return [capsule(out, hub, 2.6), capsule(hub, one, 1.5), capsule(hub, two, 1.5)]
