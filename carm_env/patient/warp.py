"""New patients from one CT: stature, habitus and a smooth field, seeded and invertible, landmarks carried along."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.anatomy.texture import smooth_field
from carm_env.patient.model import Patient, Volume

F64 = NDArray[np.float64]
STEP_MM = 12.0
SCALES = [(160.0, 4.5), (60.0, 1.8)]
"""Length and standard deviation (mm) of the smooth field's octaves."""
STATURE_SD, GIRTH_SD, GIRTH_WAVE_SD = 0.04, 0.06, 0.03
"""Relative: length along the body; width and depth as a whole; and their change along the body over about 150 mm."""
LEAST_JACOBIAN = 0.35
"""Volumes never shrink below this share anywhere, so the map has an inverse."""
MAX_VOXELS = 2**31
_END_MM, _WAVE_MM = 60.0, 150.0
_STREAM = 0x57415250


@dataclass(frozen=True)
class Warp:
    """A map from the new CT to the old one, in mm along the index axes from each CT's first voxel.

    ``nodes`` [I, J, K, 3]: displacement at nodes ``step_mm`` apart: old = new / stature along z, and new else, plus
    the displacement.
    """

    nodes: NDArray[np.float32]
    step_mm: float
    stature: float

    def to_old(self, points_mm: F64) -> F64:
        """Where points [N, 3] of the new CT lie in the old one."""
        from scipy import ndimage

        at = (np.asarray(points_mm, float) / self.step_mm).T
        shift = [ndimage.map_coordinates(self.nodes[..., i], at, order=1, mode="nearest") for i in range(3)]
        return np.asarray(points_mm, float) / [1.0, 1.0, self.stature] + np.stack(shift, axis=-1)

    def to_new(self, points_mm: F64) -> F64:
        """Where points [N, 3] of the old CT come to lie: the inverse of ``to_old`` to 1e-3 mm."""
        scale = np.array([1.0, 1.0, self.stature])
        old = np.asarray(points_mm, float)
        new = old * scale
        for _ in range(200):
            miss = old - self.to_old(new)
            new = new + 0.8 * miss * scale
            if np.abs(miss).max(initial=0.0) < 1e-4:
                break
        return new


def make_warp(source: Patient, seed: int, name: str) -> Patient:
    """A new patient: ``source`` made longer or shorter, wider or slimmer, and irregular.

    The end slices stay flat, so that a CT cut through the body stays cut there. Height and weight of the record follow
    the warp; age and sex stay.

    Args:
        seed: 0 <= seed < 2**63. name: what ``meta["source"]`` says.

    Raises:
        CarmError: the warped CT would be too large.
    """
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, _STREAM], np.uint64)))
    spacing = source.volume.spacing_mm
    extent = (np.array(source.volume.hu.shape) - 1) * spacing
    warp = draw_warp(rng, extent, _centre(source))
    shape = np.array(source.volume.hu.shape)
    shape[2] = int(np.floor(extent[2] * warp.stature / spacing[2])) + 1
    if shape.prod() > MAX_VOXELS:
        raise CarmError(f"{name}: the warped CT would have {shape.prod()} voxels; want at most {MAX_VOXELS}")
    hu = _resample(source.volume.hu, warp.nodes, warp.step_mm, warp.stature, spacing, tuple(map(int, shape)))
    volume = Volume(hu, source.volume.affine.copy())
    meta = {**source.meta, "source": name, "synthetic_band_mm": _band(source, warp)}
    who = source.demographics
    heavier = _mass(hu, spacing) / max(_mass(source.volume.hu, spacing), 1e-9)
    who = replace(
        who,
        height_cm=None if who.height_cm is None else round(who.height_cm * warp.stature, 1),
        weight_kg=None if who.weight_kg is None else round(who.weight_kg * heavier, 1),
    )
    points = [{n: _carried(source, warp, p) for n, p in kind.items()} for kind in (source.landmarks, source.targets)]
    return Patient(f"warp-{seed}-{source.id}", volume, points[0], points[1], who, meta)


def draw_warp(rng: np.random.Generator, extent_mm: F64, centre_mm: F64) -> Warp:
    """Draws a map for a CT of this size whose body is centred on ``centre_mm`` [2]."""
    stature = float(np.clip(1.0 + STATURE_SD * rng.standard_normal(), 0.88, 1.12))
    girth = np.clip(1.0 + GIRTH_SD * rng.standard_normal() + 0.02 * rng.standard_normal(2), 0.85, 1.18)
    size = np.array([extent_mm[0], extent_mm[1], extent_mm[2] * stature])
    nodes = smooth_field(rng, size, STEP_MM, SCALES).astype(float)
    axes = [STEP_MM * np.arange(n) for n in nodes.shape[:3]]
    knots = np.arange(0.0, size[2] + 2.0 * _WAVE_MM, _WAVE_MM)
    wave = np.interp(axes[2], knots, GIRTH_WAVE_SD * rng.standard_normal(len(knots)))
    ends = np.clip(np.minimum(axes[2], size[2] - axes[2]) / _END_MM, 0.0, 1.0)
    nodes[..., 2] *= ends * ends * (3.0 - 2.0 * ends)
    for i in range(2):
        offset = (axes[i] - centre_mm[i]).reshape((-1, 1, 1) if i == 0 else (1, -1, 1))
        nodes[..., i] += offset * (1.0 / (girth[i] + wave) - 1.0)[None, None, :]
    identity = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) / [1.0, 1.0, stature]
    smooth = next(
        weaker
        for weaker in (nodes * strength for strength in (1.0, 0.75, 0.5, 0.25, 0.0))
        if _least_jacobian(identity + weaker) * stature >= LEAST_JACOBIAN or not weaker.any()
    )
    return Warp(smooth.astype(np.float32), STEP_MM, stature)


