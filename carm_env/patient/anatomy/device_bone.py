"""Metal in bones: screws and rods of the spine, cement, joints of the hip, nails and plates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import pelvis_hip, spine_sizes
from carm_env.patient.anatomy.build import LEVELS
from carm_env.patient.anatomy.device_sites import COBALT_HU, STEEL_HU, TITANIUM_HU, Site, along, joined, thin, wire
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.pelvis_frame import Basin
from carm_env.patient.anatomy.shapes import Shape, capsule, chain, ellipsoid, frame, half_space, loft, unit, vec

F64 = NDArray[np.float64]
_MUSCLE_HU, _CEMENT_HU, _PLASTIC_HU = 45.0, 2400.0, -80.0


def spinal_fusion(site: Site, rng: np.random.Generator) -> list[Part]:
    """Pedicle screws with rods over two to four levels, most of them lumbar; some with a cage between the bodies."""
    u = rng.random(8)
    lumbar = u[0] < 0.75
    count = 2 + int(3.0 * u[1] ** 1.6)
    low = LEVELS.index("L5") - int(2.0 * u[2]) if lumbar else LEVELS.index("T6") + int(9.0 * u[2])
    found = spine_sizes.vertebrae(site.build)
    chosen = [found[i] for i in range(low - count + 1, low + 1)]
    thick = site.size(2.6, 3.4)
    screws: list[Shape] = []
    heads: list[Shape] = []
    rods: list[Shape] = []
    for side in (-1.0, 1.0):
        seats = []
        for i, v in enumerate(chosen):
            x = 0.5 * (v.canal_width + v.pedicle_width) + 0.1 * v.pedicle_width
            start = v.at(
                side * (x + 3.0), v.back + 0.9 * v.canal_depth + 4.0, v.pedicle_z + 1.5 * np.sin(4.0 * u[3] + i)
            )
            tip = v.at(side * (0.62 * x - 1.0 - 3.0 * u[4]), -0.22 * v.depth, v.pedicle_z - 3.0)
            r = min(thick, 0.42 * v.pedicle_width) if v.pedicle_width > 6.4 else 2.2
            screws.append(capsule(start, tip, r, 0.75 * r))
            seat = start + 7.0 * unit(start - tip)
            heads.append(capsule(start, seat, 5.2, 5.8))
            seats.append(seat + v.aim(0.0, 1.5, 0.0))
        line = np.array(seats)
        line = np.concatenate(
            [[line[0] + 8.0 * unit(line[0] - line[1])], line, [line[-1] + 8.0 * unit(line[-1] - line[-2])]]
        )
        rods += chain(along(line, 14.0), site.size(2.5, 3.1))
    hu = TITANIUM_HU if u[5] < 0.85 else COBALT_HU
    parts = [tissue("device", screws, hu), tissue("device", heads, 0.75 * hu), tissue("device", rods, hu)]
    if u[6] < 0.5:
        parts += [p for v in chosen[1:] for p in _cage(v, u[7])]
    return parts


def _cage(v: spine_sizes.Vertebra, u: float) -> list[Part]:
    """A cage in the disc above a vertebra: a metal frame, or plastic that shows by its pins."""
    centre = v.at(0.0, -1.0, v.up + 0.15 * v.gap_up)
    if u < 0.5:
        semi = np.array([0.32 * v.width_up, 0.34 * v.depth, 0.2 * v.gap_up])
        hollow = ellipsoid(centre, [0.6 * semi[0], 0.6 * semi[1], semi[2] + 4.0], v.turn, 6.0).cut()
        return [tissue("device", [ellipsoid(centre, semi, v.turn, 6.0), hollow], 4500.0)]
    pins = [
        centre + v.turn @ vec(x * v.width_up, y * v.depth, 0.0) for x, y in ((-0.25, -0.2), (0.25, -0.2), (0.0, 0.25))
    ]
    up = 0.12 * v.gap_up * v.turn[:, 2]
    return [tissue("device", [capsule(p - up, p + up, 0.5) for p in pins], thin(STEEL_HU, 0.5))]


def cement(site: Site, rng: np.random.Generator) -> list[Part]:
    """Cement in one or two vertebral bodies after a fracture."""
    u = rng.random(10)
    found = spine_sizes.vertebrae(site.build)
    first = LEVELS.index("T8") + int(8.0 * u[0])
    parts = []
    for k in range(1 if u[1] < 0.7 else 2):
        v = found[first + k]
        lumps = []
        for i, side in enumerate((-1.0, 1.0)):
            r = 0.17 * v.depth * (0.8 + 0.6 * u[2 + 2 * k + i])
            at = v.at(side * 0.2 * v.width_up, (-0.22 + 0.16 * u[6 + i]) * v.depth, (u[8 + i] - 0.5) * 0.25 * v.height)
            lumps += [
                ellipsoid(at, [1.35 * r, 1.3 * r, r]),
                ellipsoid(at + v.aim(-side * r, 0.5 * r, 0.4 * r), [r, 0.8 * r, 0.6 * r]),
            ]
        parts.append(
            tissue("device", [s.blended(3.0) for s in lumps], site.size(1700.0, 3000.0), over={f"vertebra_{v.level}"})
        )
    return parts


def hip_joint(site: Site, rng: np.random.Generator) -> list[Part]:
    """A hip joint: cup and stem, the stem in the shaft with or without cement, or the stem alone with a big head."""
    u = rng.random(7)
    side = -1.0 if u[0] < 0.5 else 1.0
    parts = _hip(site, side, u)
    return parts + _hip(site, -side, u[::-1]) if u[1] < 0.2 else parts


def _hip(site: Site, side: float, u: F64) -> list[Part]:
    femur, basin = site.femur(side), Basin(site.build)
    label = f"{'left' if side > 0 else 'right'}_femur"
    k, r = femur.scale, basin.joint_radius
    head = femur.head
    half = u[2] < 0.25
    cup, ball = r + 2.0, (basin.head_radius if half else site.size(14.0, 18.0))
    mouth = unit(pelvis_hip.opening(side) * [1.0, 0.7, 1.0])
    resected = [
        capsule(head, femur.at((-6.0, 0.0, 12.0)), basin.head_radius + 1.5, 17.0 * k),
        half_space(femur.at((4.0, 0.0, 8.0)), femur.axes @ vec(0.72, 0.0, -0.69)).cut(2.0),
    ]
    parts = [tissue("muscle", resected, _MUSCLE_HU, over={label, "cartilage"})]
    if not half:
        shell = [
            ellipsoid(head, [cup] * 3),
            ellipsoid(head, [cup - 4.0] * 3).cut(),
            half_space(head + 1.5 * mouth, mouth).keep(),
        ]
        liner = [ellipsoid(head, [cup - 4.0] * 3), half_space(head + 2.5 * mouth, mouth).keep()]
        parts += [tissue("device", liner, _PLASTIC_HU), tissue("device", shell, TITANIUM_HU)]
        if u[3] < 0.35:
            screw = unit(vec(-side * 0.45, 0.35, 0.9))
            parts.append(
                tissue("device", [capsule(head + (cup - 3.0) * screw, head + (cup + 20.0) * screw, 2.2)], TITANIUM_HU)
            )
    neck = femur.at((1.0, 0.0, 4.0))
    length = site.size(105.0, 150.0)
    z = np.array([-length, -0.97 * length, -0.7 * length, -50.0, -18.0, 0.0, 10.0, 16.0])
    wide = np.array([3.6, 4.9, 5.5, 6.6, 9.0, 11.5, 12.0, 9.0]) * k
    deep = np.array([3.4, 4.6, 5.0, 5.4, 6.6, 7.2, 7.0, 6.0]) * k
    at, turn = np.linspace(z[0], z[-1], 24), np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    section = (
        np.abs(np.cos(turn)) ** 3 / np.interp(at, z, wide)[:, None] ** 3
        + np.abs(np.sin(turn)) ** 3 / np.interp(at, z, deep)[:, None] ** 3
    )
    stem = [
        loft(
            femur.crossing,
            frame(femur.axes[:, 2], femur.axes[:, 0]),
            z[0],
            z[-1],
            np.zeros((24, 2)),
            section ** (-1.0 / 3.0),
        )
    ]
    stem.append(capsule(neck, head, 8.0, 6.2).blended(4.0))
    if u[4] < 0.4:
        parts.append(tissue("device", stem, _CEMENT_HU, -2.2, over={label}))
    hu = TITANIUM_HU if u[5] < 0.65 else COBALT_HU
    return [
        *parts,
        tissue("device", stem, hu),
        tissue("device", [ellipsoid(head, [ball] * 3)], COBALT_HU if u[6] < 0.6 else 6500.0),
    ]


def fracture(site: Site, rng: np.random.Generator) -> list[Part]:
    """A nail in femur or humerus, screws in a femoral neck, or a plate on the clavicle."""
    u = rng.random(6)
    side = -1.0 if u[0] < 0.5 else 1.0
    if u[1] < 0.4:
        return _femoral_nail(site, side, u)
    if u[1] < 0.65:
        return _neck_screws(site, side, u)
    return _humeral(site, side, u)


def _femoral_nail(site: Site, side: float, u: F64) -> list[Part]:
    femur = site.femur(side)
    r = site.size(4.6, 6.0)
    length = site.spot(150.0, 240.0)
    nail = [
        capsule(femur.at((4.0, 1.0, 26.0)), femur.at((1.0, 0.0, -20.0)), 1.4 * r, 1.15 * r),
        capsule(femur.at((1.0, 0.0, -20.0)), femur.at((0.0, 0.0, -length)), r),
    ]
    into = unit(femur.head - femur.crossing)
    lag = [
        capsule(femur.crossing - 26.0 * into, femur.head + 0.3 * femur.radius * into, 4.6),
        capsule(femur.at((-14.0, 0.0, -0.62 * length)), femur.at((17.0, 0.0, -0.62 * length)), 2.3),
    ]
    hu = TITANIUM_HU if u[2] < 0.75 else STEEL_HU
    return [tissue("device", nail, hu), tissue("device", lag, hu)]


def _neck_screws(site: Site, side: float, u: F64) -> list[Part]:
    femur = site.femur(side)
    into = unit(femur.head - femur.crossing)
    axes = frame(into, femur.axes[:, 1])
    start, end = femur.crossing - 24.0 * into, femur.head + 0.35 * femur.radius * into
    r = site.size(2.8, 3.6)
    shapes = []
    for turn in np.radians([90.0, 210.0, 330.0]) + 0.5 * u[3]:
        off = 8.0 * (np.cos(turn) * axes[:, 0] + np.sin(turn) * axes[:, 1])
        shapes += [capsule(start + off, end + 0.9 * off, r), capsule(start + off, start + off + 4.0 * into, 1.6 * r)]
    return [tissue("device", shapes, TITANIUM_HU)]


def _humeral(site: Site, side: float, u: F64) -> list[Part]:
    arm = site.arms[side]
    axis, out = unit(arm.elbow - arm.shoulder), unit(arm.hinge - unit(arm.elbow - arm.shoulder) * 0.0)
    at = lambda t, x=0.0: arm.shoulder + t * (arm.elbow - arm.shoulder) + x * site.build.width * out
    if u[4] < 0.5:
        nail = along(joined([at(-0.02, 4.0), at(0.12, 4.0), at(0.45, 3.0), at(0.72 + 0.1 * u[5], 0.5)]), 30.0)
        bolts = [capsule(at(t, -15.0), at(t, 22.0), 2.0) for t in (0.07, 0.12, 0.7)]
        return [tissue("device", chain(nail, site.size(3.6, 4.6)), TITANIUM_HU), tissue("device", bolts, TITANIUM_HU)]
    line = np.array([at(t, x) for t, x in ((0.03, 25.0), (0.12, 22.0), (0.22, 17.0), (0.32, 16.5))])
    plate = chain(line, 6.5, out, 2.9)
    bolts = [
        capsule(at(t, 22.0), at(t + d, -4.0), 1.7)
        for t, d in ((0.04, -0.03), (0.08, -0.04), (0.12, -0.05), (0.2, 0.0), (0.28, 0.0))
    ]
    pins = wire(np.array([at(0.3, 18.0) + 5.0 * axis, at(0.3, -10.0) + 5.0 * axis]), 1.6, TITANIUM_HU)
    return [tissue("device", plate, TITANIUM_HU), tissue("device", bolts, TITANIUM_HU), pins]
