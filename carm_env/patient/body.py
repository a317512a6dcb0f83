"""The patient's outline, found in the CT: collision hull, silhouettes, and the anchors that place it on the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Capsules
from carm_env.patient.model import Patient, Volume

F64 = NDArray[np.float64]
TISSUE_HU, AIR_HU = -400, -500
HULL_SLAB_MM = 50.0
OUTLINE_STEP_MM = 10.0
_MASK_STEP_MM = 6.0
_HEAD_DEPTH_MM = 100.0
_COLUMN_HALF_MM = 6.0


@dataclass(frozen=True)
class Anchors:
    """Where the patient touches the table's conventions (LPS mm): midline x, skin of the back y, vertex z.

    ``vertex_source`` says what the vertex was found from: "skull", "sella" or "top of the CT".
    """

    midline_x_mm: float
    back_y_mm: float
    vertex_z_mm: float
    vertex_source: Literal["skull", "sella", "top of the CT"]


@dataclass(frozen=True)
class Extents:
    """Bounds of the body per level along z (all [K], mm); levels without tissue are left out."""

    z: F64
    x_min: F64
    x_max: F64
    y_min: F64
    y_max: F64


def body_points(volume: Volume) -> F64:
    """LPS positions [K, 3] of the body's voxels on a grid of about 6 mm.

    The body is the largest connected piece of tissue (HU > -400) after an opening that severs couch and noise; air
    inside it does not count.
    """
    from scipy import ndimage

    step = np.maximum(1, np.rint(_MASK_STEP_MM / volume.spacing_mm)).astype(int)
    mask = volume.hu[:: step[0], :: step[1], :: step[2]] > TISSUE_HU
    opened = ndimage.binary_opening(mask, iterations=1)
    labels, count = ndimage.label(opened if opened.any() else mask)
    if count == 0:
        return np.empty((0, 3))
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    body = ndimage.binary_dilation(labels == largest, iterations=1) & mask
    return volume.to_mm(np.argwhere(body) * step)


def extents(points_mm: F64, step_mm: float) -> Extents:
    """Bounds of points [K, 3] in slabs of ``step_mm`` along z; ``z`` is the middle of each slab."""
    if len(points_mm) == 0:
        return Extents(*(np.empty(0) for _ in range(5)))
    slab = np.floor((points_mm[:, 2] - points_mm[:, 2].min()) / step_mm).astype(int)
    order = np.argsort(slab, kind="stable")
    levels, first = np.unique(slab[order], return_index=True)
    x, y = points_mm[order, 0], points_mm[order, 1]
    z = points_mm[:, 2].min() + (levels + 0.5) * step_mm
    low, high = np.minimum.reduceat, np.maximum.reduceat
    return Extents(z, low(x, first), high(x, first), low(y, first), high(y, first))


def body_hull(volume: Volume) -> Capsules:
    """Horizontal capsules along x (along y where the body is deeper than wide), one per 50 mm of z.

    Each spans the bounds of its slab: radius half the thickness, enlarged so that it still reaches them at the slab's
    edges. No capsule where the CT holds no tissue.
    """
    e = extents(body_points(volume), HULL_SLAB_MM)
    half = 0.5 * np.stack([e.x_max - e.x_min, e.y_max - e.y_min], axis=1) + 0.5 * _MASK_STEP_MM
    centre = np.stack([0.5 * (e.x_min + e.x_max), 0.5 * (e.y_min + e.y_max), e.z], axis=1)
    radius = half.min(axis=1, initial=np.inf)
    reach = np.zeros_like(centre)
    reach[:, :2] = half - radius[:, None]
    return Capsules(centre - reach, centre + reach, np.hypot(radius, 0.5 * HULL_SLAB_MM))


def outline(volume: Volume) -> dict[str, list[float]]:
    """Silhouettes for drawing: per 10 mm of z the extents left (+x), right (-x), anterior (-y), posterior (+y), mm."""
    e = extents(body_points(volume), OUTLINE_STEP_MM)
    columns = {"z_mm": e.z, "left": e.x_max, "right": e.x_min, "anterior": e.y_min, "posterior": e.y_max}
    return {name: [round(float(v), 1) for v in values] for name, values in columns.items()}


def anchors(patient: Patient) -> Anchors:
    """Midline, back and vertex of a patient.

    The midline is the median x of spine and symphysis landmarks, else the middle of the trunk's silhouette. The back is
    the 95th percentile over the trunk's levels of their most posterior tissue. The vertex is where a column upwards
    from the skull landmark (or the sella) meets air; without either (or if the CT ends before), the top of the body in
    the midline, which raised hands that touch the head would falsify.
    """
    points = body_points(patient.volume)
    trunk = _trunk(patient, extents(points, OUTLINE_STEP_MM))
    midline = _midline(patient, trunk)
    back = float(np.percentile(trunk.y_max, 95)) if len(trunk.z) else 0.0
    z, source = _vertex(patient, points, midline)
    return Anchors(midline, back, z, source)


def _trunk(patient: Patient, e: Extents) -> Extents:
    """Levels below T1 (or the humeral heads), where it is known; at least a few of them."""
    marks = patient.landmarks
    tops = [marks[n][2] for n in ("T1", "right_humeral_head", "left_humeral_head") if n in marks]
    feet = [marks[n][2] for n in ("right_femoral_head", "left_femoral_head", "pubic_symphysis") if n in marks]
    keep = (e.z < min(tops, default=np.inf)) & (e.z > min(feet, default=-np.inf))
    if np.count_nonzero(keep) < 3:
        return e
    return Extents(e.z[keep], e.x_min[keep], e.x_max[keep], e.y_min[keep], e.y_max[keep])


def _midline(patient: Patient, trunk: Extents) -> float:
    known = [patient.landmarks[n][0] for n in ("T1", "T12", "L5", "pubic_symphysis") if n in patient.landmarks]
    if known:
        return float(np.median(known))
    return float(np.median(0.5 * (trunk.x_min + trunk.x_max))) if len(trunk.z) else 0.0


def _vertex(patient: Patient, points: F64, midline: float) -> tuple[float, Literal["skull", "sella", "top of the CT"]]:
    for name, where in (("skull", patient.landmarks.get("skull")), ("sella", patient.targets.get("sella"))):
        z = None if where is None else _air_above(patient.volume, where)
        if z is not None:
            return z, "skull" if name == "skull" else "sella"
    top = _top_of_column(points[np.abs(points[:, 0] - midline) < 30.0], 2.0 * _MASK_STEP_MM)
    return patient.volume.z_range_mm()[1] if top is None else top, "top of the CT"


def _top_of_column(column: F64, step_mm: float) -> float | None:
    """Top of the unbroken tissue that holds the highest level as deep as a head: raised hands stay above a gap."""
    e = extents(column, step_mm)
    deep = np.flatnonzero(e.y_max - e.y_min >= _HEAD_DEPTH_MM)
    if len(deep) == 0:
        return float(column[:, 2].max()) if len(column) else None
    k = int(deep[-1])
    while k + 1 < len(e.z) and e.z[k + 1] - e.z[k] < 1.5 * step_mm:
        k += 1
    return float(column[column[:, 2] <= e.z[k] + 0.5 * step_mm, 2].max())


def _air_above(volume: Volume, start_mm: F64) -> float | None:
    """z of the first air in a 12 x 12 mm column above a point, between voxels; None if the CT ends before."""
    z = np.arange(start_mm[2], volume.z_range_mm()[1] + 1e-6, 0.5 * float(volume.spacing_mm[2]))
    side = np.arange(-_COLUMN_HALF_MM, _COLUMN_HALF_MM + 0.1, 3.0)
    grid = np.stack(np.meshgrid(start_mm[0] + side, start_mm[1] + side, z, indexing="ij"), axis=-1)
    index = np.rint(volume.to_index(grid)).astype(int)
    if not ((index >= 0) & (index < volume.hu.shape)).all(axis=(0, 1, 3)).any():
        return None
    index = np.clip(index, 0, np.array(volume.hu.shape) - 1)
    mean = volume.hu[index[..., 0], index[..., 1], index[..., 2]].mean(axis=(0, 1))
    air = np.flatnonzero(mean < AIR_HU)
    if len(air) == 0:
        return None
    k = int(air[0])
    if k == 0:
        return float(z[0])
    part = (mean[k - 1] - AIR_HU) / (mean[k - 1] - mean[k])
    return float(z[k - 1] + part * (z[k] - z[k - 1]))
