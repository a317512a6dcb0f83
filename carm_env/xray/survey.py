"""What one frame's line integrals say before a beam is chosen: thickness, scatter, transmission."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carm_env.xray import scatter
from carm_env.xray.collimation import Field
from carm_env.xray.lookup import BeamTable

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

BLOCKS = {"fast": 16, "full": 32}
"""Scatter is computed on at most this many blocks along each side of the field."""
BODY_CM = 2.0
"""Blocks of less water than this count as beside the body when the mean thickness is taken."""


@dataclass(frozen=True)
class Survey:
    """One frame's field and body.

    Attributes:
        frame: line integrals, [2, H, W]; field: the collimated field on it.
        sod_mm, sid_mm, pitch_mm: geometry.
        measuring: bounds of the measuring field.
        haze_over_primary: scatter over the primary of the measuring field, before the grid, [B, C].
        spr: its mean over the measuring field.
    """

    frame: F32
    field: Field
    sod_mm: float
    sid_mm: float
    pitch_mm: float
    measuring: tuple[int, int, int, int]
    haze_over_primary: F64
    spr: float
    _means: dict[BeamTable, tuple[float, float, float, float]] = dataclasses.field(default_factory=dict, repr=False)

    def means(self, table: BeamTable) -> tuple[float, float, float, float]:
        """Means over the measuring field of a table's four channels (the first two are logarithms)."""
        from carm_env.xray import kernels

        if table not in self._means:
            self._means[table] = kernels.measure(self.frame, table.values, *self.measuring)
        return self._means[table]


def survey(
    frame: F32, field: Field, sod_mm: float, sid_mm: float, pitch_mm: float, measuring_share: float, mode: str
) -> Survey:
    """Surveys one frame [2, H, W].

    The body's middle is taken to lie at the isocentre; lengths are those half its mean thickness behind it.

    Args:
        measuring_share: side of the measuring field over the field's.
        mode: of scatter, one of ``config.SCATTER_MODES``.
    """
    from carm_env.xray import kernels

    measuring = field.central(measuring_share)
    if mode == "off":
        return Survey(frame, field, sod_mm, sid_mm, pitch_mm, measuring, np.zeros((1, 1)), 0.0)
    blocks = min(BLOCKS[mode], field.r1 - field.r0), min(BLOCKS[mode], field.c1 - field.c0)
    water, layers = np.empty(blocks), np.empty((len(scatter.THICKNESS_CM), *blocks))
    kernels.survey_field(
        frame, np.float32(scatter.WATER_PER_SOFT), np.float32(scatter.WATER_PER_BONE), np.float32(scatter.MU_WATER),
        scatter.THICKNESS_CM, scatter.GROWTH, *field.bounds, water, layers,
    )  # fmt: skip
    body = water > BODY_CM
    depth_cm = float(water[body].mean()) if body.any() else 0.0
    exit_cm = sod_mm / 10.0 + depth_cm / 2.0
    scale = exit_cm / sid_mm
    block_cm = (field.height_mm * scale / blocks[0], field.width_mm * scale / blocks[1])
    kernel = scatter.kernels_at((sid_mm - sod_mm) / 10.0)
    rows, columns = (_shares(n, measuring_share) for n in blocks)
    primary = math.exp(-scatter.MU_WATER * float(rows @ water @ columns))
    haze = scatter.haze(layers, water, block_cm, kernel) / primary
    return Survey(frame, field, sod_mm, sid_mm, pitch_mm, measuring, haze, float(rows @ haze @ columns))


@lru_cache(maxsize=256)
def _shares(blocks: int, measuring_share: float) -> F64:
    """Weight of each block along a side in a mean over the measuring field, [B]."""
    edges = np.linspace(-1.0, 1.0, blocks + 1)
    covered = np.diff(np.clip(edges, -measuring_share, measuring_share))
    return covered / covered.sum()
