"""Which views of a patient a data set holds: the paper's grid, landmarks with jitter, places along drives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import A1, A2, B1, B2, X, Y, Z
from carm_env.sim.actions import MIN_FIELD_MM
from carm_env.sim.episode_setup import EpisodeSetup

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

KINDS: tuple[str, ...] = ("grid", "landmark", "drive")
GRID, LANDMARK, DRIVE = range(3)
NORMAL = 2
JITTER_MM, MOST_JITTER_MM = 20.0, 200.0
"""Landmark views: the landmark lies this far from the isocentre at most, along each axis; and the most to ask for."""
NEAR_SHARE, NEAR_MM = 0.45, (70.0, 60.0, 70.0)
"""Share of the drive's views about the target, and how far (x, y, z) from it their isocentre lies at most."""
SPREAD_SD_MM = (30.0, 30.0)
"""Of the other drive views about the straight way from groin to target, x and y."""
BEYOND_MM = 80.0
"""The drive's views reach this far beyond groin and target."""
TILTED_SHARE, TILT_SD_DEG = 0.35, (12.0, 8.0)
"""Share of drive views that are off the working angles, and by how much."""
FULL_SHARE, LATERAL_SHARE = 0.4, 0.4
PRESET_SHARES = (0.2, 0.3, 0.3, 0.2)


@dataclass(frozen=True)
class Plan:
    """V views of one patient.

    Attributes:
        kind: index into ``KINDS``, [V]; label: the landmark that a landmark view was made for, else -1, [V].
        position: poses in the order of ``machine.state.AXES``, table frame, [V, 8].
        plane: 0 = A, 1 = B, [V]; field_mm: side at the isocentre, [V]; preset: dose preset, [V].
    """

    kind: I64
    label: I64
    position: F64
    plane: I64
    field_mm: F64
    preset: I64

    def __len__(self) -> int:
        return len(self.kind)

    def joined(self, other: Plan) -> Plan:
        """Both, one after the other."""
        return Plan(*(np.concatenate([a, b]) for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class ViewCounts:
    """How many views of each kind.

    Attributes:
        grid_mm: spacing of the frontal grid over the whole CT (30 in the seed paper), 0 for none.
        landmark_views: views of each landmark; drive_views: views along the drive.
        jitter_mm: how far the landmark of a landmark view lies from the isocentre at most, along each axis.

    Raises:
        CarmError: a number that is negative, a grid finer than 5 mm, a jitter above 200 mm, or no views at all.
    """

    grid_mm: float = 0.0
    landmark_views: int = 3
    drive_views: int = 180
    jitter_mm: float = JITTER_MM

    def __post_init__(self) -> None:
        if not (self.grid_mm == 0 or 5.0 <= self.grid_mm <= 500.0):
            raise CarmError(f"grid_mm={self.grid_mm} is out of range; want 0 (none) or 5 to 500 mm")
        for name in ("landmark_views", "drive_views"):
            if not 0 <= getattr(self, name) <= 10_000:
                raise CarmError(f"{name}={getattr(self, name)} is out of range; want 0 to 10000")
        if not 0.0 <= self.jitter_mm <= MOST_JITTER_MM:
            raise CarmError(f"jitter_mm={self.jitter_mm} is out of range; want 0 to {MOST_JITTER_MM:g} mm")
        if not (self.grid_mm or self.landmark_views or self.drive_views):
            raise CarmError("grid_mm, landmark_views and drive_views are all 0; want views of one kind at least")


def plan_views(setup: EpisodeSetup, device: DevicePreset, counts: ViewCounts, rng: np.random.Generator) -> Plan:
    """Views of a patient on the table; the same generator state gives the same views. Without a target, no drive."""
    parts = [
        _grid(setup, device, counts.grid_mm) if counts.grid_mm else None,
        _landmarks(setup, device, counts, rng),
        _drive(setup, device, counts.drive_views, rng) if np.isfinite(setup.target_mm).all() else None,
    ]
    plan = _empty()
    for part in parts:
        plan = plan if part is None else plan.joined(part)
    plan.position[:] = np.clip(plan.position, *device.limits.T)
    return plan


def _empty() -> Plan:
    none = np.zeros(0, np.int64)
    return Plan(none, none, np.zeros((0, 8)), none, np.zeros(0), none)


def _frontal(device: DevicePreset, isocentre_mm: F64, kind: int, label: I64) -> Plan:
    n = len(isocentre_mm)
    position = np.tile(device.home, (n, 1))
    position[:, :3] = isocentre_mm
    full = np.full(n, device.planes[0].full_field_mm)
    return Plan(np.full(n, kind), label, position, np.zeros(n, np.int64), full, np.full(n, NORMAL))


def _grid(setup: EpisodeSetup, device: DevicePreset, spacing_mm: float) -> Plan:
    """Frontal views every ``spacing_mm`` over the CT, at mid-depth."""
    volume = setup.patient.volume
    last = np.array(volume.hu.shape) - 1.0
    low, high = np.sort(volume.to_mm([np.zeros(3), last]), axis=0)
    xs, zs = (np.arange(low[i] + spacing_mm / 2, high[i], spacing_mm) for i in (X, Z))
    x, z = (a.ravel() for a in np.meshgrid(xs, zs))
    points = np.stack([x, np.full(len(x), (low[Y] + high[Y]) / 2), z], axis=1)
    return _frontal(device, setup.patient_to_table.points(points[None])[0], GRID, np.full(len(x), -1))


def _landmarks(setup: EpisodeSetup, device: DevicePreset, counts: ViewCounts, rng: np.random.Generator) -> Plan:
    known = np.flatnonzero(np.isfinite(setup.landmarks_mm).all(axis=1))
    label = np.repeat(known, counts.landmark_views)
    jitter = rng.uniform(-counts.jitter_mm, counts.jitter_mm, (len(label), 3))
    return _frontal(device, setup.landmarks_mm[label] + jitter, LANDMARK, label)


def _drive(setup: EpisodeSetup, device: DevicePreset, n: int, rng: np.random.Generator) -> Plan:
    near = rng.random(n) < NEAR_SHARE
    along = rng.random(n)
    line = np.stack([setup.start[:3], setup.target_mm])
    direction = (line[1] - line[0]) / max(float(np.linalg.norm(line[1] - line[0])), 1.0)
    ends = line + BEYOND_MM * np.stack([-direction, direction])
    on_the_way = ends[0] + along[:, None] * (ends[1] - ends[0])
    on_the_way[:, [X, Y]] += rng.normal(0.0, SPREAD_SD_MM, (n, 2))
    about = setup.target_mm + rng.uniform(-1.0, 1.0, (n, 3)) * NEAR_MM
    plane = ((rng.random(n) < LATERAL_SHARE) & device.has_plane_b).astype(np.int64)
    position = np.tile(device.home, (n, 1))
    position[:, :3] = np.where(near[:, None], about, on_the_way)
    tilt = rng.normal(0.0, TILT_SD_DEG, (n, 2)) * (rng.random((n, 1)) < TILTED_SHARE)
    position[:, [A1, A2]] += tilt * (plane == 0)[:, None]
    position[:, [B1, B2]] += tilt * (plane == 1)[:, None]
    full = np.array([p.full_field_mm for p in device.planes])[plane]
    small = MIN_FIELD_MM * (full / MIN_FIELD_MM) ** rng.random(n)
    field = np.where(rng.random(n) < FULL_SHARE, full, small)
    return Plan(np.full(n, DRIVE), np.full(n, -1), position, plane, field, rng.choice(4, n, p=PRESET_SHARES))
