"""Exposure control in closed form: how much kerma at the detector, and the technique that delivers it.

The curve follows dose reports of a Siemens biplane (stages 1 and 2); everything above is an estimate [E]. A stage is
a beam quality; the first one whose tube load suffices is used. The last two stages end at about 0.2 mGy a pulse at
the reference point, 88 mGy/min at 7.5 pulses/s (21 CFR 1020.32; value [E]).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from carm_env.errors import CarmError

CONTROLS: tuple[str, ...] = ("prepulse", "lagged", "ideal")
PREPULSE_SHARE = 0.05
"""Kerma of the measuring pulse over that of the frame (DESIGN section 4a)."""
PRESET_NGY: tuple[float, ...] = (3.0, 15.0, 30.0, 60.0)
"""Kerma per frame at the detector plane before the grid, with scatter, in the order of ``exposure.PRESETS`` [E].
Collimation leaves it alone: frames keep the full format, so there is no zoom to make up for, and the scatter that a
smaller field lacks is made good by more primary."""
MEASURING_SHARE = 1 / 3
"""Side of the measuring field over that of the collimated field."""


@dataclass(frozen=True)
class Stage:
    """A beam quality (kV, copper) and the generator's limits in it."""

    kv: float
    cu_mm: float
    max_ma: float
    max_ms: float

    @property
    def max_mas(self) -> float:
        return self.max_ma * self.max_ms / 1000.0


LADDER: tuple[Stage, ...] = (
    Stage(74.0, 0.9, 224.0, 12.6),
    Stage(77.0, 0.6, 224.0, 12.6),
    Stage(81.0, 0.3, 224.0, 12.6),
    Stage(90.0, 0.2, 224.0, 12.6),
    Stage(110.0, 0.1, 155.0, 8.0),
)
MIN_MAS = 10.0 * 3.0 / 1000.0
"""Least tube load of a pulse: 10 mA for 3 ms; an easy view gets more than its kerma."""


@dataclass(frozen=True)
class Prescription:
    """A technique, and whether the generator's limit kept it below the kerma wanted."""

    kv: float
    cu_mm: float
    mas: float
    limited: bool = False


DEFAULT = Prescription(77.0, 0.6, 0.3)
"""What ``lagged`` starts from: an abdomen of average size [E]."""


def check_control(name: str) -> str:
    """Returns ``name`` if it is an exposure control, raises CarmError otherwise."""
    if name not in CONTROLS:
        raise CarmError(f"exposure control {name!r} is unknown: want one of {', '.join(CONTROLS)}")
    return name


def kerma_ngy(ugy_per_mas: float, mas: float, distance_mm: float) -> float:
    """Air kerma in free air at a distance from the focal spot, by the inverse square law."""
    return 1000.0 * ugy_per_mas * mas * (1000.0 / distance_mm) ** 2


def prescribe(wanted_ngy: float, per_mas_ngy: Callable[[Stage], float]) -> Prescription:
    """The technique that brings the wanted kerma to the detector.

    Args:
        wanted_ngy: kerma per pulse in the measuring field, before the grid, with scatter.
        per_mas_ngy: the kerma that 1 mAs of a stage brings there.
    """
    for stage in LADDER:
        mas = wanted_ngy / max(per_mas_ngy(stage), 1e-30)
        if mas <= stage.max_mas:
            return Prescription(stage.kv, stage.cu_mm, max(mas, MIN_MAS))
    return Prescription(stage.kv, stage.cu_mm, stage.max_mas, limited=True)
