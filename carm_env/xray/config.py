"""Settings of the X-ray chain. Those marked [E] are estimates: docs/limits.md tells what they are worth in dose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carm_env.errors import CarmError
from carm_env.xray.curves import CURVES, Rows, check_rows
from carm_env.xray.exposure import PRESETS
from carm_env.xray.materials import CT_ENERGY_KEV, mixture
from carm_env.xray.settings import configured

SCATTER_MODES: tuple[str, ...] = ("off", "fast", "full")


@dataclass(frozen=True)
class XrayConfig:
    """What tube, grid, detector, table and exposure control are like.

    Attributes:
        curve: name of the exposure control's curve, one of ``curves.CURVES``.
        rows: rows of that curve (see ``curves``), its own by default; Siemens' above 77 kV are [E].
        preset_ngy: air kerma a frame at the detector plane, before the grid, with scatter, at full format, one value
            for each of ``PRESETS`` [E] (clinical neuroangiography: 50 to 90 nGy).
        zoom: smaller fields are shown by smaller detector formats, whose kerma grows as 1 / side.
        measuring_share: side of the measuring field over that of the collimated field [E].
        prepulse_share: kerma of the measuring pulse over the frame's (DESIGN section 4a).
        rate_limit_mgy_min: greatest air kerma rate 30 cm before the detector (21 CFR 1020.32; value [E]).
        output_factor: measured over calculated tube output: 0.75 to 1.0 in six comparisons with dose reports [E].
        ct_energy_kev: effective energy of the CT, at which the material model is exact.
        scatter: ``off``, ``fast`` (one kernel a frame) or ``full`` (a kernel for each thickness).
        grid_primary: the anti-scatter grid's transmission of primary [E]; grid_scatter: its transmission of scatter
            over that of primary [E] (real 13:1 to 15:1 grids).
        light_factor: information factor of the scintillator's light: measured over calculated DQE.
        electronic_quanta: read-out noise of a 2 x 2 binned pixel (0.308 mm), absorbed quanta, standard deviation [E]:
            exceeds quantum noise below about 5 nGy a frame.
        screen_blur_mm: standard deviation of the scintillator's spread of light [E].
        focal_spot_mm: side of the focal spot.
        table_gcm2: table top with mattress, as soft tissue crossed at right angles [E]: transmits 0.72 at 80 kV and
            0.1 mm Cu, 0.78 behind 0.9 mm (Artis zeego: 0.73 and 0.81).

    Raises:
        CarmError: a value that is not possible, by name.
    """

    curve: str = "siemens_like"
    rows: Rows | None = None
    preset_ngy: tuple[float, ...] = (3.0, 15.0, 30.0, 60.0)
    zoom: bool = False
    measuring_share: float = 1 / 3
    prepulse_share: float = 0.05
    rate_limit_mgy_min: float = 88.0
    output_factor: float = 0.85
    ct_energy_kev: float = CT_ENERGY_KEV
    scatter: str = "fast"
    grid_primary: float = 0.70
    grid_scatter: float = 0.2
    light_factor: float = 0.9
    electronic_quanta: float = 2.0
    screen_blur_mm: float = 0.15
    focal_spot_mm: float = 0.6
    table_gcm2: float = 1.2

    def __post_init__(self) -> None:
        if self.curve not in CURVES:
            raise CarmError(f"exposure curve {self.curve!r} is unknown: want one of {', '.join(CURVES)}")
        if self.rows is not None:
            check_rows(self.curve, self.rows)
        if self.scatter not in SCATTER_MODES:
            raise CarmError(f"scatter {self.scatter!r} is unknown: want one of {', '.join(SCATTER_MODES)}")
        if not _four_kermas(self.preset_ngy):
            raise CarmError(f"preset_ngy is {self.preset_ngy}: want {len(PRESETS)} positive nGy ({', '.join(PRESETS)})")
        if not isinstance(self.zoom, bool):
            raise CarmError(f"zoom is {self.zoom!r}: want true or false")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not (number and low <= value <= high):
                raise CarmError(f"{name} is {value}: want {low:g} to {high:g}")
        mixture(self.ct_energy_kev)


def _four_kermas(values: Any) -> bool:
    numbers = isinstance(values, tuple) and all(isinstance(k, int | float) and 0 < k < 1e9 for k in values)
    return numbers and len(values) == len(PRESETS)


RANGES: dict[str, tuple[float, float]] = {
    "measuring_share": (0.01, 1.0),
    "prepulse_share": (0.0, 1.0),
    "rate_limit_mgy_min": (1e-3, 1e6),
    "output_factor": (0.01, 10.0),
    "grid_primary": (0.01, 1.0),
    "grid_scatter": (0.0, 1.0),
    "light_factor": (0.01, 1.0),
    "electronic_quanta": (0.0, 1e4),
    "screen_blur_mm": (0.0, 5.0),
    "focal_spot_mm": (0.0, 5.0),
    "table_gcm2": (0.0, 20.0),
}


def xray_config(settings: Mapping[str, Any]) -> XrayConfig:
    """The configuration with some settings of its own; lists may stand for tuples.

    Raises:
        CarmError: a setting that is unknown or impossible.
    """
    return configured(XrayConfig, settings, "X-ray")
