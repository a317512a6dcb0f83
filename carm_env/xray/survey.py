"""What one frame's line integrals say before a beam is chosen: thickness, scatter, transmission."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carm_env.xray import scatter
from carm_env.xray.collimation import Field
from carm_env.xray.control import MEASURING_SHARE, Stage, kerma_ngy
from carm_env.xray.lookup import KERMA, BeamTable, beam_table

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

BLOCKS = 16
"""Scatter is computed on at most this many blocks along each side of the field."""


@dataclass(frozen=True)
class Survey:
    """One frame's field and body.

    Attributes:
        frame: line integrals, [2, H, W]; field: the collimated field on it.
        sod_mm, sid_mm, pitch_mm: geometry.
        thickness_cm: water-equivalent thickness, means over blocks of the field, [B, C].
        spr_curve: scatter over primary by thickness for this field and gap (``scatter.spr_by_thickness``).
        block_cm: size of a block in the exit plane.
    """

    frame: F32
    field: Field
    sod_mm: float
    sid_mm: float
    pitch_mm: float
    thickness_cm: F64
    spr_curve: F64
    block_cm: tuple[float, float]

    @cached_property
    def spr(self) -> float:
        """Scatter over primary in the measuring field, before the grid, from its mean thickness."""
        rows, columns = self.thickness_cm.shape
        a, b = rows // 3, columns // 3
        return float(scatter.spr(self.spr_curve, self.thickness_cm[a : rows - a, b : columns - b].mean()))

    def means(self, table: BeamTable) -> tuple[float, float, float, float]:
        """Means over the measuring field of a table's four channels (the first two are logarithms)."""
        from carm_env.xray import kernels

        return kernels.measure(self.frame, table.values, *self.field.central(MEASURING_SHARE))

    def kerma_per_mas_ngy(self, stage: Stage) -> float:
        """Kerma that 1 mAs of a stage brings to the measuring field, before the grid, with scatter."""
        table = beam_table(stage.kv, stage.cu_mm)
        through = math.exp(self.means(table)[KERMA])
        return kerma_ngy(table.ugy_per_mas, 1.0, self.sid_mm) * through * (1.0 + self.spr)


def block_means(image: F32, field: Field) -> F64:
    """Means of an [H, W] image over the blocks of a field, [B, C]."""
    from carm_env.xray import kernels

    means = np.empty((min(BLOCKS, field.r1 - field.r0), min(BLOCKS, field.c1 - field.c0)))
    kernels.block_means(image, *field.bounds, means)
    return means


def survey(frame: F32, field: Field, sod_mm: float, sid_mm: float, pitch_mm: float) -> Survey:
    """Surveys one frame [2, H, W].

    The body's exit plane is taken half its mean thickness behind the isocentre, and its scattering area as the part of
    the field that it covers.
    """
    from carm_env.xray import kernels

    water = np.empty(frame.shape[1:], np.float32)
    kernels.water_equivalent(
        frame, np.float32(scatter.WATER_PER_SOFT), np.float32(scatter.WATER_PER_BONE), *field.bounds, water
    )
    thickness = block_means(water, field)
    body = thickness > scatter.BODY_CM
    depth_cm = float(thickness[body].mean()) if body.any() else 0.0
    exit_cm = sod_mm / 10.0 + depth_cm / 2.0
    scale = exit_cm / sid_mm
    height_cm, width_cm = field.height_mm * scale, field.width_mm * scale
    radius_cm = math.sqrt(height_cm * width_cm * float(body.mean()) / math.pi)
    curve = scatter.spr_by_thickness(radius_cm, sid_mm / 10.0 - exit_cm)
    block_cm = (height_cm / thickness.shape[0], width_cm / thickness.shape[1])
    return Survey(frame, field, sod_mm, sid_mm, pitch_mm, thickness, curve, block_cm)
