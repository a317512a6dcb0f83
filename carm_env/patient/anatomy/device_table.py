"""What the patient lies on, as far as the CT shows it: a carbon fibre shell with a foam core, mattress, headrest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.device_sites import FOAM_HU, Site
from carm_env.patient.anatomy.part import Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, plate

F64 = NDArray[np.float64]
_AIR = ("background",)
_LOW, _HIGH = -1200.0, 900.0
"""z of the table's ends, beyond any grid."""
_STRIPS = 9


def table(site: Site, rng: np.random.Generator) -> list[Part]:
    """A table top: flat or hollow, narrow or wide; cut where the CT ends."""
    u = rng.random(6)
    hollow, half = site.size(0.0, 30.0) * (u[0] < 0.7), site.spot(205.0, 262.0)
    shell, mattress, core = 0.6 + 0.5 * u[1], 3.0 + 9.0 * u[2], 20.0 + 14.0 * u[4]
    build = site.build
    thorax = site.skin.back(build.z("T9"), build.z("T2"))
    seat = max(thorax, site.skin.back(build.hip[2], build.hip[2] + 60.0)) + 1.0
    top = seat + mattress
    carbon = -150.0 + 330.0 * u[3]
    return [
        _part(_board(0.96 * half, seat + 0.5 * mattress - 6.0, hollow, 0.5 * mattress + 6.0), FOAM_HU),
        _part(_board(half - 2.0, top + 0.5 * core, hollow, 0.5 * core), FOAM_HU - 10.0),
        _part(_board(half, top, hollow, shell) + _board(half, top + core, hollow, shell), carbon),
    ]


def _part(shapes: list[Shape], hu: float) -> Part:
    return tissue("table", shapes, hu, over=_AIR, rigid=True)


def _board(half: float, y: float, hollow: float, thick: float) -> list[Shape]:
    """A board of half thickness ``thick`` through the whole z range; its sides rise by ``hollow`` mm.

    Flat rods side by side, each half as wide again as their distance on either side: their union is even to 6 %.
    """
    pitch = 2.0 * half / (_STRIPS + 1)
    shapes = []
    for x in pitch * (np.arange(_STRIPS) - 0.5 * (_STRIPS - 1)):
        level, slope = y - hollow * (x / half) ** 2, -2.0 * hollow * x / half**2
        normal = [-slope, 1.0, 0.0]
        wide = 1.5 * pitch
        shapes.append(capsule([x, level, _LOW], [x, level, _HIGH], wide, None, normal, wide / thick))
    return shapes


def headrest(site: Site, rng: np.random.Generator) -> list[Part]:
    """A cradle behind the head: a thin shell lined with foam."""
    u = rng.random(4)
    build = site.build
    centre = build.head((0.0, 5.0, -5.0))
    wide, deep = build.head_scale * (np.array([89.0, 93.0]) + site.size(0.0, 12.0))
    arc = np.radians(62.0 + 14.0 * u[0])
    turn = np.linspace(0.5 * np.pi - arc, 0.5 * np.pi + arc, 11)
    z = centre[2] + np.array([-70.0 - 20.0 * u[1], 62.0 + 20.0 * u[2]])
    foam, shell = (_cradle(centre, [wide + d, deep + d], turn, z, thick) for d, thick in ((-4.5, 4.0), (0.5, 0.9)))
    return [_part(foam, FOAM_HU + 20.0), _part(shell, -250.0 + 400.0 * u[3])]


def _cradle(centre: F64, semi: list[float], turn: F64, z: F64, thick: float) -> list[Shape]:
    """A curved sheet about the head's axis."""
    rim = centre[:2] + np.stack([semi[0] * np.cos(turn), semi[1] * np.sin(turn)], axis=1)
    shapes: list[Shape] = []
    for a, b in pairwise(rim):
        shapes.append(plate([*a, z[0]], [*b, z[0]], [*b, z[1]], thick))
        shapes.append(plate([*a, z[0]], [*b, z[1]], [*a, z[1]], thick))
    return shapes
