"""From line integrals to the detector's signal: primary, scatter behind the grid, quantum and electronic noise.

Per pixel the absorbed energy has the mean ``sum N E`` and the variance ``sum N E^2`` (compound Poisson), divided by the
scintillator's light factor. The noise of a frame is one float32 standard normal a pixel for the quanta, then one a
pixel for the electronics, whatever the technique: two policies at the same step meet the same noise field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.xray import scatter
from carm_env.xray.lookup import MEAN_KEV, SIGNAL, BeamTable
from carm_env.xray.survey import Survey, block_means

F32 = NDArray[np.float32]

LIGHT_SWANK = 0.9
"""Information factor of the scintillator's light: measured DQE (75 %) over the calculated one (0.79 to 0.88)."""
BINNED_PIXEL_MM = 0.308
"""Read-out pixel of fluoroscopy, 2 x 2 binned: the unit of electronic noise."""


@dataclass(frozen=True)
class Scale:
    """What the numbers of a signal mean.

    Attributes:
        kev_per_pixel: absorbed energy of signal 1: the open beam at the preset's kerma, behind the grid.
        gain: signal of the open beam at this technique.
        sigma: standard deviation of the electronic noise in signal units.
    """

    kev_per_pixel: float
    gain: float
    sigma: float


def scale_of(table: BeamTable, preset_ngy: float, open_ngy: float, pitch_mm: float, electronic_quanta: float) -> Scale:
    """Scale of a signal.

    Args:
        preset_ngy: kerma that signal 1 stands for; open_ngy: of the open beam at the detector, this pulse.
        electronic_quanta: standard deviation of a read-out pixel of ``BINNED_PIXEL_MM``, in absorbed quanta.
    """
    kev = preset_ngy * table.kev_per_mm2_ngy * scatter.GRID_PRIMARY * pitch_mm**2
    open_mean_kev = float(table.values[0, 0, MEAN_KEV])
    sigma = electronic_quanta * (pitch_mm / BINNED_PIXEL_MM) * open_mean_kev / kev
    return Scale(kev, open_ngy / preset_ngy, sigma)


def quanta_per_mm2(table: BeamTable, means: tuple[float, float, float, float], spr: float, open_ngy: float) -> float:
    """Absorbed quanta per mm2 behind the grid, with scatter, from a table's ``means`` (``Survey.means``)."""
    behind_grid = scatter.GRID_PRIMARY * (1.0 + scatter.GRID_SCATTER_OVER_PRIMARY * spr)
    return open_ngy * table.kev_per_mm2_ngy * math.exp(means[SIGNAL]) * behind_grid / means[MEAN_KEV]


def expected(view: Survey, table: BeamTable) -> tuple[F32, F32]:
    """Mean energy signal relative to the open beam behind the grid, and its noise factor (keV), [H, W] each.

    Only the field is filled.
    """
    from carm_env.xray import kernels

    relative, noise_kev = np.empty(view.frame.shape[1:], np.float32), np.empty(view.frame.shape[1:], np.float32)
    kernels.primary(view.frame, table.values, *view.field.bounds, relative, noise_kev)
    source = block_means(relative, view.field) * scatter.spr(view.spr_curve, view.thickness_cm)
    haze = scatter.GRID_SCATTER_OVER_PRIMARY * scatter.spread(source, view.block_cm)
    kernels.add_scatter(relative, haze.astype(np.float32), *view.field.bounds)
    return relative, noise_kev


def form(view: Survey, table: BeamTable, scale: Scale, rng: np.random.Generator, out: F32) -> None:
    """Writes one frame's signal into ``out`` [H, W]; pixels outside the field stay as they are."""
    from carm_env.xray import kernels

    relative, noise_kev = expected(view, table)
    quantum = rng.standard_normal(out.shape, np.float32)
    electronic = rng.standard_normal(out.shape, np.float32)
    per_kev = np.float32(1.0 / (scale.kev_per_pixel * LIGHT_SWANK))
    gain, sigma = np.float32(scale.gain), np.float32(scale.sigma)
    kernels.detect(relative, noise_kev, gain, per_kev, quantum, sigma, electronic, *view.field.bounds, out)
