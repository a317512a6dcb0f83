"""Neural arches of C2 to C7 with their lateral masses, the odontoid process and the atlas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import Shape, blended, capsule, chain, ellipsoid, frame, loft, plate, spline, unit
from carm_env.patient.anatomy.spine_sizes import Vertebra

F64 = NDArray[np.float64]
_ROUND = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)


def cervical(v: Vertebra) -> list[Shape]:
    """C3 to C7: pedicles that splay, lateral masses with slanting facets, laminae, costal processes, a forked spine."""
    s = v.scale
    shapes = []
    for side in (-1.0, 1.0):
        mass_x, mass_y = side * (0.5 * v.canal_width + 5.6 * s), v.back + 0.42 * v.canal_depth
        shapes.append(
            capsule(v.at(side * 0.36 * v.width_low, v.back - 4.0 * s, v.pedicle_z), v.at(mass_x, mass_y, v.pedicle_z),
                    0.5 * v.pedicle_height)
        )  # fmt: skip
        shapes.append(_lateral_mass(v, mass_x, mass_y))
        shapes += _lamina(v, mass_x, mass_y)
        shapes += _costal(v, side, mass_y)
        lip = [
            [side * 0.44 * v.width_up, -0.22 * v.depth, v.up - 1.2 * s],
            [side * 0.47 * v.width_up, 0.34 * v.depth, v.up + 1.4 * s],
        ]
        shapes += chain(v.all(lip), np.array([1.8, 2.4]) * s)
    return blended([*shapes, *_spinous(v)], 1.5)


def _lateral_mass(v: Vertebra, x: float, y: float) -> Shape:
    """A sheared drum whose ends, the facets, face up and backwards, down and forwards."""
    slant = np.radians(38.0 if v.index < 4 else 46.0)
    along = v.aim(0.0, np.sin(slant), np.cos(slant))
    turn = frame(along, v.turn[:, 0])
    length = 0.5 * (v.gap_up + v.gap_low) * np.cos(slant) - 1.6 * v.scale
    shift = 0.5 * length * np.tan(slant)
    radii = 1.0 / np.sqrt((np.cos(_ROUND) / (6.0 * v.scale)) ** 2 + (np.sin(_ROUND) / (7.6 * v.scale)) ** 2)
    centre = v.at(x, y + 1.8 * v.scale, 0.0)
    return loft(centre, turn, -0.5 * length, 0.5 * length, [[0.0, shift], [0.0, -shift]], [radii, radii])


def _lamina(v: Vertebra, x: float, y: float) -> list[Shape]:
    s, yc = v.scale, v.back + v.canal_depth
    up, low = v.at(x * 0.92, y + 5.0 * s, 0.15 * v.height), v.at(x * 0.9, y + 7.0 * s, -0.42 * v.height)
    ridge_up, ridge_low = v.at(0.0, yc + 2.0 * s, -0.08 * v.height), v.at(0.0, yc + 3.2 * s, -0.6 * v.height)
    thick = 1.9 * s
    return [plate(up, low, ridge_up, thick), plate(low, ridge_up, ridge_low, thick)]


def _costal(v: Vertebra, side: float, mass_y: float) -> list[Shape]:
    """Front and rear bar round the vertebral artery."""
    s = v.scale
    z = -0.05 * v.height
    edge = side * 0.5 * v.canal_width
    front = [[edge * 0.85, 0.05 * v.depth, z], [side * 0.79 * v.transverse, 0.18 * v.depth, z - 1.0]]
    tip_y = mass_y - (5.0 if v.index < 5 else -1.0) * s
    rear = [[edge + side * 5.0 * s, mass_y - 1.0, z], [side * v.transverse, tip_y, z - 2.0]]
    shapes = chain(v.all(rear), np.array([2.9, 2.8 if v.index < 5 else 4.2]) * s)
    if v.index < 5:
        shapes += chain(v.all(front), np.array([2.0, 2.0]) * s)
    return shapes


def _spinous(v: Vertebra) -> list[Shape]:
    """Forked down to C6, long and single at C7."""
    s, yc = v.scale, v.back + v.canal_depth
    root, tip = v.at(0.0, yc + 1.5 * s, -0.35 * v.height), v.at(0.0, yc + v.spinous, -v.spinous_drop)
    shapes = chain([root, tip], np.array([4.6, 3.6 if v.index < 5 else 4.6]) * s, v.turn[:, 0], [1.5, 1.3])
    if v.index < 5:
        for side in (-1.0, 1.0):
            shapes.append(capsule(tip, tip + v.aim(side * 4.0, 2.5, -1.5) * s, 2.8 * s, 2.4 * s))
    return shapes


def axis(build: Build, v: Vertebra) -> list[Shape]:
    """C2's odontoid process, shoulders, laminae and its big forked spine."""
    s, foot = v.scale, v.at(0.0, 0.0, 1.0)
    up = unit(build.dens - foot)
    r = 5.0 * s
    neck = foot + up * (0.45 * np.linalg.norm(build.dens - foot))
    shapes = [capsule(foot, neck, 6.8 * s, 0.95 * r), capsule(neck, build.dens - up * r, 0.9 * r, 1.02 * r)]
    for side in (-1.0, 1.0):
        shapes.append(ellipsoid(_shoulder(build, v, side), [8.2 * s, 8.4 * s, 4.6 * s], v.turn @ _roof(side)))
        mass_x, mass_y = side * (0.5 * v.canal_width + 5.0 * s), v.back + 0.45 * v.canal_depth
        shapes.append(capsule(_shoulder(build, v, side), v.at(mass_x, mass_y, -1.0), 5.0 * s))
        lower = v.at(mass_x, mass_y + 3.0 * s, -0.42 * v.gap_low + 2.5 * s)
        shapes.append(capsule(v.at(mass_x, mass_y, -1.0), lower, 5.2 * s, 5.0 * s))
        shapes += _lamina(v, mass_x, mass_y)
        root, tip = v.at(mass_x, mass_y - 6.0, -2.0), v.at(side * v.transverse, mass_y - 4.0, -4.0)
        shapes.append(capsule(root, tip, 3.2 * s, 2.6 * s))
    return blended([*shapes, *_big_spinous(v)], 1.8)


