"""Cone-beam cameras: batches of point sources with flat detectors (DESIGN section 4, Frames and units)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.geometry.rigid import Rigid

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Cameras:
    """M cone-beam cameras in one frame (LPS axes, millimetres).

    Attributes:
        source_mm: focal spots, [M, 3].
        centre_mm: detector centres, [M, 3].
        u: unit vectors along image columns (to the right), [M, 3].
        v: unit vectors along image rows (downwards), [M, 3].
        pitch_mm: square pixel pitch at the detector, [M].

    Pixel (row, column) of an image with H rows and W columns has its centre at
    ``centre + (column - (W - 1) / 2) * pitch * u + (row - (H - 1) / 2) * pitch * v``.
    """

    source_mm: F64
    centre_mm: F64
    u: F64
    v: F64
    pitch_mm: F64

    def __len__(self) -> int:
        return len(self.source_mm)

    def __getitem__(self, rows: slice | ArrayLike) -> Cameras:
        """A sub-batch; ``rows`` is a slice, a boolean mask or an index array."""
        if not isinstance(rows, slice):
            rows = np.atleast_1d(np.asarray(rows))
        return Cameras(self.source_mm[rows], self.centre_mm[rows], self.u[rows], self.v[rows], self.pitch_mm[rows])

    def moved(self, motion: Rigid) -> Cameras:
        """The same cameras after a rigid motion (or seen from another frame)."""
        return Cameras(
            motion.points(self.source_mm),
            motion.points(self.centre_mm),
            motion.directions(self.u),
            motion.directions(self.v),
            self.pitch_mm,
        )

    def project(self, points_mm: ArrayLike, size: tuple[int, int]) -> F64:
        """Pixel positions of points.

        Args:
            points_mm: [3], [K, 3] (the same points for every camera) or [M, K, 3].
            size: image (rows, columns).

        Returns:
            (column, row) in pixels, [M, K, 2]; NaN for points not in front of the source.
        """
        points = np.asarray(points_mm, float)
        points = np.broadcast_to(np.atleast_2d(points), (len(self), *np.atleast_2d(points).shape[-2:]))
        axis = np.cross(self.u, self.v)
        sid = np.einsum("mi,mi->m", self.centre_mm - self.source_mm, axis)
        ray = points - self.source_mm[:, None]
        depth = np.einsum("mki,mi->mk", ray, axis) / sid[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            hit = self.source_mm[:, None] + ray / np.where(depth > 0, depth, np.nan)[..., None]
        offset = hit - self.centre_mm[:, None]
        column = np.einsum("mki,mi->mk", offset, self.u) / self.pitch_mm[:, None] + (size[1] - 1) / 2
        row = np.einsum("mki,mi->mk", offset, self.v) / self.pitch_mm[:, None] + (size[0] - 1) / 2
        return np.stack([column, row], axis=-1)


def detector_direction(primary_deg: ArrayLike, secondary_deg: ArrayLike) -> F64:
    """Unit vectors from isocentre to detector, [M, 3]; +primary = LAO, +secondary = CRA (DICOM PS3.3 XA)."""
    a, b = np.broadcast_arrays(np.radians(np.atleast_1d(primary_deg)), np.radians(np.atleast_1d(secondary_deg)))
    return np.stack([np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b), np.sin(b)], axis=-1)


def cone_beam(
    isocentre_mm: ArrayLike,
    primary_deg: ArrayLike,
    secondary_deg: ArrayLike,
    sod_mm: ArrayLike,
    sid_mm: ArrayLike,
    pitch_mm: ArrayLike,
    flip: ArrayLike = False,
) -> Cameras:
    """Cameras of a C-arm that looks at its isocentre.

    Args:
        isocentre_mm: [M, 3] in the frame the cameras shall be in.
        primary_deg, secondary_deg: [M] or scalar, +LAO and +CRA.
        sod_mm, sid_mm: source to isocentre and source to image distance, [M] or scalar.
        pitch_mm: pixel pitch at the detector, [M] or scalar.
        flip: mirror the columns for display (a beam that enters anteriorly), [M] or scalar.
    """
    iso = np.atleast_2d(np.asarray(isocentre_mm, float))
    m = len(iso)

    def each(value: ArrayLike) -> F64:
        return np.broadcast_to(np.asarray(value, float), (m,)).copy()

    a, b = np.radians(each(primary_deg)), np.radians(each(secondary_deg))
    d = detector_direction(each(primary_deg), each(secondary_deg))
    sign = np.where(np.broadcast_to(np.asarray(flip, bool), (m,)), -1.0, 1.0)
    u = np.stack([np.cos(a), np.sin(a), np.zeros(m)], axis=-1) * sign[:, None]
    v = np.stack([np.sin(a) * np.sin(b), -np.cos(a) * np.sin(b), -np.cos(b)], axis=-1)
    sod, sid = each(sod_mm)[:, None], each(sid_mm)[:, None]
    return Cameras(iso - sod * d, iso + (sid - sod) * d, u, v, each(pitch_mm))
