"""Dose of square fields on a slab of water: added up from pencil beams', and by the model of ``xray.dose.points``.

A parallel beam and an endless slab: no inverse square, no sides. All depths are the middles of ``DEPTH_CM`` bins.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.slab_transport import DEPTH_CM, RING_CM, RINGS, pencil
from benchmarks.water_photons import Water
from carm_env.xray import spectra
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.quality import BACKSCATTER_STEP_CM, quality

F64 = NDArray[np.float64]

SIDES_CM = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
BESIDE_CM = tuple((side, apart) for side in (10.0, 20.0) for apart in (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0))
"""Sides of fields, and distances from the middle of an edge."""
BACKSCATTER_CM = (5.0, 10.0, 20.0, 25.0, 35.0)
BATCHES = 10
_TURNS, _SUBRINGS = 720, 8


class Beam(NamedTuple):
    """A beam on a slab.

    Attributes:
        kv: tube voltage. slab_cm: thickness. depth_cm: [Z].
        photons: by energy, one per cm2 together, [E].
        open_air, open_water: dose to air and to water in the open beam, keV/g.
        primary: share of the air kerma that reaches each depth untouched, [Z].
    """

    kv: float
    cu_mm: float
    slab_cm: float
    depth_cm: F64
    photons: F64
    open_air: float
    open_water: float
    primary: F64


@dataclass(frozen=True, eq=False)
class Found:
    """What the Monte Carlo says of a beam, by batch.

    Attributes:
        build_up: dose on the axis over that of the primary beam there (by air kerma, and the ratio of water to air in
            the open beam), side to [B, Z].
        beside: dose over that of the open beam, side and distance to [B, Z].
        backscatter: kerma of water at the entrance over that of the open beam, for ``BACKSCATTER_CM``, [B, 5].
    """

    beam: Beam
    photons: int
    seconds: float
    build_up: dict[float, F64]
    beside: dict[tuple[float, float], F64]
    backscatter: F64


def beam_on(kv: float, cu_mm: float, slab_cm: float, medium: Water) -> Beam:
    """A beam, attenuated by all interactions in ``medium``; ``slab_cm`` is a multiple of ``DEPTH_CM``."""
    photons = spectra.spectrum(kv, cu_mm)
    photons = photons / photons.sum()
    kerma = photons * spectra.kerma_weights() / spectra.UGY_PER_KEV_G
    edges = np.arange(0.0, slab_cm + 0.5 * DEPTH_CM, DEPTH_CM)
    through = np.exp(-np.outer(edges, medium.attenuation))
    mean = (through[:-1] - through[1:]) / (medium.attenuation * DEPTH_CM)
    open_water = float(photons @ (medium.energy_kev * medium.absorbed))
    depth = edges[:-1] + 0.5 * DEPTH_CM
    return Beam(kv, cu_mm, slab_cm, depth, photons, float(kerma.sum()), open_water, mean @ kerma / kerma.sum())


def simulate(beam: Beam, medium: Water, photons: int, seed: int = 1) -> Found:
    """Sends photons in batches, whose seeds count up from ``seed``."""
    began, size = time.perf_counter(), max(photons // BATCHES, 1)
    tallies = [pencil(beam.photons, beam.slab_cm, medium, size, seed + i) for i in range(BATCHES)]
    dose, back = (np.stack([getattr(tally, name) for tally in tallies]) / size for name in ("dose", "back"))
    return Found(
        beam,
        size * BATCHES,
        time.perf_counter() - began,
        {side: over_open(dose, beam, side) / beam.primary for side in SIDES_CM},
        {(side, apart): over_open(dose, beam, side, 0.5 * side + apart) for side, apart in BESIDE_CM},
        np.stack([1.0 + back @ inside_share(side) / beam.open_water for side in BACKSCATTER_CM], axis=1),
    )


def inside_share(side_cm: float, at_cm: float = 0.0) -> F64:
    """Share of each ring about a point that lies in a square field, [R].

    Args:
        at_cm: from the field's middle to the point, along one of its axes.
    """
    radius = (np.arange(RINGS * _SUBRINGS) + 0.5) * RING_CM / _SUBRINGS
    turn = (np.arange(_TURNS) + 0.5) * 2.0 * np.pi / _TURNS
    x, y = at_cm + np.outer(radius, np.cos(turn)), np.outer(radius, np.sin(turn))
    inside = (np.abs(x) <= 0.5 * side_cm) & (np.abs(y) <= 0.5 * side_cm)
    area = (radius[:, None] * inside).reshape(RINGS, -1).sum(axis=1)
    return np.asarray(area / (radius.reshape(RINGS, -1).sum(axis=1) * _TURNS))


def over_open(dose_kev: F64, beam: Beam, side_cm: float, at_cm: float = 0.0) -> F64:
    """Dose at a point over that of the open beam, [..., Z].

    Args:
        dose_kev: one photon's, by ring and depth, [..., R, Z]. at_cm: from the field's middle.
    """
    return np.asarray(inside_share(side_cm, at_cm) @ dose_kev / (DEPTH_CM * beam.open_water))


def model_build_up(beam: Beam, side_cm: float, config: DoseConfig) -> F64:
    """Dose on the axis over that of the primary beam, [Z]."""
    curve = quality(beam.kv, beam.cu_mm, 0.0).backscatter
    surface = np.interp(side_cm, np.arange(len(curve)) * BACKSCATTER_STEP_CM, curve)
    rise = config.buildup_per_cm_gcm2 * side_cm / (1.0 + (side_cm / config.buildup_field_cm) ** 2)
    return np.asarray(surface + rise * beam.depth_cm)


def model_beside(beam: Beam, side_cm: float, apart_cm: float, config: DoseConfig) -> F64:
    """Dose beside the field over that of the open beam, [Z]."""
    scattered = (model_build_up(beam, side_cm, config) - 1.0) * beam.primary
    efold_cm = 0.1 * (config.edge_efold_mm + config.edge_efold_mm_per_gcm2 * beam.depth_cm)
    return np.asarray(config.edge_share * scattered * np.exp(-apart_cm / efold_cm))
