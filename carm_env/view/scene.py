"""What video and player draw: the patient's silhouette, and source, detector and arm of each plane."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.episode.recorder import EpisodeRecord
from carm_env.geometry import Cameras, Rigid
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import DEPLOY
from carm_env.patient.body import outline
from carm_env.patient.model import Volume

F64 = NDArray[np.float64]
VIEWS: dict[str, int] = {"top": 0, "side": 1}
"""Drawn with z to the right: from above (x downwards on the page) and from the patient's left (y downwards)."""
ARC_POINTS = 25
BACKDROP_MM = 4.0


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A picture of the body in one view: ``image`` uint8 [H, W] (0 outside the body).

    ``placement`` [2, 3] takes (column, row, 1) of a pixel's corner to (z, x or y) in the table frame, mm.
    """

    image: NDArray[np.uint8]
    placement: F64


@dataclass(frozen=True, eq=False)
class Body:
    """A patient on the table, as drawn.

    Attributes:
        top, side: closed outlines, [K, 2] (z, x) and [K, 2] (z, y), table frame, mm.
        backdrops: a picture of the body for each of ``VIEWS``, or nothing.
    """

    top: F64
    side: F64
    backdrops: dict[str, Backdrop] = field(default_factory=dict)


def body_on_table(volume: Volume, motion: Rigid) -> Body:
    """A patient's outline and pictures.

    Args:
        volume: the CT; motion: from its LPS frame to the table frame (a ``Rigid`` of length 1).
    """
    lines = silhouette(**outline(volume), motion=motion)
    return Body(lines.top, lines.side, {view: backdrop(volume, axis, motion) for view, axis in VIEWS.items()})


def silhouette(
    z_mm: ArrayLike,
    left: ArrayLike,
    right: ArrayLike,
    anterior: ArrayLike,
    posterior: ArrayLike,
    motion: Rigid | None = None,
) -> Body:
    """Outlines from the body's extents at K heights.

    Args:
        z_mm: heights, [K].
        left, right: x of the patient's left and right side, [K]; anterior, posterior: y, [K]; mm.
        motion: from the extents' frame to the table frame (a ``Rigid`` of length 1); ``None`` where they are the same.
    """
    z, xl, xr, front, back = (np.asarray(values, float) for values in (z_mm, left, right, anterior, posterior))
    middle_x, middle_y = (xl + xr) / 2, (front + back) / 2

    def closed(x: F64, y: F64, axis: int) -> F64:
        points = np.stack([x, y, np.concatenate([z, z[::-1]])], axis=-1)
        moved = points if motion is None else motion.points(points[None])[0]
        return moved[:, [2, axis]]

    return Body(
        closed(np.concatenate([xl, xr[::-1]]), np.concatenate([middle_y, middle_y[::-1]]), 0),
        closed(np.concatenate([middle_x, middle_x[::-1]]), np.concatenate([front, back[::-1]]), 1),
    )


def backdrop(volume: Volume, axis: int, motion: Rigid) -> Backdrop:
    """Mean density of the body along the line of sight, on a grid of about ``BACKDROP_MM``.

    Args:
        axis: what runs down the picture, 0 (x, seen from above) or 1 (y, seen from the side); z runs to the right.
        motion: from the CT's LPS frame to the table frame (length 1); a yaw shows in the view from above only.
    """
    stride = np.maximum(1, np.rint(BACKDROP_MM / volume.spacing_mm)).astype(int)
    hu = volume.hu[:: stride[0], :: stride[1], :: stride[2]]
    density = np.clip(hu.astype(np.float32) + 600, 0, 1500) + np.clip(hu.astype(np.float32) - 150, 0, 1200) * 4
    flat = density.mean(axis=1 - axis)
    bright = np.clip(flat / max(float(np.percentile(flat, 99.5)), 1.0), 0, 1)
    return Backdrop((255 * bright**0.7).astype(np.uint8), _placement(volume, axis, stride, motion))


def _placement(volume: Volume, axis: int, stride: NDArray[np.int_], motion: Rigid) -> F64:
    """Pixel corners (column, row, 1) to (z, x or y)."""
    middle = (np.array(volume.hu.shape) - 1) / 2
    index = np.tile(middle, (3, 1))
    index[:, [axis, 2]] = -0.5
    index[1, 2] += stride[2]
    index[2, axis] += stride[axis]
    origin, column, row = motion.points(volume.to_mm(index)[None])[0][:, [2, axis]]
    return np.stack([column - origin, row - origin, origin], axis=1)


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
        offset = np.stack([record.steps[f"estimate_{axis}_mm_{plane}"] for axis in "xyz"], axis=1)
        sd = np.stack([record.steps[f"estimate_sd_{axis}_mm_{plane}"] for axis in "xyz"], axis=1)
        better = fresh[:, None] & ~(track[:, 3:] <= sd)
        track[:, :3] = np.where(better, record.position[:, :3] + offset, track[:, :3])
        track[:, 3:] = np.where(better, sd, track[:, 3:])
    last = np.maximum.accumulate(np.where(np.isnan(track[:, 0]), 0, np.arange(len(track))))
    return track[last]


def believed_error(record: EpisodeRecord, estimates: F64) -> F64:
    """Distance of the isocentre from where the target is believed to be, mm, [T]; NaN before the first estimate.

    Along the axes over which ``error_mm`` is judged: x and z on one plane, else all three.

    Args:
        estimates: as ``estimated_targets`` returns them.
    """
    axes = [0, 2] if record.planes == 1 else [0, 1, 2]
    return np.asarray(np.linalg.norm((estimates[:, :3] - record.position[:, :3])[:, axes], axis=1))


def image_left(u: NDArray[np.float64]) -> str:
    """What lies on the left of an image whose columns run along ``u`` [3]."""
    axis = int(np.argmax(np.abs(u)))
    return ("R" if u[0] > 0 else "L", "front" if u[1] > 0 else "back", "feet" if u[2] > 0 else "head")[axis]


def bounds(record: EpisodeRecord, body: Body, preset: DevicePreset) -> dict[str, F64]:
    """Ranges to show in each of ``VIEWS``, [2, 2]: (z from, z to), (x or y from, to), table frame, mm.

    Both share their z; plane A's whole path is inside, plane B's where it is deployed.
    """
    cameras = gantry_cameras(record.position, preset, 0)
    shown = [cameras.source_mm, corners(cameras, preset.planes[0].detector_mm / 2).reshape(-1, 3)]
    if record.planes == 2:
        deployed = record.position[-1:].copy()
        deployed[:, DEPLOY] = preset.deploy_deg
        lateral = gantry_cameras(deployed, preset, 1)
        shown += [lateral.source_mm, lateral.centre_mm]
    points = np.concatenate(shown)
    outlines = [points[:, 2], body.top[:, 0], body.side[:, 0]]
    along = _range(np.concatenate(outlines))
    return {v: np.stack([along, _range(np.append(points[:, i], getattr(body, v)[:, 1]))]) for v, i in VIEWS.items()}


def _range(values: F64) -> F64:
    return np.array([values.min() - 60.0, values.max() + 60.0])
