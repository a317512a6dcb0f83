"""Irradiations as the kernels see them: one beam each, the table slab and the body it crosses, in the table frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Rigid
from carm_env.machine.presets import DevicePreset
from carm_env.xray.collimation import IRP_OFFSET_MM
from carm_env.xray.dose.body_grid import BodyGrid
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.quality import quality
from carm_env.xray.materials import mixture
from carm_env.xray.support import per_mm

F64 = NDArray[np.float64]


class Beam(NamedTuple):
    """One irradiation.

    Attributes:
        source: focal spot, mm [3]; axes: unit vectors along u, v and towards the detector, [3, 3]; sid: source to
            detector along the axis, mm.
        centre: detector centre along u and v from the axis through the source, mm [2]; half: half sides of the field
            at the detector along u and v, mm [2].
        kerma: air kerma free in air times squared distance from the source, mGy mm2.
        values, backscatter, medium: see ``quality.Quality``.
    """

    source: F64
    axes: F64
    sid: float
    centre: F64
    half: F64
    kerma: float
    values: NDArray[np.float32]
    backscatter: F64
    medium: float


class Scene(NamedTuple):
    """What beams cross.

    Attributes:
        low, high: corners of the table slab, mm [3]; gcm2_per_mm: its soft tissue equivalent per mm of path.
        to_index: from the table frame to voxel indices of ``hu``, [3, 4]; hu: Hounsfield units of the body alone.
        mix: the material mixture's ``soft_slope``, ``soft_per_bone``, ``mix_slope``, ``hu_soft`` and ``bone_slope``,
            [5]; metal counts as bone.
    """

    low: F64
    high: F64
    gcm2_per_mm: float
    to_index: F64
    hu: NDArray[np.float32]
    mix: F64


class Edge(NamedTuple):
    """Scatter inside the body: the values of ``DoseConfig``, in its units."""

    buildup: float
    half_side: float
    share: float
    efold: float
    efold_rise: float
    reach: float


def edge_of(config: DoseConfig) -> Edge:
    return Edge(
        config.buildup_per_cm_gcm2,
        config.buildup_field_cm,
        config.edge_share,
        config.edge_efold_mm,
        config.edge_efold_mm_per_gcm2,
        config.edge_reach_mm,
    )


def scene_of(grid: BodyGrid, patient_to_table: Rigid, device: DevicePreset, table_gcm2: float) -> Scene:
    """Table and patient.

    Args:
        patient_to_table: one motion, LPS to table frame.
        table_gcm2: soft tissue equivalent of table and mattress, crossed at right angles.

    Raises:
        CarmError: a negative ``table_gcm2``.
    """
    if not (np.isfinite(table_gcm2) and table_gcm2 >= 0.0):
        raise CarmError(f"table_gcm2={table_gcm2!r} is not usable: want g/cm2 from 0")
    low, high = np.array(device.table_low_mm), np.array(device.table_high_mm)
    to_patient = patient_to_table.inverse()
    to_index = np.empty((3, 4))
    to_index[:, :3] = grid.inverse_affine[:3, :3] @ to_patient.rotation[0]
    to_index[:, 3] = grid.to_index(to_patient.translation_mm[0])
    m = mixture()
    mix = np.array([m.soft_slope, m.soft_per_bone, m.mix_slope, m.hu_soft, m.bone_slope])
    return Scene(low, high, per_mm(low, high, table_gcm2), to_index, grid.hu, mix)


def beams_of(irradiations: Irradiations) -> Iterator[Beam]:
    """A beam for each irradiation, in their order.

    Raises:
        CarmError: tube voltage or filter outside the spectra.
    """
    i = irradiations
    c = i.cameras
    axes = np.stack([c.u, c.v, np.cross(c.u, c.v)], axis=1)
    reach: F64 = np.einsum("kij,kj->ki", axes, c.centre_mm - c.source_mm)
    kerma = i.ka_r_mgy * (i.sod_mm - IRP_OFFSET_MM) ** 2
    towards = np.sign(reach[:, 2])
    axes[:, 2] *= towards[:, None]
    for k in range(len(i)):
        q = quality(float(i.kv[k]), float(i.cu_mm[k]), float(i.al_mm[k]))
        yield Beam(
            np.ascontiguousarray(c.source_mm[k], np.float64),
            axes[k],
            float(abs(reach[k, 2])),
            reach[k, :2].copy(),
            0.5 * i.field_mm[k, ::-1],
            float(kerma[k]),
            q.values,
            q.backscatter,
            q.medium,
        )


def check_sources(irradiations: Irradiations, patient_to_table: Rigid, grid: BodyGrid) -> None:
    """Raises CarmError, naming the first, if a focal spot lies inside the patient."""
    where = patient_to_table.inverse().points(irradiations.cameras.source_mm[None])[0]
    inside = np.flatnonzero(grid.holds(where))
    if len(inside):
        k = int(inside[0])
        at = ", ".join(f"{x:.0f}" for x in irradiations.cameras.source_mm[k])
        raise CarmError(f"irradiation {k} has a source inside the patient, at ({at}) mm in the table frame: want it "
                        "outside the body")  # fmt: skip
