"""Estimates of the dose model: every number in it that no source gives for certain can be set here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from carm_env.errors import CarmError
from carm_env.xray.settings import configured

SHARES = ("operator_shield", "edge_share", "head_share")
_MAY_BE_ZERO = (
    "operator_shield", "operator_slope", "operator_intercept", "k_pelvis", "k_abdomen", "k_thorax", "k_neck", "k_head",
    "buildup_per_cm_gcm2", "edge_share", "edge_efold_mm_per_gcm2", "lens_below_sella_mm", "lens_below_skull_mm",
)  # fmt: skip


@dataclass(frozen=True)
class DoseConfig:
    """Estimates of the dose model, [E] unless a source is named.

    Attributes:
        operator_distance_m: from the irradiated part of the patient to the operator.
        operator_shield: transmission of what the operator stands behind; 1 is no shield.
        operator_slope: scattered kerma at 1 m, uSv per Gy cm2 and kV; operator_intercept: uSv per Gy cm2. The method is
            that of Williams 1996 (scatter dose from dose-area product, Br J Radiol 69:1032), the numbers are [E].
        k_pelvis, k_abdomen, k_thorax, k_neck, k_head: effective dose per kerma-area product behind 0.4 mm of copper,
            mSv per Gy cm2. Thorax: Vano, Sanchez, Fernandez and Ten (see ``effective``). Abdomen and pelvis: [E] 0.26
            and 0.26 to 0.29; neck [E]; head [E] 0.03 to 0.1.
        buildup_per_cm_gcm2: rise of the build-up factor on the beam's axis per cm of (small) field side and g/cm2 of
            depth; buildup_field_cm: side at which a field adds half of what it would by proportion. Fitted to a Monte
            Carlo of water slabs (``benchmarks.slab_monte_carlo``; 16 and 24 cm, 70 kV 0.6 Cu and 80 kV 0.3 Cu, sides of
            5 to 30 cm): rms 7 %, within 18 % from 10 cm of side up, for 5 cm from -14 % to 32 %; up to 57 % too much in
            the last 2 cm before the far side.
        edge_share: dose just outside the field as a share of the scattered dose on its axis at that depth: about half,
            as half of the surroundings are irradiated.
        edge_efold_mm, edge_efold_mm_per_gcm2: distance over which the dose outside the field falls to 1/e, at the
            surface, and its rise with depth. Fitted with ``edge_share`` to the same Monte Carlo up to 8 cm from the
            field and below 2 cm of depth: rms 7 %, within 25 %. Farther away it under-estimates, at the surface down
            to a fifth.
        edge_reach_mm: distance from the field beyond which nothing is charged (below 0.1 % of the entrance).
        lens_beside_mm: of an eye lens from the midline; lens_before_sella_mm, lens_below_sella_mm: anterior of and
            below the sella; lens_before_skull_mm, lens_below_skull_mm: of and below the skull landmark, where there is
            no sella. Means over twelve phantoms (sd 2, 3 and 4, 5 and 6 mm).
        head_share: where the neck ends, as a share of the way from the pubic symphysis up to the sella: C2, mean over
            twelve phantoms.
    """

    operator_distance_m: float = 1.0
    operator_shield: float = 1.0
    operator_slope: float = 0.031
    operator_intercept: float = 2.5
    k_pelvis: float = 0.27
    k_abdomen: float = 0.26
    k_thorax: float = 0.34
    k_neck: float = 0.15
    k_head: float = 0.06
    buildup_per_cm_gcm2: float = 0.0276
    buildup_field_cm: float = 42.3
    edge_share: float = 0.548
    edge_efold_mm: float = 24.7
    edge_efold_mm_per_gcm2: float = 1.66
    edge_reach_mm: float = 250.0
    lens_beside_mm: float = 32.0
    lens_before_sella_mm: float = 56.0
    lens_below_sella_mm: float = 14.0
    lens_before_skull_mm: float = 75.0
    lens_below_skull_mm: float = 52.0
    head_share: float = 0.92

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            least = "from 0" if name in _MAY_BE_ZERO else "above 0"
            most = " to 1" if name in SHARES else ""
            low = number and (value >= 0 if name in _MAY_BE_ZERO else value > 0)
            if not low or (most and value > 1):
                raise CarmError(f"dose setting {name}={value!r} is not usable: want a number {least}{most}")


def dose_settings(settings: Mapping[str, Any]) -> DoseConfig:
    """The configuration with some settings of its own.

    Raises:
        CarmError: a setting that is unknown or impossible.
    """
    return configured(DoseConfig, settings, "dose")
