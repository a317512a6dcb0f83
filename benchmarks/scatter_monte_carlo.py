"""Scatter behind water: the kernels of ``xray.scatter`` and how well they do, by Monte Carlo.

    python -m benchmarks.scatter_monte_carlo        (about five minutes on two cores)

Pencil beams through slabs give the kernels: two Gaussians fitted to the scatter within each radius. Square fields on
slabs, cylinders across the beam and spheres give scatter over primary in their middle, which the model is held against.
Physics and what is left out: ``water_photons``, ``scatter_transport``. Writes results/scatter_monte_carlo.json.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.scatter_transport import RING_CM, RINGS, SHAPES, SLAB, SPHERE, disc_scatter, pencil_rings
from benchmarks.throughput import describe_machine
from benchmarks.water_photons import water
from carm_env.xray import scatter, spectra
from carm_env.xray.lookup import absorption

F64 = NDArray[np.float64]

RESULT = Path(__file__).parent / "results" / "scatter_monte_carlo.json"
KV, CU_MM = 77.0, 0.6
PENCIL_PHOTONS, DISC_PHOTONS = 20_000_000, 8_000_000
LEAST_RADIUS_CM = 2.0
"""Smaller fields are not fitted: the rings are 0.5 cm wide."""
DISC_CM = 2.0
MIDDLE_TO_DETECTOR_CM = 30.0
FIELDS: tuple[tuple[float, float], ...] = (
    (12.0, 24.0), (18.0, 18.0), (18.0, 24.0), (24.0, 16.0), (24.0, 24.0), (30.0, 24.0),
)  # fmt: skip
"""Thickness or diameter, and side of the field, cm."""
BLOCKS = 64


def primary(thickness_cm: float) -> float:
    """Detected energy of the primary beam behind water, keV a photon."""
    through = np.exp(-water().attenuation * thickness_cm)
    beam = spectra.spectrum(KV, CU_MM)
    return float(beam @ (through * spectra.energies_kev() * absorption()) / beam.sum())


def ratios(thickness_cm: float) -> F64:
    """Scatter over primary in the middle of discs of radius 0.5, 1, ... cm for each of ``scatter.GAP_CM``, [G, R]."""
    planes = 0.5 * thickness_cm + scatter.GAP_CM
    rings = pencil_rings(spectra.spectrum(KV, CU_MM), thickness_cm, planes, water(), absorption(), PENCIL_PHOTONS, 11)
    return np.cumsum(rings, axis=1) / primary(thickness_cm)


def within(kernel: F64, radius_cm: F64) -> F64:
    """Scatter over primary of a kernel in the middle of discs."""
    w1, s1, w2, s2 = kernel
    return w1 * (1.0 - np.exp(-0.5 * (radius_cm / s1) ** 2)) + w2 * (1.0 - np.exp(-0.5 * (radius_cm / s2) ** 2))


def fit(ratio: F64) -> tuple[F64, float]:
    """The kernel of ratios by radius, [4], and its greatest relative error beyond ``LEAST_RADIUS_CM``."""
    from scipy.optimize import least_squares

    radius = np.linspace(RING_CM, RINGS * RING_CM, RINGS)
    wide = radius >= LEAST_RADIUS_CM

    def errors(kernel: F64) -> F64:
        return np.asarray(within(kernel, radius) / ratio - 1.0)[wide]

    bounds = ([0.0, 1.0, 0.0, 6.0], [20.0, 6.0, 40.0, 30.0])
    tried = [least_squares(errors, start, bounds=bounds) for start in ((0.1, 2.5, 3.0, 14.0), (1.0, 4.0, 2.0, 11.0))]
    best = min(tried, key=lambda t: t.cost)
    return best.x, float(np.abs(errors(best.x)).max())


def model(shape: int, thickness_cm: float, field_cm: float) -> float:
    """The same in the middle of a body by ``scatter.haze``."""
    side = field_cm / BLOCKS
    at = (np.arange(BLOCKS) - (BLOCKS - 1) / 2) * side
    x, y = np.meshgrid(at, at if shape == SPHERE else 0.0 * at)
    way = 2.0 * np.sqrt(np.maximum(0.0, (0.5 * thickness_cm) ** 2 - x**2 - y**2))
    thickness = np.full((BLOCKS, BLOCKS), thickness_cm) if shape == SLAB else way
    haze = scatter.haze(
        layers(thickness), thickness, (side, side), scatter.kernels_at(MIDDLE_TO_DETECTOR_CM)
    )  # fmt: skip
    middle = slice(BLOCKS // 2 - 1, BLOCKS // 2 + 1)
    return float(haze[middle, middle].mean() / np.exp(-scatter.MU_WATER * thickness_cm))


def layers(thickness_cm: F64) -> F64:
    """Primary times hat functions, as ``scatter.haze`` wants them of a body that blocks resolve, [8, B, C]."""
    nodes = scatter.THICKNESS_CM
    beam = np.exp(-scatter.MU_WATER * thickness_cm)
    hats = [np.interp(thickness_cm, nodes, row) for row in np.eye(len(nodes))]
    hats[-1] = hats[-1] * (1.0 + scatter.GROWTH * np.maximum(thickness_cm - nodes[-1], 0.0))
    return beam * np.stack(hats)


def _slab(thickness_cm: float) -> list[dict[str, Any]]:
    rows = []
    for gap, ratio in zip(scatter.GAP_CM, ratios(thickness_cm), strict=True):
        kernel, error = fit(ratio)
        radii = {f"{r:g}": round(float(ratio[round(r / RING_CM) - 1]), 4) for r in (8.0, 11.0, 15.0, 20.0)}
        found = [round(float(v), 4) for v in kernel]
        rows.append({"gap_cm": float(gap), "thickness_cm": thickness_cm, "kernel": found, "worst": error, "spr": radii})
    return rows


def _body(case: tuple[int, float, float]) -> dict[str, Any]:
    shape, thickness, field = case
    energy, counts = disc_scatter(
        spectra.spectrum(KV, CU_MM), shape, thickness, field, np.array([MIDDLE_TO_DETECTOR_CM]), DISC_CM, water(),
        absorption(), DISC_PHOTONS, 3,
    )  # fmt: skip
    found = float(energy[0]) / primary(thickness)
    ours = model(shape, thickness, field)
    return {
        "body": SHAPES[shape], "thickness_cm": thickness, "field_cm": field, "spr": round(found, 4),
        "relative_sd": round(float(counts[0]) ** -0.5, 4), "model": round(ours, 4), "ratio": round(ours / found, 3),
    }  # fmt: skip


def main(argv: list[str]) -> int:
    if argv:
        print(__doc__)
        return 2
    cases = [(shape, *field) for field in FIELDS for shape in range(len(SHAPES))]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        slabs = [row for rows in pool.map(_slab, scatter.THICKNESS_CM[1:].tolist()) for row in rows]
        bodies = list(pool.map(_body, cases))
    for row in bodies:
        print(row)
    result = {
        "command": "python -m benchmarks.scatter_monte_carlo",
        "machine": describe_machine(),
        "beam": f"{KV:g} kV, {CU_MM:g} mm Cu",
        "photons": {"pencil": PENCIL_PHOTONS, "field": DISC_PHOTONS},
        "slabs": slabs,
        "bodies": bodies,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
