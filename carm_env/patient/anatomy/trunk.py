"""Skin, muscle, lungs, heart, great vessels, airways and abdomen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import capsule, chain, ellipsoid, tissue, vec
from carm_env.patient.anatomy.thorax import DROP, HALF_WIDTH, front_y, rib_ellipse

F64 = NDArray[np.float64]
FAT, MUSCLE, BLOOD, LIVER, LUNG, GAS = -100.0, 55.0, 45.0, 62.0, -830.0, -950.0


def trunk_sections(build: Build, z: F64) -> tuple[F64, F64]:
    """Skin and muscle outlines [Z, 4] (cx, cy, a, b) of the trunk at heights ``z``; a = 0 outside the trunk."""
    from scipy.interpolate import PchipInterpolator

    w, c, hip = build.width, build.chest, build.hip
    shoulder = 128.0 if build.arms == "at the sides" else 138.0
    knots = [  # z, half width, front y, back y
        (build.symphysis[2] - 80.0, 60.0 * w, hip[1] - 60.0, hip[1] + 40.0),
        (build.symphysis[2] - 35.0, 150.0 * w, hip[1] - 105.0, hip[1] + 62.0),
        (hip[2] + 15.0, 160.0 * w, hip[1] - 122.0, hip[1] + 74.0),
        (build.z("L5") - 20.0, 150.0 * w, build.y("L5") - 150.0 * w, build.y("L5") + 66.0),
        (build.z("L3"), 136.0 * w, build.y("L3") - 142.0 * w, build.y("L3") + 60.0),
        (build.z("T12"), 138.0 * c, front_y(build, build.z("T12")) - 8.0, build.y("T12") + 54.0),
        (build.z("T8"), 146.0 * c, front_y(build, build.z("T8")) - 10.0, build.y("T8") + 50.0),
        (build.z("T4"), 152.0 * c, front_y(build, build.z("T4")) - 14.0, build.y("T4") + 54.0),
        (build.z("T2"), shoulder * w, build.y("T1") - 66.0, build.y("T2") + 62.0),
        (build.z("T1") + 14.0, 112.0 * w, build.y("T1") - 44.0, build.y("T1") + 56.0),
        (build.z("T1") + 52.0, 52.0 * w, build.y("C7") - 50.0, build.y("C7") + 50.0),
    ]
    at, half, front, back = np.array(knots).T
    half, front = half * build.girth, back - (back - front) * build.girth
    fat = build.fat_mm * np.array([0.2, 0.8, 1.1, 1.15, 1.1, 0.8, 0.6, 0.6, 0.5, 0.4, 0.3])
    belly = build.fat_mm * np.array([0.2, 0.6, 0.9, 1.5, 1.6, 1.0, 0.7, 0.7, 0.5, 0.3, 0.3])
    inside = (z >= at[0]) & (z <= at[-1])

    def section(half_width: F64, y_front: F64, y_back: F64) -> F64:
        a, f, b = (PchipInterpolator(at, values)(z) for values in (half_width, y_front, y_back))
        return np.where(inside[:, None], np.stack([0 * z, 0.5 * (f + b), a, 0.5 * (b - f)], axis=1), 0.0)

    grow = 0.35 * build.fat_mm
    return section(half + fat, front - belly, back + grow), section(half, front, back)


def lung_sections(build: Build, z: F64) -> F64:
    """Inside of the rib cage [Z, 4] from the apex to the costophrenic recess; a = 0 outside."""
    at = np.array([build.z(f"T{k + 1}") - 0.35 * DROP[k] for k in range(12)])[::-1]
    inner = (HALF_WIDTH * build.chest - 8.0)[::-1]
    levels = np.array([build.z(f"T{k + 1}") for k in range(12)])[::-1]
    back = np.interp(z, levels, [build.y(f"T{k + 1}") + 20.0 for k in range(12)][::-1])
    front = front_y(build, z) + 9.0
    apex = build.z("T1") + 8.0
    taper = np.sqrt(np.clip((apex - z) / 50.0, 0.0, 1.0))
    a, b = np.interp(z, at, inner) * taper, 0.5 * (back - front) * (0.35 + 0.65 * taper)
    cy = back - b
    end = build.z("T12") - 4.0
    a = a - 26.0 * np.clip(1.0 - (z - end) / 60.0, 0.0, 1.0) ** 2
    inside = (z < apex) & (z > end)
    return np.where(inside[:, None], np.stack([0 * z, cy, a, b], axis=1), 0.0)


def heart_floor(build: Build) -> float:
    """Height of the lower hemidiaphragm, on which the heart lies."""
    return float(min(dome_top(build, side)[2] for side in (-1.0, 1.0)))


def dome_top(build: Build, side: float) -> F64:
    """Highest point of the hemidiaphragm: right near T9-T10, left about 15 mm lower."""
    drop = 158.0 + 14.0 * build.texture[0] + (15.0 if side > 0 else 0.0)
    z = build.z("T1") - drop * (build.z("T1") - build.z("T12")) / 262.0
    _, cy, _ = rib_ellipse(build, 7)
    return np.array([side * 70.0 * build.chest, cy + 16.0, z])


def carina(build: Build) -> F64:
    """Where the trachea divides: about 62 mm below T1."""
    z = build.z("T1") - 62.0 * (build.z("T1") - build.z("T12")) / 262.0
    return np.array([2.0, float(build.y("T4")) - 34.0 * build.width, z])


def arch_top(build: Build) -> F64:
    """Highest point of the aortic arch (its outer wall)."""
    return carina(build) + np.array([12.0, -14.0, 31.0]) * build.width


def mediastinum(build: Build) -> F64:
    """Rows of heart, great vessels and the tissue between the lungs."""
    fork, w = carina(build), build.chest
    floor = heart_floor(build)
    heart = np.array([22.0 * w, fork[1] - 48.0, floor + 40.0 * w])
    lean = _spin(-32.0)
    middle = ellipsoid([2.0, fork[1] - 8.0, 0.5 * (fork[2] + floor) + 24.0], [29.0 * w, 46.0 * w, 128.0 * w])
    parts = [
        middle,
        ellipsoid(heart, np.array([64.0, 44.0, 50.0]) * w, lean),
        ellipsoid(heart + np.array([-38.0, 8.0, 16.0]) * w, np.array([34.0, 36.0, 44.0]) * w),
        *chain(_aorta(build), 13.0 * w),
        capsule(fork + vec(-20.0, -16.0, 50.0), fork + vec(-24.0, -14.0, -40.0), 10.0),
        capsule(fork + vec(24.0, -8.0, -16.0), fork + vec(44.0, 0.0, -30.0), 11.0, 8.0),
        capsule(fork + vec(-20.0, -6.0, -22.0), fork + vec(-44.0, 0.0, -36.0), 11.0, 8.0),
    ]
    twigs = []
    for side in (-1.0, 1.0):
        hilum = fork + vec(side * 40.0, 2.0, -30.0)
        for n, (x, y, z) in enumerate([(45, 10, 60), (60, -30, 20), (55, 40, -10), (50, 10, -60), (30, 35, -75)]):
            twigs.append(capsule(hilum, hilum + np.array([side * x, y, z]) * w, 4.5, 1.2 + 0.2 * n))
    return np.concatenate([tissue(twigs, -100.0), tissue(parts, BLOOD)])


def _aorta(build: Build) -> F64:
    """Centreline from the heart over the arch to L4."""
    fork, w, r = carina(build), build.chest, 13.0 * build.chest
    top = arch_top(build) - vec(0.0, 0.0, r)
    rise = [fork + vec(-10.0, -34.0, -40.0), fork + vec(-12.0, -30.0, 0.0), top + vec(-14.0, -10.0, -5.0), top]
    fall = [top + np.array([13.0, 22.0, -8.0]) * w]
    for level, x in (("T6", 22.0), ("T8", 18.0), ("T10", 10.0), ("T12", 4.0), ("L2", 4.0), ("L4", 2.0)):
        fall.append(build.vertebrae[level] + vec(x, -30.0 * w, 0.0))
    return np.array([*rise, *fall])


def airways(build: Build) -> F64:
    """Rows of trachea and main bronchi."""
    fork = carina(build)
    larynx = build.vertebrae["C5"] + vec(0.0, -28.0, 0.0)
    inlet = build.vertebrae["T1"] + vec(0.0, -32.0, 0.0)
    tubes = [
        *chain([build.head((0.0, -24.0, -128.0)), larynx, inlet, fork], [7.0, 8.0, 8.5, 8.5]),
        capsule(fork, fork + vec(-30.0, 6.0, -34.0), 7.5, 6.0),
        capsule(fork, fork + vec(42.0, 8.0, -30.0), 6.5, 5.5),
    ]
    return tissue(tubes, GAS)


def abdomen(build: Build) -> F64:
    """Rows of liver, spleen, stomach, kidneys, psoas, back muscles, bladder and bowel with gas."""
    w, right, left = build.width, dome_top(build, -1.0), dome_top(build, 1.0)
    _, middle_y, depth = rib_ellipse(build, 8)
    centre = vec(0.0, middle_y + 6.0, heart_floor(build) - 73.0)
    liver = np.array([80.0, 100.0, 100.0]) * build.chest
    spleen = np.array([74.0, 96.0, 92.0]) * build.chest
    hip = build.symphysis + vec(0.0, 10.0, 0.0)
    back = [build.vertebrae[v] for v in ("T3", "T6", "T9", "T12", "L3", "L5")]
    muscles = [c for s in (-1.0, 1.0) for c in chain([p + vec(s * 34.0, 40.0, 0.0) for p in back], 22.0)]
    for s in (-1.0, 1.0):
        crus = [build.vertebrae[v] + vec(s * 22.0, 12.0, 0.0) for v in ("T8", "T10", "T12")]
        muscles += chain(crus, [10.0, 22.0, 34.0])
    psoas = [build.vertebrae[v] for v in ("L1", "L3", "L5")]
    for s in (-1.0, 1.0):
        ends = [p + vec(s * (24.0 + 12.0 * i), -2.0, 0.0) for i, p in enumerate(psoas)]
        muscles += chain([*ends, build.hip * [s, 1.0, 1.0] + vec(0.0, -28.0, 0.0)], [9.0, 19.0, 22.0, 14.0])
    kidneys = [
        ellipsoid(build.vertebrae["L1"] + vec(s * 58.0, 12.0, -10.0 + 5.0 * s), [26.0, 20.0, 52.0]) for s in (-1, 1)
    ]
    return np.concatenate([
        tissue([ellipsoid(centre, [72.0 * build.chest, depth + 4.0, 75.0])], 0.0),
        tissue([*muscles, *kidneys], 50.0),
        tissue([ellipsoid(left - vec(0, 0, spleen[2]), spleen)], 45.0),
        tissue([
            ellipsoid(right - vec(0, 0, liver[2]), liver),
            capsule(right - vec(0, 0, 60), right + vec(95, -25, -62), 42.0, 22.0)], LIVER),
        tissue([ellipsoid(hip + vec(0.0, 45.0, 45.0), [42.0 * w, 36.0, 34.0])], 8.0),
        _bowel(build, left),
    ])  # fmt: skip


def _bowel(build: Build, left: F64) -> F64:
    """The stomach's bubble and gas along the colon and in the small bowel, where the texture draws it."""
    t, w = build.texture, build.width
    y = build.y("L3") - 75.0 * w
    gas = [ellipsoid(left + vec(-4.0, -24.0, -26.0), np.array([26.0, 22.0, 14.0]) * (0.7 + 0.5 * t[1]))]
    frame = [
        (-98, "L5"),
        (-100, "L4"),
        (-96, "L2"),
        (-50, "L1"),
        (10, "L2"),
        (60, "L1"),
        (100, "L1"),
        (104, "L3"),
        (100, "L5"),
    ]
    for i, (x, level) in enumerate(frame):
        size = 9.0 + 12.0 * t[2 + i]
        if t[20 + i] < 0.75:
            gas.append(
                ellipsoid([x * w, y + 20.0 * t[11 + i], build.z(level) + 16.0 * t[30 + i]], [size, size, 1.4 * size])
            )
    for i in range(8):
        x, z = (t[40 + i] - 0.5) * 110.0 * w, build.z("L3") + (t[48 + i] - 0.5) * 130.0
        gas.append(ellipsoid([x, y + 10.0, z], np.array([12.0, 9.0, 8.0]) * (0.5 + t[56 + i])))
    return np.concatenate([tissue(gas, 30.0, -3.0), tissue(gas, -900.0)])


def _spin(degrees: float) -> F64:
    """Rotation [3, 3] about y: positive lifts the patient's left side."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
