"""The thoracic wall that ribs, lungs, scapulae and skin follow: the rib cage's outer surface, height by height.

Widths, depths and the outline's shape were read off chest CTs and scaled to a person of 1.70 m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy.build import Build

F64 = NDArray[np.float64]
THORAX_MM = 262.0
"""Height of T1's centre above T12's in a person of 1.70 m; the profiles below stretch with it."""
_WIDTH_Z = [-700, -380, -330, -290, -262, -235, -210, -183, -157, -131, -105, -79, -52, -26, -10, 0, 8, 14, 19, 24]
_WIDTH = [118, 120, 126, 133, 138.5, 141, 141, 138.5, 135, 131.5, 128, 124, 118, 108, 98, 87, 73, 58, 41, 18]
"""Half widths (mm) over z (mm from T1)."""
_FRONT_Z = [-700, -330, -290, -250, -210, -170, -130, -100, -80, -60, -40, -20, 0, 14, 24]
_FRONT = [94, 98, 104, 109, 111, 110, 105.5, 99, 93, 85.5, 75, 56, 32, 8, -14]
"""How far (mm) the bony front, above the manubrium the inlet's slope, lies before T1's centre."""
_BACK_Z = [-700, -262, -180, -100, -40, 0, 10, 24]
_BACK = [42, 45, 47, 47, 44, 36, 28, 12]
"""How far (mm) the section reaches behind the vertebral centres; the ribs' angles, off its middle, some 8 mm less."""


def breadth_scale(build: Build) -> float:
    """Scale of the widths: that of the frame, drawn in where it is extreme."""
    return 1.0 + 0.25 * float(np.tanh((build.chest - 1.0) / 0.25))


def depth_scale(build: Build) -> float:
    """Scale of the depth before the spine: frame, barrel chest of age, weight."""
    person = build.person
    barrel = 1.0 + 0.0014 * (person.age_years - 58.0) + 0.004 * (person.bmi - 27.0)
    return breadth_scale(build) * build.chest_depth * float(np.clip(barrel, 0.92, 1.12))


def stretch(build: Build) -> float:
    """Height of this thorax over that of the profiles."""
    return (build.z("T1") - build.z("T12")) / THORAX_MM


def front_y(build: Build, z: ArrayLike) -> F64:
    """y of the thorax' bony front in the midline at height z; above the manubrium the slope of the inlet."""
    at = (np.asarray(z, float) - build.z("T1")) / stretch(build)
    lean = 0.01 * max(0.0, 23.0 - build.person.bmi) * np.clip((-at - 180.0) / 80.0, 0.0, 1.0)
    return np.asarray(build.y("T1") - np.interp(at, _FRONT_Z, _FRONT) * depth_scale(build) * (1.0 - lean), float)


def section(build: Build, z: ArrayLike) -> tuple[F64, F64, F64, F64]:
    """Centre x, centre y, half width and half depth of the rib cage's outer surface at heights z."""
    z = np.asarray(z, float)
    at = (z - build.z("T1")) / stretch(build)
    levels = np.array(list(build.vertebrae.values()))[::-1]
    centre = np.interp(z, levels[:, 2], levels[:, 0])
    spine = np.interp(z, levels[:, 2], levels[:, 1])
    back = spine + np.interp(at, _BACK_Z, _BACK) * build.width
    half = np.interp(at, _WIDTH_Z, _WIDTH) * breadth_scale(build)
    front = np.minimum(front_y(build, z), back - 20.0)
    return centre, 0.5 * (back + front), half, 0.5 * (back - front)


def wall(build: Build, z: ArrayLike, angle: ArrayLike) -> F64:
    """Points [..., 3] of the rib cage's outer surface at heights z and angles, broadcast together.

    The outline is broad and blunt behind, with a dip over the spine, and flatter in front the lower it lies.

    Args:
        angle: radians of the ellipse that ``section`` gives; 0: patient's left, pi/2: back, -pi/2: front.
    """
    z, angle = np.broadcast_arrays(np.asarray(z, float), np.asarray(angle, float))
    cx, cy, a, b = section(build, z)
    at = (z - build.z("T1")) / stretch(build)
    c, s = np.cos(angle), np.sin(angle)
    front = np.interp(at, [-230.0, -150.0, -90.0, -40.0, 0.0], [2.6, 2.4, 2.2, 2.0, 1.9])
    back = np.interp(at, [-230.0, -60.0, 0.0], [2.4, 2.4, 2.15])
    power = front + (back - front) * np.clip(0.5 + 0.5 * s / 0.6, 0.0, 1.0)
    reach = (np.abs(c) ** power + np.abs(s) ** power) ** (-1.0 / power)
    x, y = a * c * reach, b * s * reach
    dip = np.interp(at, [-300.0, -240.0, -40.0, 0.0], [8.0, 16.0, 16.0, 6.0]) * build.width
    y = y - np.where(s > 0.0, dip * np.exp(-((x / (0.23 * a)) ** 2)), 0.0)
    return np.stack([cx + x, cy + y, z], axis=-1)


def surface_y(build: Build, x: ArrayLike, z: ArrayLike, behind: bool) -> F64:
    """y [K] of the rib cage's front or back surface at x [K] and z [K]; beyond its width that of its side."""
    x, z = np.broadcast_arrays(np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(z, float)))
    angle = np.linspace(np.pi - 0.02, 0.02, 64) * (1.0 if behind else -1.0)
    outline = wall(build, z[:, None], angle[None])
    return np.array([np.interp(a, line[:, 0], line[:, 1]) for a, line in zip(x, outline, strict=True)])