def _big_spinous(v: Vertebra) -> list[Shape]:
    s, yc = v.scale, v.back + v.canal_depth
    root, tip = v.at(0.0, yc + 1.5 * s, -0.25 * v.height), v.at(0.0, yc + v.spinous, -v.spinous_drop)
    shapes = [capsule(root, tip, 6.5 * s, 5.5 * s, v.turn[:, 0], 1.5)]
    for side in (-1.0, 1.0):
        shapes.append(capsule(tip, tip + v.aim(side * 5.0, 3.5, -4.0) * s, 3.8 * s, 3.2 * s))
    return shapes


def _roof(side: float) -> F64:
    """The axis' shoulders slope outwards and down."""
    a = np.radians(22.0) * side
    return np.array([[np.cos(a), 0.0, np.sin(a)], [0.0, 1.0, 0.0], [-np.sin(a), 0.0, np.cos(a)]])


def _shoulder(build: Build, v: Vertebra, side: float) -> F64:
    """Under the axis' upper facet."""
    top = float((build.dens - v.centre) @ v.turn[:, 2])
    return v.at(side * 15.5 * v.scale, -0.5, top - 19.0 * v.scale)


def atlas(build: Build, v: Vertebra) -> list[Shape]:
    """C1: lateral masses between the skull's condyles and C2, thin arches, wide transverse processes."""
    s = v.scale
    condyles = {side: build.head([side * 18.0, 10.0, -66.0]) for side in (-1.0, 1.0)}
    ends = {side: _shoulder(build, v, side) + v.aim(side * 1.0, 0.0, 3.6 * s) for side in (-1.0, 1.0)}
    tops = {side: condyles[side] - build.head_turn[:, 2] * 4.5 * s for side in (-1.0, 1.0)}
    mass = {side: 0.5 * (ends[side] + tops[side]) for side in (-1.0, 1.0)}
    left = unit(mass[1.0] - mass[-1.0])
    up = unit(0.5 * (v.turn[:, 2] + build.head_turn[:, 2]))
    turn = frame(up, left)
    middle = 0.5 * (mass[1.0] + mass[-1.0])
    dens = (build.dens - v.aim(0.0, 0.0, 7.0) - middle) @ turn

    def at(x: float, y: float, z: float) -> F64:
        return np.asarray(middle + turn @ np.array([x, y, z]))

    front = float(dens[1]) - 8.6 * s
    tubercle = at(0.5 * dens[0], front - 1.0, float(np.clip(dens[2], -3.0, 3.0)))
    rear = at(0.0, front + 41.0 * s, -3.0)
    shapes = []
    for side in (-1.0, 1.0):
        tall = 0.5 * max(float(np.linalg.norm(tops[side] - ends[side])), 9.0 * s)
        shapes.append(ellipsoid(mass[side], [6.8 * s, 8.6 * s, tall * 1.05], turn))
        arch = [mass[side] - turn[:, 1] * 4.0 * s, at(side * 9.0 * s, front + 0.8, 0.0), tubercle]
        shapes += chain(arch, np.array([4.5, 4.4, 5.0]) * s, turn[:, 1], 1.5)
        path = [mass[side] + turn[:, 1] * 7.0 * s, at(side * 17.0 * s, front + 26.0 * s, 0.0),
                at(side * 9.5 * s, front + 37.0 * s, -2.0), rear]  # fmt: skip
        shapes += chain(spline(path, 5), np.array([3.6, 2.8, 3.0, 3.6, 4.2]) * s)
        tip = mass[side] + turn @ np.array([side * 19.0, 3.0, -1.0]) * s
        shapes += chain([mass[side] - turn[:, 1] * 3.0, tip], np.array([3.0, 3.2]) * s)
        shapes += chain([mass[side] + turn[:, 1] * 6.0 * s, tip], np.array([3.2, 3.4]) * s)
    shapes = blended(shapes, 1.5)
    shapes += [ellipsoid(c, [7.2 * s, 11.5 * s, 5.0 * s], build.head_turn).cut(0.6) for c in condyles.values()]
    shapes.append(capsule(build.dens - v.aim(0.0, 0.0, 16.0), build.dens, 6.4 * s).cut(0.5))
    return shapes
