"""The C-arms as solids: each plane's parts in its own axes, and where a pose puts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.machine.collision import DETECTOR_COVER_MM, DETECTOR_RADIUS_MM, local_shapes
from carm_env.machine.presets import DevicePreset, PlaneSpec
from carm_env.view.scene import gantry_cameras
from carm_env.view.solid.offscreen import off_screen

F64 = NDArray[np.float64]

_CUTS = 3
_ROUND = 48
_EDGE_MM = 28.0
_TO_RIGHT_HANDED = np.array([1.0, -1.0, 1.0])
"""Image columns, rows and detector direction are left-handed; solids have columns, rows upwards and that direction."""


@dataclass(frozen=True, eq=False)
class PlaneParts:
    """One plane's meshes (``pyvista.PolyData``), mm from its isocentre along columns, rows upwards and the detector.

    Attributes:
        housing: of the detector; panel: its sensitive square; tube: X-ray tube and collimator; arm: the C.
        beam: from the focal spot to a field of half side 1 at the detector, to be scaled.
    """

    housing: Any
    panel: Any
    tube: Any
    arm: Any
    beam: Any


def plane_parts(spec: PlaneSpec) -> PlaneParts:
    """The parts of one plane, their outlines those that collide (``machine.collision``)."""
    shapes = local_shapes(spec)
    return PlaneParts(_housing(spec), _panel(spec), _tube(spec, shapes["tube"]), _arm(shapes["arm"]), _beam(spec))


def plane_matrix(position: ArrayLike, preset: DevicePreset, plane: int) -> F64:
    """From a plane's axes to the table frame at a pose [8], [4, 4]; plane B with its swing."""
    cameras, spec = gantry_cameras(position, preset, plane), preset.planes[plane]
    towards = (cameras.centre_mm - cameras.source_mm)[0] / spec.sid_mm
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = np.cross(-cameras.v[0], towards), -cameras.v[0], towards
    matrix[:3, 3] = cameras.source_mm[0] + spec.sod_mm * towards
    return matrix


def beam_matrix(plane_to_table: F64, field_mm: float, spec: PlaneSpec) -> F64:
    """``plane_matrix`` with the unit beam widened to a field of ``field_mm`` at the isocentre, [4, 4]."""
    half = max(field_mm, 1e-3) * spec.sid_mm / spec.sod_mm / 2
    return plane_to_table @ np.diag([half, half, 1.0, 1.0])


def _housing(spec: PlaneSpec) -> Any:
    """A flat box with chamfered edges around the detector."""
    front = spec.sid_mm - spec.sod_mm - DETECTOR_COVER_MM
    half = np.array(spec.housing_mm) / 2
    inset, depth = _EDGE_MM, 2 * DETECTOR_RADIUS_MM
    levels = ((front, 10.0), (front + 10.0, 0.0), (front + depth - inset, 0.0), (front + depth, inset))
    return _loft([(_rounded(half - less, 40.0), z) for z, less in levels])


def _rounded(half: F64, radius: float) -> F64:
    """A rectangle with round corners, [K, 2], anticlockwise."""
    angle = np.linspace(0, np.pi / 2, 8)
    corner = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    inner = half - radius
    turned = [(corner @ np.linalg.matrix_power([[0.0, 1.0], [-1.0, 0.0]], k)) for k in range(4)]
    signs = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    return np.concatenate([part + inner * sign for part, sign in zip(turned, signs, strict=True)])


def _loft(rings: list[tuple[F64, float]]) -> Any:
    """A closed solid through rings of as many points each, [K, 2] at heights z."""
    pv = off_screen()
    count = len(rings[0][0])
    points = np.concatenate([np.column_stack([ring, np.full(count, z)]) for ring, z in rings])
    here, after = np.arange(count), np.roll(np.arange(count), -1)
    sides = [np.stack([np.full(count, 4), k + here, k + after, k + after + count, k + here + count], axis=1)
             for k in range(0, count * (len(rings) - 1), count)]  # fmt: skip
    ends = [np.concatenate([[count], here[::-1]]), np.concatenate([[count], here + count * (len(rings) - 1)])]
    mesh = pv.PolyData(points, np.concatenate([*(s.ravel() for s in sides), *ends]))
    return mesh.triangulate().compute_normals(cell_normals=False, split_vertices=True, feature_angle=35.0)


def _panel(spec: PlaneSpec) -> Any:
    """The sensitive square, a little before the housing so that both can be told apart."""
    height = spec.sid_mm - spec.sod_mm - DETECTOR_COVER_MM - 3.0
    return off_screen().Plane(
        center=(0, 0, height), direction=(0, 0, 1), i_size=spec.detector_mm, j_size=spec.detector_mm
    )


def _tube(spec: PlaneSpec, capsules: F64) -> Any:
    """The housing across the beam, a cylinder, and the collimator, a box that narrows towards the patient."""
    radius, front = float(capsules[0, 6]), -spec.sod_mm + spec.collimator_mm
    end = float(np.abs(capsules[0, [1, 4]]).max()) + 0.75 * radius
    angle = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rings = ((-end, 0.7), (_EDGE_MM - end, 1.0), (end - _EDGE_MM, 1.0), (end, 0.7))
    housing = _loft([(share * radius * circle, z) for z, share in rings])
    housing = housing.rotate_x(90, inplace=False).translate((0, 0, -spec.sod_mm), inplace=False)
    wide = 0.8 * float(capsules[1, 6])
    boxes = ((-spec.sod_mm, wide), (front - 0.25 * spec.collimator_mm, wide), (front, 0.7 * wide))
    return housing.append_polydata(_loft([(_rounded(np.array([half, half]), 18.0), z) for z, half in boxes]))


def _arm(capsules: F64) -> Any:
    """A tube with round ends along the capsules of the C, its corners cut (Chaikin 1974)."""
    points = np.vstack([capsules[:, :3], capsules[-1:, 3:6]]) * _TO_RIGHT_HANDED
    for _ in range(_CUTS):
        between = np.stack([0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]], axis=1)
        points = np.vstack([points[:1], between.reshape(-1, 3), points[-1:]])
    pv, radius = off_screen(), float(capsules[0, 6])
    ends = [pv.Sphere(radius=radius, center=end, theta_resolution=24, phi_resolution=24) for end in points[[0, -1]]]
    return pv.lines_from_points(points).strip().tube(radius=radius, n_sides=24).append_polydata(*ends)


def _beam(spec: PlaneSpec) -> Any:
    far = spec.sid_mm - spec.sod_mm - DETECTOR_COVER_MM
    share = (spec.sid_mm - DETECTOR_COVER_MM) / spec.sid_mm
    corners = [(x * share, y * share, far) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    points = np.array([(0.0, 0.0, -spec.sod_mm), *corners])
    faces = [(3, 0, k, k % 4 + 1) for k in range(1, 5)]
    return off_screen().PolyData(points, np.concatenate(faces))
