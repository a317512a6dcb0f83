"""Exposure control in closed form: how much kerma is wanted at the detector, and what the generator may give."""

from __future__ import annotations

import math

from carm_env.errors import CarmError

CONTROLS: tuple[str, ...] = ("prepulse", "lagged", "ideal")
"""``prepulse`` measures with a charged pulse, ``lagged`` fires the technique that the last pulse advised, ``ideal``
knows the patient (tests)."""

FORMATS_CM: tuple[float, ...] = (48.0, 42.0, 37.0, 31.0, 27.0, 22.0, 19.0, 15.0)
"""Zoom formats by their diagonal (Azurion); kerma per image goes as their inverse: 100 % at 48 cm, 330 % at 15 cm."""

REGULATORY_MM = 300.0
"""Distance from the detector of the point at which the kerma rate is limited (21 CFR 1020.32, C-arms)."""


def check_control(name: str) -> str:
    """Returns ``name`` if it is an exposure control, raises CarmError otherwise."""
    if name not in CONTROLS:
        raise CarmError(f"exposure control {name!r} is unknown: want one of {', '.join(CONTROLS)}")
    return name


def kerma_ngy(ugy_per_mas: float, mas: float, distance_mm: float) -> float:
    """Air kerma in free air at a distance from the focal spot, by the inverse square law.

    Args:
        ugy_per_mas: at 1 m.
    """
    return 1000.0 * ugy_per_mas * mas * (1000.0 / distance_mm) ** 2


def zoom_factor(field_mm: float, detector_mm: float) -> float:
    """Kerma of the zoom format that a square field needs, over that of the full format.

    Args:
        field_mm, detector_mm: sides of field and detector, both at the detector. The format is the smallest whose
            inscribed square holds the field; formats beyond the detector's own diagonal are not there.
    """
    full_cm = math.sqrt(2.0) * detector_mm / 10.0
    needed_cm = math.sqrt(2.0) * field_mm / 10.0
    holding = [f for f in FORMATS_CM if needed_cm <= f < full_cm]
    return full_cm / min(holding, default=full_cm)


def most_mas(rate_limit_mgy_min: float, pulse_rate_hz: float, ugy_per_mas: float, sid_mm: float) -> float:
    """Greatest tube load of a pulse that the limit of the kerma rate leaves."""
    pulse_ngy = rate_limit_mgy_min * 1e6 / 60.0 / pulse_rate_hz
    return pulse_ngy / kerma_ngy(ugy_per_mas, 1.0, max(sid_mm - REGULATORY_MM, REGULATORY_MM))
