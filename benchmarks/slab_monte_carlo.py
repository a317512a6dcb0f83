"""Build-up in the field and dose beside it in slabs of water: Monte Carlo against the model of ``xray.dose.points``.

    python -m benchmarks.slab_monte_carlo [--photons 40e6] [--out benchmarks/results/slab_monte_carlo.json]

What is simulated and what is left out: ``water_photons``. The result holds the tables of ``slab_fields.Found``, the
backscatter against the published factors of ``xray.dose.quality``, the model over the Monte Carlo, and the constants of
``DoseConfig`` that fit best (``slab_fit``). A minute and a half.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.slab_fields import BACKSCATTER_CM, BATCHES, Found, beam_on, simulate
from benchmarks.slab_fit import AXIS, EDGE, NEAR_CM, fit, ratios_of
from benchmarks.slab_transport import RING_CM
from benchmarks.throughput import describe_machine
from benchmarks.water_photons import Water, water
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.quality import backscatter_factors, quality

F64 = NDArray[np.float64]

DEFAULT_OUT = Path(__file__).parent / "results" / "slab_monte_carlo.json"
BEAMS = ((70.0, 0.6, 16.0), (80.0, 0.3, 24.0))
"""Tube voltage (kV), copper (mm), water (cm)."""


def measure(photons: int) -> dict[str, Any]:
    """All beams, ``photons`` each, and a quarter of them in water that does not scatter coherently."""
    usual = DoseConfig()
    everything, incoherent = _all_beams(water(), photons), _all_beams(water(coherent=False), photons // 4)
    return {
        "command": f"python -m benchmarks.slab_monte_carlo --photons {photons:g}",
        "machine": describe_machine(),
        "batches": BATCHES,
        "ring_cm": RING_CM,
        "used": _constants(usual),
        "fitted": _constants(fit(everything, usual)),
        "fitted_without_coherent_scattering": _constants(fit(incoherent, usual)),
        "beams": [summary(found, usual) for found in everything],
    }


def _all_beams(medium: Water, photons: int) -> list[Found]:
    return [simulate(beam_on(*beam, medium), medium, photons) for beam in BEAMS]


def _constants(config: DoseConfig) -> dict[str, float]:
    return {name: getattr(config, name) for name in (*AXIS, *EDGE)}


def summary(found: Found, config: DoseConfig) -> dict[str, Any]:
    """One beam: what the model makes of it, how sure the Monte Carlo is, and its tables."""
    beam, known = found.beam, quality(found.beam.kv, found.beam.cu_mm, 0.0)
    near = [dose for (_, apart), dose in found.beside.items() if apart <= NEAR_CM]
    return {
        "beam": {"kv": beam.kv, "cu_mm": beam.cu_mm, "hvl_mm_al": round(known.hvl_mm_al, 3), "water_cm": beam.slab_cm},
        "photons": found.photons,
        "seconds": round(found.seconds, 1),
        "standard_error": {
            "build_up": _errors(found.build_up.values()),
            f"beside, to {NEAR_CM:g} cm": _errors(near),
            "backscatter": _errors([found.backscatter]),
        },
        "model_over_monte_carlo": ratios_of(found, config),
        "backscatter": _backscatter(found.backscatter.mean(axis=0), beam.kv, known.hvl_mm_al),
        "water_over_air": {"monte_carlo": round(beam.open_water / beam.open_air, 4), "model": round(known.medium, 4)},
        "depth_cm": beam.depth_cm.tolist(),
        "primary": _rounded(beam.primary),
        "build_up_by_side_cm": {f"{side:g}": _rounded(b.mean(axis=0)) for side, b in found.build_up.items()},
        "beside_by_side_and_distance_cm": {
            f"{side:g} + {apart:g}": _rounded(dose.mean(axis=0)) for (side, apart), dose in found.beside.items()
        },
    }


def _backscatter(factors: F64, kv: float, hvl_mm: float) -> dict[str, Any]:
    published = backscatter_factors(kv, hvl_mm)
    return {
        "side_cm": BACKSCATTER_CM,
        "monte_carlo": _rounded(factors),
        "published": _rounded(published),
        "monte_carlo_over_published": _rounded(factors / published),
    }


def _errors(tables: Iterable[F64]) -> dict[str, float]:
    """Relative standard errors of means over batches [B, ...]."""
    errors = [np.std(t, axis=0, ddof=1) / np.sqrt(len(t)) / np.mean(t, axis=0) for t in tables]
    every = np.concatenate([np.ravel(e) for e in errors])
    return {"median": round(float(np.median(every)), 5), "max": round(float(every.max()), 5)}


def _rounded(values: F64) -> list[float]:
    return [float(f"{v:.4g}") for v in values]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photons", type=float, default=40e6, help="for each beam")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    args = parser.parse_args()
    result = measure(int(args.photons))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print("fitted:", result["fitted"])
    for beam in result["beams"]:
        print(", ".join(f"{name} {value:g}" for name, value in beam["beam"].items()), f"({beam['seconds']} s)")
        print("  model over Monte Carlo:", beam["model_over_monte_carlo"])
        print("  backscatter over published:", beam["backscatter"]["monte_carlo_over_published"])


if __name__ == "__main__":
    main()
