"""Cameras of a machine's planes at given poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from carm_env.errors import CarmError
from carm_env.geometry import Cameras, cone_beam
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import A1, B1


def plane_cameras(preset: DevicePreset, position: ArrayLike, plane: ArrayLike, lane: ArrayLike, pixels: int) -> Cameras:
    """Cameras in the table frame, over the full detector format.

    Plane B is taken as deployed; whether it may expose is for the caller to decide.

    Args:
        preset: the machine.
        position: poses of N lanes, [N, 8] in the order of ``AXES``.
        plane: plane of each camera, 0 = A, 1 = B, int [M].
        lane: lane of each camera, int [M].
        pixels: image columns and rows.

    Returns:
        M cameras with pitch detector / pixels.

    Raises:
        CarmError: a plane that the machine does not have, or no pixels.
    """
    plane, lane = np.atleast_1d(np.asarray(plane, int)), np.atleast_1d(np.asarray(lane, int))
    if plane.size and (plane.min() < 0 or plane.max() >= len(preset.planes)):
        raise CarmError(f"plane {plane.tolist()}: {preset.name} has planes 0 to {len(preset.planes) - 1}")
    if pixels < 1:
        raise CarmError(f"image of {pixels} pixels: want at least 1")
    pose = np.atleast_2d(np.asarray(position, float))[lane]
    primary = A1 + (B1 - A1) * plane
    row = np.arange(len(plane))
    sod, sid, pitch, flip = (
        np.array(values)[plane]
        for values in zip(*((p.sod_mm, p.sid_mm, p.pitch_mm(pixels), p.flip) for p in preset.planes), strict=True)
    )
    return cone_beam(pose[:, :3], pose[row, primary], pose[row, primary + 1], sod, sid, pitch, flip)
