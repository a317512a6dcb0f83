"""Dose to points in the body: attenuated along the ray through the CT, built up by scatter, less beside the field.

In the field: air kerma free in air by inverse square, times the transmission of air kerma through the soft tissue and
bone on the way (the table as soft tissue), times the ratio of tissue to air, times the build-up factor

    B = BSF(side) + b side / (1 + (side / s)^2) depth

(side of the field at the point, cm; depth in the body, g/cm2): the backscatter factor at the surface, rising with
depth. Beside the field, the scattered part (B - 1) alone, times a share at the edge that falls off exponentially with
the distance to the field in the plane through the point. ``DoseConfig`` holds b, s, share and lengths, fitted to a
Monte Carlo of water slabs: ``python -m benchmarks.slab_monte_carlo``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Rigid
from carm_env.machine.presets import DevicePreset
from carm_env.xray.dose.beams import beams_of, edge_of, scene_of
from carm_env.xray.dose.body_grid import BodyGrid
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.irradiation import Irradiations

F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PointDoses:
    """Doses to Q points in mGy by phase (search, verification) and plane (A, B), [2, 2, Q] each.

    Attributes:
        inside_mgy: from exposures in whose field a point lay; outside_mgy: from the others, [E].
    """

    inside_mgy: F64
    outside_mgy: F64

    @property
    def mgy(self) -> F64:
        return np.asarray(self.inside_mgy + self.outside_mgy)


def point_doses(
    points_mm: F64,
    irradiations: Irradiations,
    grid: BodyGrid,
    patient_to_table: Rigid,
    device: DevicePreset,
    table_gcm2: float,
    config: DoseConfig,
) -> PointDoses:
    """Doses to points.

    Args:
        points_mm: patient LPS, [Q, 3]; a point that is not known (NaN) gets NaN.
        grid: the patient's body. patient_to_table: one motion, LPS to table frame.
        table_gcm2: soft tissue equivalent of table and mattress, crossed at right angles.

    Raises:
        CarmError: tube voltage or filter outside the spectra, or a negative ``table_gcm2``.
    """
    from carm_env.xray.dose import kernels

    scene, edge = scene_of(grid, patient_to_table, device, table_gcm2), edge_of(config)
    known = np.asarray(np.isfinite(points_mm).all(axis=1))
    points = patient_to_table.points(points_mm[known][None])[0]
    inside, outside = np.zeros((2, 2, 2, len(points)))
    for k, beam in enumerate(beams_of(irradiations)):
        at = int(irradiations.verification[k]), int(irradiations.plane[k])
        kernels.irradiate_points(beam, scene, edge, points, inside[at], outside[at])
    return PointDoses(_spread(inside, known), _spread(outside, known))


def _spread(doses: F64, known: NDArray[np.bool_]) -> F64:
    out = np.full((*doses.shape[:-1], len(known)), np.nan)
    out[..., known] = doses
    return out
