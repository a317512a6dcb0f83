"""From line integrals to the detector's signal: primary, scatter behind the grid, absorbed quanta, blur, read-out.

Per pixel the absorbed energy has the mean ``sum N E`` and the variance ``sum N E^2`` (compound Poisson), divided by the
scintillator's light factor: it is drawn as a Poisson number of quanta of that size, counted over the whole area of the
pixel. The scintillator then spreads its light (correlated noise), and the read-out adds electronic noise. The noise of
a frame is one float32 standard normal a pixel for the quanta, then one a pixel for the electronics, whatever the
technique: two policies at the same step meet the same noise field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from carm_env.xray.config import XrayConfig
from carm_env.xray.lookup import MEAN_KEV, SIGNAL, BeamTable
from carm_env.xray.survey import Survey

F32 = NDArray[np.float32]

BINNED_PIXEL_MM = 0.308
"""Read-out pixel of fluoroscopy, 2 x 2 binned: the unit of electronic noise."""


@dataclass(frozen=True)
class Scale:
    """What the numbers of a signal mean.

    Attributes:
        kev_per_pixel: absorbed energy of signal 1: the open beam at the wanted kerma, behind the grid.
        gain: signal of the open beam at this technique.
        sigma: standard deviation of the electronic noise in signal units.
    """

    kev_per_pixel: float
    gain: float
    sigma: float


def scale_of(table: BeamTable, wanted_ngy: float, open_ngy: float, pitch_mm: float, config: XrayConfig) -> Scale:
    """Scale of a signal.

    Args:
        wanted_ngy: kerma that signal 1 stands for; open_ngy: of the open beam at the detector, this pulse.
    """
    kev = wanted_ngy * table.kev_per_mm2_ngy * config.grid_primary * pitch_mm**2
    open_mean_kev = float(table.values[0, 0, MEAN_KEV])
    sigma = config.electronic_quanta * (pitch_mm / BINNED_PIXEL_MM) * open_mean_kev / kev
    return Scale(kev, open_ngy / wanted_ngy, sigma)


def quanta_per_mm2(
    table: BeamTable, means: tuple[float, float, float, float], spr: float, open_ngy: float, config: XrayConfig
) -> float:
    """Absorbed quanta per mm2 behind the grid, with scatter, from a table's ``means`` (``Survey.means``)."""
    behind_grid = config.grid_primary * (1.0 + config.grid_scatter * spr)
    return open_ngy * table.kev_per_mm2_ngy * math.exp(means[SIGNAL]) * behind_grid / means[MEAN_KEV]


@lru_cache(maxsize=64)
def blur_taps(sigma_mm: float, pitch_mm: float) -> F32:
    """What of a pixel's signal stays in it and what goes to each of its neighbours on a line, [1 + R].

    Light starts evenly over the pixel, goes astray by a Gaussian and is gathered by whole pixels.
    """
    if sigma_mm <= 0:
        return np.ones(1, np.float32)
    radius = math.ceil(3.0 * sigma_mm / pitch_mm)
    edges = np.arange(-1, radius + 2) * (pitch_mm / sigma_mm)
    twice = edges * ndtr(edges) + np.exp(-0.5 * edges**2) / math.sqrt(2.0 * math.pi)
    taps = np.diff(twice, 2) * sigma_mm / pitch_mm
    return np.asarray(taps / (taps[0] + 2.0 * taps[1:].sum()), np.float32)


def focal_blur_mm(focal_spot_mm: float, sod_mm: float, sid_mm: float) -> float:
    """Standard deviation at the detector of the focal spot's penumbra of what lies at the isocentre."""
    return focal_spot_mm * (sid_mm / sod_mm - 1.0) / math.sqrt(12.0)


def expected(view: Survey, table: BeamTable, config: XrayConfig) -> tuple[F32, F32]:
    """Mean energy signal relative to the open beam behind the grid, and its noise factor (keV), [H, W] each.

    Only the field is filled.
    """
    from carm_env.xray import kernels

    bounds = view.field.bounds
    relative, noise_kev = np.empty(view.frame.shape[1:], np.float32), np.empty(view.frame.shape[1:], np.float32)
    kernels.primary(view.frame, table.values, *bounds, relative, noise_kev)
    _smooth(relative, focal_blur_mm(config.focal_spot_mm, view.sod_mm, view.sid_mm), view)
    if config.scatter != "off":
        haze = config.grid_scatter * math.exp(view.means(table)[SIGNAL]) * view.haze_over_primary
        kernels.add_scatter(relative, haze.astype(np.float32), *bounds)
    return relative, noise_kev


def form(view: Survey, table: BeamTable, scale: Scale, config: XrayConfig, rng: np.random.Generator, out: F32) -> None:
    """Writes one frame's signal into ``out`` [H, W]; pixels outside the field stay as they are."""
    from carm_env.xray import kernels

    relative, noise_kev = expected(view, table, config)
    quantum = rng.standard_normal(out.shape, np.float32)
    electronic = rng.standard_normal(out.shape, np.float32)
    bounds = view.field.bounds
    kernels.absorb(
        relative, noise_kev, np.float32(scale.gain), np.float32(1.0 / (scale.kev_per_pixel * config.light_factor)),
        quantum, *bounds, out,
    )  # fmt: skip
    _smooth(out, config.screen_blur_mm, view)
    kernels.read_out(np.float32(scale.sigma), electronic, *bounds, out)


def _smooth(image: F32, sigma_mm: float, view: Survey) -> None:
    from carm_env.xray import kernels

    taps = blur_taps(sigma_mm, view.pitch_mm)
    if len(taps) > 1:
        kernels.smooth(image, taps, *view.field.bounds, np.empty(max(image.shape), np.float32))
