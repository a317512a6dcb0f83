"""Ribs, sternum, clavicles and scapulae, and the thorax ellipse that lungs and skin follow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import bone, capsule, chain, plate, tissue, vec

F64 = NDArray[np.float64]
HALF_WIDTH = np.array([54.0, 78.0, 95.0, 107.0, 116.0, 123.0, 128.0, 131.0, 131.0, 127.0, 118.0, 104.0])
DROP = np.array([36.0, 48.0, 58.0, 68.0, 78.0, 88.0, 96.0, 98.0, 96.0, 88.0, 60.0, 34.0])
_END_DEG = np.array([165.0, 160.0, 158.0, 157.0, 156.0, 152.0, 146.0, 136.0, 126.0, 116.0, 84.0, 58.0])
_CARTILAGE_HU = 130.0


def front_y(build: Build, z: float | F64) -> F64:
    """y of the thorax' bony front at height z."""
    top = build.z("T1") - 42.0
    return build.y("T1") - (64.0 + np.clip((top - np.asarray(z, float)) * 0.27, 0.0, 52.0)) * build.chest


def rib_ellipse(build: Build, k: int) -> tuple[float, float, float]:
    """Half width, centre y and half depth of rib ``k`` (0-11)."""
    back = build.y(f"T{k + 1}") + 28.0
    front = float(front_y(build, build.z(f"T{k + 1}") - DROP[k]))
    return float(HALF_WIDTH[k] * build.chest), 0.5 * (back + front), 0.5 * (back - front)


def thorax_bones(build: Build) -> F64:
    """Rows of 24 ribs with their cartilage, and the sternum."""
    ribs, cartilage = [], []
    for k in range(12):
        for side in (-1.0, 1.0):
            path = _rib(build, k, side)
            ribs += chain(path, 4.6 if k else 4.0)
            if k < 10:
                cartilage += chain([path[-1], _junction(build, k, side)], 5.0)
    return np.concatenate([tissue(cartilage, _CARTILAGE_HU), bone(ribs, 1.3), _sternum(build)])


def _rib(build: Build, k: int, side: float) -> F64:
    a, cy, b = rib_ellipse(build, k)
    vertebra = build.vertebrae[f"T{k + 1}"]
    turn = np.radians(np.linspace(np.degrees(np.arcsin(min(0.9, 34.0 / a))), _END_DEG[k], 18))
    path = np.stack([side * a * np.sin(turn), cy + b * np.cos(turn), _rib_z(build, k, turn)], axis=1)
    neck = vertebra + vec(side * 15.0, 12.0, 6.0)
    return np.concatenate([neck[None], path])


def _rib_z(build: Build, k: int, turn: F64) -> F64:
    return build.z(f"T{k + 1}") + 6.0 - DROP[k] * (1.0 - np.cos(turn)) / 2.0


def _junction(build: Build, k: int, side: float) -> F64:
    """Where the cartilage of rib ``k`` meets the sternum, or for ribs 8-10 the costal margin."""
    top, bottom = _sternum_ends(build)
    t = min(k, 6.5) / 6.5
    point = top + (bottom - top) * t + vec(side * 14.0, 0.0, 0.0)
    return point + vec(side * 7.0 * max(0, k - 6), 0.0, -9.0 * max(0, k - 6))


def _sternum_ends(build: Build) -> tuple[F64, F64]:
    z_top, z_low = build.z("T1") - 44.0, build.z("T9") + 2.0
    return (
        np.array([0.0, float(front_y(build, z_top)), z_top]),
        np.array([0.0, float(front_y(build, z_low)), z_low]),
    )


def _sternum(build: Build) -> F64:
    top, bottom = _sternum_ends(build)
    angle = top + (bottom - top) * 0.3
    x = np.array([1.0, 0.0, 0.0])
    parts = [
        plate(top - 22 * x, top + 22 * x, angle - 11 * x, 5.0),
        plate(top + 22 * x, angle - 11 * x, angle + 11 * x, 5.0),
        plate(angle - 11 * x, angle + 11 * x, bottom - 13 * x, 4.5),
        plate(angle + 11 * x, bottom - 13 * x, bottom + 13 * x, 4.5),
        capsule(bottom, bottom + vec(0.0, 4.0, -28.0), 5.0, 3.0),
    ]
    return bone(parts, 1.5)


def shoulder(build: Build, side: float) -> F64:
    """Centre of the humeral head."""
    reach, lift = (146.0, -2.0) if build.arms == "raised" else (152.0, -6.0)
    return np.array([side * reach * build.width, build.y("T1") + 10.0, build.z("T1") + lift])


def scapula_tip(build: Build, side: float) -> F64:
    """Inferior angle of the scapula."""
    z = build.z("T1") - 128.0 * build.width
    out = 128.0 if build.arms == "raised" else 100.0
    return np.array([side * out * build.chest, _back_y(build, out * build.chest, "T6"), z])


def _back_y(build: Build, x: float, level: str) -> float:
    """y just behind the ribs at a distance x from the midline."""
    a, cy, b = rib_ellipse(build, int(level[1:]) - 1)
    a, b = a + 12.0, b + 12.0
    return cy + b * float(np.sqrt(max(0.05, 1.0 - (x / a) ** 2)))


def shoulder_girdle(build: Build) -> F64:
    """Rows of both clavicles and scapulae."""
    return np.concatenate([_girdle(build, side) for side in (-1.0, 1.0)])


def _girdle(build: Build, side: float) -> F64:
    head, tip = shoulder(build, side), scapula_tip(build, side)
    manubrium = _sternum_ends(build)[0] + vec(side * 26.0, 2.0, 4.0)
    acromion = head + np.array([side * 14.0, 8.0, 34.0])
    bend = 0.5 * (manubrium + acromion)
    clavicle = chain(
        [manubrium, bend + vec(-side * 22.0, -8.0, 2.0), bend + vec(side * 26.0, 12.0, 6.0), acromion], 5.5
    )
    x = side * 74.0 * build.chest
    superior = np.array([x, _back_y(build, abs(x), "T2") + 4.0, build.z("T1") - 18.0])
    medial = np.array([x, _back_y(build, abs(x), "T3") + 4.0, build.z("T1") - 48.0])
    glenoid = head + np.array([-side * 29.0, 6.0, -4.0])
    coracoid = glenoid + np.array([side * 4.0, -32.0, 14.0])
    blade = [plate(superior, medial, glenoid, 1.6), plate(medial, glenoid, tip, 1.6)]
    rim = [
        *chain([glenoid, tip], [8.0, 5.0]),
        *chain([tip, medial, superior], [5.0, 3.5, 3.5]),
        *chain([medial, acromion], [4.0, 7.0]),
        capsule(glenoid - vec(0, 0, 12.0), glenoid + vec(0, 0, 12.0), 8.0),
        capsule(glenoid, coracoid, 6.0),
    ]
    return np.concatenate([bone(clavicle, 2.0), bone(blade, 1.2), bone(rim, 1.5)])
