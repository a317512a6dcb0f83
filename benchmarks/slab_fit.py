"""The model of ``xray.dose.points`` over the Monte Carlo of a slab, and the constants that bring it nearest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.slab_fields import Found, model_beside, model_build_up
from carm_env.xray.dose.config import DoseConfig

F64 = NDArray[np.float64]

END_CM, SHALLOW_CM, NEAR_CM = 2.0, 2.0, 8.0
"""The slab's last part, which the model does not know; beside the field, what is less deep or farther away: not
fitted."""
AXIS = ("buildup_per_cm_gcm2", "buildup_field_cm")
EDGE = ("edge_share", "edge_efold_mm", "edge_efold_mm_per_gcm2")
Ratios = Callable[[Found, DoseConfig], F64]


def axis_ratios(found: Found, config: DoseConfig, end: bool = False) -> F64:
    """Model over Monte Carlo on the axis of all fields; ``end``: in the slab's last part instead of before it."""
    chosen = (found.beam.depth_cm > found.beam.slab_cm - END_CM) == end
    ratios = [model_build_up(found.beam, side, config) / b.mean(axis=0) for side, b in found.build_up.items()]
    return np.concatenate([ratio[chosen] for ratio in ratios])


def edge_ratios(found: Found, config: DoseConfig, elsewhere: bool = False) -> F64:
    """Model over Monte Carlo beside the fields; ``elsewhere``: where nothing is fitted."""
    depth = found.beam.depth_cm
    deep = (depth > SHALLOW_CM) & (depth < found.beam.slab_cm - END_CM)
    out = []
    for (side, apart), dose in found.beside.items():
        chosen = (deep & (apart <= NEAR_CM)) != elsewhere
        out.append((model_beside(found.beam, side, apart, config) / dose.mean(axis=0))[chosen])
    return np.concatenate(out)


def ratios_of(found: Found, config: DoseConfig) -> dict[str, dict[str, float]]:
    """How far the model is from the Monte Carlo, where it is fitted and where not."""
    return {
        "build_up": _spread(axis_ratios(found, config)),
        f"build_up, last {END_CM:g} cm": _spread(axis_ratios(found, config, end=True)),
        f"beside, to {NEAR_CM:g} cm, deeper than {SHALLOW_CM:g} cm": _spread(edge_ratios(found, config)),
        "beside, elsewhere": _spread(edge_ratios(found, config, elsewhere=True)),
    }


def _spread(ratios: F64) -> dict[str, float]:
    """Least and greatest ratio, and the root mean square of their logarithms."""
    return {"min": round(float(ratios.min()), 3), "max": round(float(ratios.max()), 3), "rms": round(_rms(ratios), 3)}


def _rms(ratios: F64) -> float:
    return float(np.sqrt(np.mean(np.log(ratios) ** 2)))


def fit(everything: Sequence[Found], config: DoseConfig) -> DoseConfig:
    """The settings ``AXIS``, then ``EDGE``, with the least root mean square over all beams, to three digits."""
    return _fitted(EDGE, edge_ratios, everything, _fitted(AXIS, axis_ratios, everything, config))


def _fitted(names: Sequence[str], ratios: Ratios, everything: Sequence[Found], config: DoseConfig) -> DoseConfig:
    from scipy.optimize import minimize

    start = np.array([getattr(config, name) for name in names])

    def scaled(factors: F64, digits: int = 12) -> DoseConfig:
        values = [float(f"{v:.{digits}g}") for v in np.abs(factors) * start]
        return replace(config, **dict(zip(names, values, strict=True)))

    def cost(factors: F64) -> float:
        return _rms(np.concatenate([ratios(found, scaled(factors)) for found in everything]))

    return scaled(minimize(cost, np.ones(len(names)), method="Nelder-Mead").x, digits=3)
