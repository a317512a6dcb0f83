"""Housings and arms of the gantry as capsules, against table, patient and each other.

Plane A's C opens towards the feet, its arc runs round the patient's head end; real floor stands reach the groin by
turning the stand, for which a deep C stands in here. Plane B hangs from the ceiling: its arc passes over the patient
and over plane A. It parks by swinging up about a transverse axis at the head end: a C that holds a head between tube
and detector can only leave upwards or lengthwise, a swing about a vertical axis would take the detector or the tube
through the head. All outlines are estimates [E].
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.geometry import Capsules
from carm_env.machine.presets import DevicePreset, PlaneSpec
from carm_env.machine.state import PAIRS

F64 = NDArray[np.float64]

PARTS: tuple[str, ...] = ("detector", "tube", "arm")

DETECTOR_RADIUS_MM = 60.0
DETECTOR_COVER_MM = 15.0
ARM_RADIUS_MM = 60.0
ARM_PIECES = 8
ARM_SQUARENESS = 0.4
"""Exponent of the superellipse that an arm follows: 1 is an ellipse, 0 a rectangle [E]."""


def _row(a: ArrayLike, b: ArrayLike, radius_mm: float) -> F64:
    return np.concatenate([np.asarray(a, float), np.asarray(b, float), [radius_mm]])


def _detector(spec: PlaneSpec) -> F64:
    """Three parallel capsules; their front lies a cover's thickness before the detector plane."""
    depth = spec.sid_mm - spec.sod_mm + DETECTOR_RADIUS_MM - DETECTOR_COVER_MM
    u, v = (side / 2 - DETECTOR_RADIUS_MM for side in spec.housing_mm)
    return np.stack([_row((x, -v, depth), (x, v, depth), DETECTOR_RADIUS_MM) for x in (-u, 0.0, u)])


def _tube(spec: PlaneSpec) -> F64:
    """Tube housing across the beam and collimator along it."""
    radius, collimator = spec.tube_radius_mm, 0.85 * spec.tube_radius_mm
    across = _row((0, -0.6 * radius, -spec.sod_mm), (0, 0.6 * radius, -spec.sod_mm), radius)
    front = -spec.sod_mm + spec.collimator_mm - collimator
    return np.stack([across, _row((0, 0, -spec.sod_mm), (0, 0, front), collimator)])


def _arm(spec: PlaneSpec) -> F64:
    """From the back of the detector to the back of the tube: half an ellipse, squared up towards straight legs."""
    top, bottom = spec.sid_mm - spec.sod_mm + 2 * DETECTOR_RADIUS_MM, -(spec.sod_mm + spec.tube_radius_mm)
    angle = np.linspace(0.0, np.pi, ARM_PIECES + 1)
    sine, cosine = np.sin(angle).clip(0.0), np.cos(angle)
    outward = (spec.arm_depth_mm + ARM_RADIUS_MM) * sine**ARM_SQUARENESS
    points = np.zeros((ARM_PIECES + 1, 3))
    points[:, 1 if spec.arm == "head" else 0] = -outward
    points[:, 2] = (top + bottom) / 2 + (top - bottom) / 2 * np.sign(cosine) * np.abs(cosine) ** ARM_SQUARENESS
    return np.stack([_row(p, q, ARM_RADIUS_MM) for p, q in pairwise(points)])


def local_shapes(spec: PlaneSpec) -> dict[str, F64]:
    """Capsules of each of ``PARTS``, [K, 7] (ends and radius) along u, v and detector direction from the isocentre."""
    return {"detector": _detector(spec), "tube": _tube(spec), "arm": _arm(spec)}


class Gantry:
    """A preset's collision shapes, ready for the kernels of ``machine.sweep``."""

    def __init__(self, preset: DevicePreset) -> None:
        shapes = [np.concatenate(list(local_shapes(spec).values())) for spec in preset.planes]
        self.local_a = shapes[0]
        self.local_b = shapes[1] if preset.has_plane_b else np.empty((0, 7))
        self.slab = np.array([preset.table_low_mm, preset.table_high_mm])
        self.swing = np.array([preset.deploy_deg, preset.pivot_mm])
        reach_a, reach_b = _reach(self.local_a), _reach(self.local_b)
        self.reach = np.array([reach_a, reach_b, reach_b + preset.pivot_mm])

    def sweep(self, start: F64, end: F64, hulls: F64, first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sweeps N lanes from ``start`` to ``end`` [N, 8]; cuts ``end`` back to the last free pose, in place.

        Args:
            hulls, first: patients, as ``pack_hulls`` returns them.

        Returns:
            Index into ``PAIRS`` of what touched, -1 for none, [N].
        """
        from carm_env.machine.sweep import sweep_lanes

        pair = np.empty(len(start), np.int64)
        sweep_lanes(self.local_a, self.local_b, hulls, first, self.slab, self.swing, self.reach, start, end, pair)
        return pair

    def clearance_mm(self, position: ArrayLike, hulls: Sequence[Capsules | None]) -> F64:
        """Clearance of each of ``PAIRS``, [N, 5], at poses [N, 8]: negative in contact, inf where a part is absent."""
        from carm_env.machine.sweep import clearances

        poses = np.atleast_2d(np.asarray(position, float))
        packed, first = pack_hulls(hulls)
        work = np.empty((2, max(len(self.local_a), len(self.local_b)), 7))
        out = np.empty((len(poses), len(PAIRS)))
        for n, pose in enumerate(poses):
            hull = packed[first[n] : first[n + 1]]
            clearances(self.local_a, self.local_b, hull, self.slab, pose, self.swing, 1e9, work, out[n])
        return np.where(out < 1e8, out, np.inf)


def _reach(shapes: F64) -> float:
    """Greatest distance of any surface point from the isocentre; 0 without shapes."""
    if not len(shapes):
        return 0.0
    ends = np.maximum(np.linalg.norm(shapes[:, :3], axis=1), np.linalg.norm(shapes[:, 3:6], axis=1))
    return float((ends + shapes[:, 6]).max())


def pack_hulls(hulls: Sequence[Capsules | None]) -> tuple[F64, NDArray[np.int64]]:
    """All patients' capsules in one array [sum K, 7], and where each lane's begin, [N + 1]."""
    rows = [np.empty((0, 7))]
    first = np.zeros(len(hulls) + 1, np.int64)
    for n, hull in enumerate(hulls):
        if hull is not None:
            rows.append(np.column_stack([hull.a_mm, hull.b_mm, hull.radius_mm]))
        first[n + 1] = first[n] + (0 if hull is None else len(hull))
    return np.concatenate(rows), first


def gantry_shapes(preset: DevicePreset, position: ArrayLike) -> dict[str, Capsules]:
    """The gantry at one pose, for drawing: ``A_detector``, ``A_tube``, ``A_arm`` and the same of B.

    Args:
        preset: the machine.
        position: [8] in the order of ``AXES``.

    Returns:
        Capsules in the table frame; plane B swung by its deploy angle.
    """
    from carm_env.machine.sweep import place

    pose = np.asarray(position, float)
    shapes = {}
    for plane, spec in enumerate(preset.planes):
        swing = preset.deploy_deg - pose[7] if plane else 0.0
        for part, local in local_shapes(spec).items():
            out = np.empty_like(local)
            place(local, pose, plane, swing, preset.pivot_mm, out)
            shapes[f"{'AB'[plane]}_{part}"] = Capsules(out[:, :3], out[:, 3:6], out[:, 6])
    return shapes
