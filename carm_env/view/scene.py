"""What video and player draw: the patient's silhouette, and source, detector and arm of each plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.episode.recorder import EpisodeRecord
from carm_env.geometry import Cameras, Rigid
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import DEPLOY

F64 = NDArray[np.float64]
VIEWS: dict[str, int] = {"top": 0, "side": 1}
"""Drawn with z to the right: from above (x downwards on the page) and from the patient's left (y downwards)."""
ARC_POINTS = 25


@dataclass(frozen=True)
class Silhouette:
    """Closed outlines of a patient on the table: ``top`` [K, 2] (z, x) and ``side`` [K, 2] (z, y), table frame, mm."""

    top: F64
    side: F64


def silhouette(
    z_mm: ArrayLike,
    left_mm: ArrayLike,
    right_mm: ArrayLike,
    anterior_mm: ArrayLike,
    posterior_mm: ArrayLike,
    motion: Rigid | None = None,
) -> Silhouette:
    """Outlines from the body's extents at K heights.

    Args:
        z_mm: heights, [K].
        left_mm, right_mm: x of the patient's left and right side, [K]; anterior_mm, posterior_mm: y, [K].
        motion: from the extents' frame to the table frame (a ``Rigid`` of length 1); ``None`` where they are the same.
    """
    z, left, right, front, back = (
        np.asarray(values, float) for values in (z_mm, left_mm, right_mm, anterior_mm, posterior_mm)
    )
    middle_x, middle_y = (left + right) / 2, (front + back) / 2

    def outline(x: F64, y: F64, axis: int) -> F64:
        points = np.stack([x, y, np.concatenate([z, z[::-1]])], axis=-1)
        moved = points if motion is None else motion.points(points[None])[0]
        return moved[:, [2, axis]]

    return Silhouette(
        outline(np.concatenate([left, right[::-1]]), np.concatenate([middle_y, middle_y[::-1]]), 0),
        outline(np.concatenate([middle_x, middle_x[::-1]]), np.concatenate([front, back[::-1]]), 1),
    )


def gantry_cameras(position: ArrayLike, preset: DevicePreset, plane: int) -> Cameras:
    """Source and full detector of a plane at poses [T, 8]; plane B is swung up by what it lacks of being deployed."""
    pose = np.atleast_2d(np.asarray(position, float))
    cameras = plane_cameras(preset, pose, np.full(len(pose), plane), np.arange(len(pose)), 1)
    if plane == 0:
        return cameras
    pivot = pose[:, :3] + np.array([0.0, 0.0, preset.pivot_mm])
    swing = _about_x(preset.deploy_deg - pose[:, DEPLOY])
    return cameras.moved(Rigid(swing, pivot - np.einsum("nij,nj->ni", swing, pivot)))


def _about_x(angle_deg: F64) -> F64:
    """Rotations that lift what lies towards the feet, [T, 3, 3]."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    rotation = np.zeros((len(c), 3, 3))
    rotation[:, 0, 0] = 1.0
    rotation[:, 1, 1], rotation[:, 1, 2] = c, s
    rotation[:, 2, 1], rotation[:, 2, 2] = -s, c
    return rotation


def corners(cameras: Cameras, half_mm: ArrayLike) -> F64:
    """Corners of squares of half side ``half_mm`` [T] in the detector plane, in order around it, [T, 4, 3]."""
    half = np.broadcast_to(np.asarray(half_mm, float), (len(cameras),))[:, None]
    u, v = cameras.u * half, cameras.v * half
    return cameras.centre_mm[:, None] + np.stack([-u - v, u - v, u + v, -u + v], axis=1)


def arm(cameras: Cameras, preset: DevicePreset, plane: int) -> F64:
    """The C as a half ellipse from detector to source, [T, ARC_POINTS, 3]."""
    spec = preset.planes[plane]
    axis = cameras.centre_mm - cameras.source_mm
    across = cameras.v if spec.arm == "head" else np.cross(axis / np.linalg.norm(axis, axis=1)[:, None], cameras.v)
    middle = (cameras.centre_mm + cameras.source_mm) / 2
    angle = np.linspace(0, np.pi, ARC_POINTS)[None, :, None]
    return middle[:, None] + axis[:, None] / 2 * np.cos(angle) - spec.arm_depth_mm * across[:, None] * np.sin(angle)


def estimated_targets(record: EpisodeRecord) -> F64:
    """Where the last valid estimate of each step puts the target, with its standard deviations, [T, 6].

    NaN before the first one. Table frame, mm. Where both planes looked, each axis takes the surer one.
    """
    track = np.full((len(record), 6), np.nan)
    for plane in "ab"[: record.planes]:
        fresh = record.steps[f"exposed_{plane}"] & record.steps[f"estimate_valid_{plane}"]
        mean = np.stack([record.steps[f"estimate_{axis}_mm_{plane}"] for axis in "xyz"], axis=1) + record.position[:, :3]
        sd = np.stack([record.steps[f"estimate_sd_{axis}_mm_{plane}"] for axis in "xyz"], axis=1)
        better = fresh[:, None] & ~(track[:, 3:] <= sd)
        track[:, :3] = np.where(better, mean, track[:, :3])
        track[:, 3:] = np.where(better, sd, track[:, 3:])
    last = np.maximum.accumulate(np.where(np.isnan(track[:, 0]), 0, np.arange(len(track))))
    return track[last]


def bounds(record: EpisodeRecord, body: Silhouette, preset: DevicePreset) -> dict[str, F64]:
    """Ranges to show in each of ``VIEWS``, [2, 2]: (z from, z to), (x or y from, to), table frame, mm."""
    cameras = gantry_cameras(record.position, preset, 0)
    shown = [cameras.source_mm, corners(cameras, preset.planes[0].detector_mm / 2).reshape(-1, 3)]
    if record.planes == 2:
        deployed = record.position.copy()
        deployed[:, DEPLOY] = preset.deploy_deg
        shown.append(gantry_cameras(deployed, preset, 1).source_mm)
    points = np.concatenate([*shown, record.position[:, :3]])
    return {view: _range(points[:, [2, axis]], getattr(body, view)) for view, axis in VIEWS.items()}


def _range(points: F64, outline: F64) -> F64:
    both = np.concatenate([points, outline])
    return np.stack([both.min(axis=0) - 70.0, both.max(axis=0) + 70.0], axis=1)
