"""Which kept frames stand for a camera, and how their pixels map to its own.

Line integrals from one focal spot are the same on any detector up to a homography, so frames need to be kept for focal
spots only. Between focal spots of a grid they are interpolated as in a light field whose focal plane lies in the body
(Levoy, Hanrahan 1996; Gortler et al. 1996): rays that meet in a point of that plane belong together, and what lies off
the plane by a part p of its distance from the focal spot is blurred, not shifted, by up to p times half the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Cameras, cone_beam

F64 = NDArray[np.float64]

ACROSS_MM, ALONG_MM = 5.0, 8.0
"""Distance of focal spots across and along the beam; between them linear, along the beam the nearest."""
TURN_DEG = 10.0
"""Detectors stand square to the nearest multiple of this."""
REACH_STEP, FINE_STEP = 1.25, 2.0**0.5
"""Half sides of kept frames and their pixels come in steps of these factors."""
FINER = 0.6
"""Largest pixel of a kept frame over a camera's own."""
SID_STEP_MM = 50.0
NEAREST_MM = (300.0, 150.0)
"""Least distance of focal spot and of detector from the middle of the body."""
WIDEST = 1.0
"""Largest half side of a kept frame over its distance."""

_GRID_MM = np.array([ACROSS_MM, ACROSS_MM, ALONG_MM])


@dataclass(frozen=True)
class Node:
    """One kept frame.

    Attributes:
        turn: detector's primary and secondary angle, steps of ``TURN_DEG``.
        place: focal spot from the middle of the body along columns, rows and beam, steps of the grid.
        reach, fine: half side and pixel pitch as powers; sid: steps of ``SID_STEP_MM``.
    """

    turn: tuple[int, int]
    place: tuple[int, int, int]
    reach: int
    fine: int
    sid: int

    @property
    def pitch(self) -> float:
        """Pixel pitch over SID."""
        return float(FINE_STEP**self.fine)

    @property
    def side(self) -> int:
        """Pixels."""
        return 2 * math.ceil(REACH_STEP**self.reach / self.pitch) + 3

    def camera(self, middle_mm: F64) -> Cameras:
        """Its camera, for a body around ``middle_mm`` [3]."""
        axes = _axes(self.turn)
        source, sid = middle_mm + (_GRID_MM * self.place) @ axes, self.sid * SID_STEP_MM
        return Cameras(source[None], (source + sid * axes[2])[None], axes[:1], axes[1:2], np.array([self.pitch * sid]))


@dataclass(frozen=True)
class Part:
    """What a kept frame gives to an image: ``homography`` [3, 3] takes (column, row, 1) of the image to the frame's."""

    node: Node
    weight: float
    homography: F64


@lru_cache(maxsize=1024)
def _axes(turn: tuple[int, int]) -> F64:
    """Unit vectors along columns, rows and beam, [3, 3]."""
    camera = cone_beam(np.zeros((1, 3)), TURN_DEG * turn[0], TURN_DEG * turn[1], 0.0, 1.0, 1.0)
    return np.concatenate([camera.u, camera.v, camera.centre_mm - camera.source_mm])


def parts_of(camera: Cameras, middle_mm: F64, size: tuple[int, int]) -> list[Part]:
    """The kept frames that make up one camera's image, weights adding up to 1; none where the focal spot or the
    detector is too near to the middle of the body, or the field too wide, for this to be any good."""
    source, u, v = camera.source_mm[0], camera.u[0], camera.v[0]
    sid, turn = _looks(camera)
    axes = _axes(turn)
    corner = camera.centre_mm[0] - source - camera.pitch_mm[0] * ((size[1] - 1) / 2 * u + (size[0] - 1) / 2 * v)
    to_ray = np.stack([camera.pitch_mm[0] * u, camera.pitch_mm[0] * v, corner], axis=1)
    spot = axes @ (source - middle_mm)
    distance = -spot[2]
    if distance < NEAREST_MM[0] or sid - distance < NEAREST_MM[1]:
        return []
    ends = np.array([[c, r, 1.0] for c in (-0.5, size[1] - 0.5) for r in (-0.5, size[0] - 0.5)]).T
    reach, to_frames = 0.0, []
    weights = _weights(spot)
    for place in weights:
        moved = source - middle_mm - (_GRID_MM * place) @ axes
        to_frame = axes @ (np.outer(moved, axes[2]) + distance * np.eye(3)) @ to_ray
        x, y, depth = to_frame @ ends
        if depth.min() <= 0:
            return []
        reach = max(reach, float(np.abs(x / depth).max()), float(np.abs(y / depth).max()))
        to_frames.append(to_frame)
    if reach > WIDEST:
        return []
    powers = math.ceil(math.log(reach, REACH_STEP)), math.floor(math.log(FINER * camera.pitch_mm[0] / sid, FINE_STEP))
    parts = []
    for (place, weight), to_frame in zip(weights.items(), to_frames, strict=True):
        node = Node(turn, place, *powers, round(sid / SID_STEP_MM))
        centre = (node.side - 1) / 2
        to_pixel = np.array([[1 / node.pitch, 0, centre], [0, 1 / node.pitch, centre], [0, 0, 1]])
        parts.append(Part(node, weight, to_pixel @ to_frame))
    return parts


def _looks(camera: Cameras) -> tuple[float, tuple[int, int]]:
    """SID in mm, and the nearest direction that kept frames have."""
    beam = np.cross(camera.u[0], camera.v[0])
    sid = float(beam @ (camera.centre_mm[0] - camera.source_mm[0]))
    x, y, z = beam * math.copysign(1.0, sid)
    primary, secondary = math.degrees(math.atan2(x, -y)), math.degrees(math.asin(min(max(z, -1.0), 1.0)))
    return abs(sid), (round(primary / TURN_DEG) % round(360 / TURN_DEG), round(secondary / TURN_DEG))


def _weights(spot: F64) -> dict[tuple[int, int, int], float]:
    """The places around a focal spot (mm along columns, rows and beam) and what each counts for."""
    low, level = np.floor(spot[:2] / ACROSS_MM).astype(int), round(spot[2] / ALONG_MM)
    one, two = spot[:2] / ACROSS_MM - low
    four = {
        (int(low[0]) + i, int(low[1]) + j, level): float(abs(1 - i - one) * abs(1 - j - two))
        for i in (0, 1)
        for j in (0, 1)
    }
    return {place: weight for place, weight in four.items() if weight > 1e-9}