def _least_jacobian(to_old: F64) -> float:
    """Least determinant over the nodes of a map given there."""
    if min(to_old.shape[:3]) < 2:
        return 1.0
    columns = np.stack([np.gradient(to_old, STEP_MM, axis=i) for i in range(3)], axis=-1)
    return float(np.linalg.det(columns).min())


def _centre(source: Patient) -> F64:
    """Centre of the body's voxels in the axial plane, mm from the first voxel [2]."""
    inside = source.volume.hu[:, :, ::8] > -500
    spacing = source.volume.spacing_mm
    share = [inside.sum(axis=tuple(a for a in range(3) if a != i)).astype(float) for i in range(2)]
    return np.array(
        [
            spacing[i] * (np.dot(s, np.arange(len(s))) / s.sum() if s.sum() else 0.5 * len(s))
            for i, s in enumerate(share)
        ]
    )


def _carried(source: Patient, warp: Warp, point_mm: F64) -> F64:
    spacing = source.volume.spacing_mm
    old = source.volume.to_index(point_mm) * spacing
    return np.asarray(source.volume.to_mm(warp.to_new(old[None])[0] / spacing), float)


def _band(source: Patient, warp: Warp) -> list[float] | None:
    """The synthetic band's z range where the warp takes it, a little widened by the field."""
    band = source.meta.get("synthetic_band_mm")
    if band is None:
        return None
    middle = source.volume.to_mm(0.5 * (np.array(source.volume.hu.shape) - 1.0))
    spread = [middle[:2] + offset for offset in ([0, 0], [150, 0], [-150, 0], [0, 100], [0, -100])]
    levels = [[_carried(source, warp, np.array([*xy, z]))[2] for xy in spread] for z in band]
    return [float(min(levels[0])), float(max(levels[1]))]


def _mass(hu: NDArray[np.int16], spacing: F64) -> float:
    coarse = hu[::2, ::2, ::2]
    return float(np.clip(coarse + 1000.0, 0.0, None, dtype=np.float32).sum(dtype=float) * spacing.prod())


@njit(cache=True, fastmath=True, error_model="numpy", parallel=True)
def _resample(hu, nodes, step, stature, spacing, shape):
    """Trilinear look-up of the old CT for every voxel of the new one; beyond the edge the last voxel runs on."""
    out = np.empty(shape, np.int16)
    nx, ny, nz = hu.shape
    for i in prange(shape[0]):
        column = np.empty((nodes.shape[2], 3))
        for j in range(shape[1]):
            f = min(i * spacing[0] / step, nodes.shape[0] - 1.000001)
            g = min(j * spacing[1] / step, nodes.shape[1] - 1.000001)
            a, b = int(f), int(g)
            f -= a
            g -= b
            for k in range(nodes.shape[2]):
                for n in range(3):
                    near = nodes[a, b, k, n] + g * (nodes[a, b + 1, k, n] - nodes[a, b, k, n])
                    far = nodes[a + 1, b, k, n] + g * (nodes[a + 1, b + 1, k, n] - nodes[a + 1, b, k, n])
                    column[k, n] = near + f * (far - near)
            for m in range(shape[2]):
                h = min(m * spacing[2] / step, nodes.shape[2] - 1.000001)
                k = int(h)
                h -= k
                x = i + (column[k, 0] + h * (column[k + 1, 0] - column[k, 0])) / spacing[0]
                y = j + (column[k, 1] + h * (column[k + 1, 1] - column[k, 1])) / spacing[1]
                z = m / stature + (column[k, 2] + h * (column[k + 1, 2] - column[k, 2])) / spacing[2]
                x = min(max(x, 0.0), nx - 1.000001)
                y = min(max(y, 0.0), ny - 1.000001)
                z = min(max(z, 0.0), nz - 1.000001)
                p, q, r = int(x), int(y), int(z)
                x -= p
                y -= q
                z -= r
                c00 = hu[p, q, r] + z * (hu[p, q, r + 1] - hu[p, q, r])
                c01 = hu[p, q + 1, r] + z * (hu[p, q + 1, r + 1] - hu[p, q + 1, r])
                c10 = hu[p + 1, q, r] + z * (hu[p + 1, q, r + 1] - hu[p + 1, q, r])
                c11 = hu[p + 1, q + 1, r] + z * (hu[p + 1, q + 1, r + 1] - hu[p + 1, q + 1, r])
                c0 = c00 + y * (c01 - c00)
                c1 = c10 + y * (c11 - c10)
                out[i, j, m] = np.int16(np.rint(c0 + x * (c1 - c0)))
    return out
