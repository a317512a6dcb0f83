"""X-ray beams: tabulated tungsten spectra, filters added analytically, mass attenuation and tube output.

The tables (``data/spectra.npz``) are written by ``make_tables.py``: spekpy 2.5.4 (casim, 12 degree anode, 3.1 mm Al
inherent), xraydb 4.5.8 (Elam), mass energy-absorption of air as in spekpy.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError

F64 = NDArray[np.float64]

MATERIALS: tuple[str, ...] = ("soft", "bone", "water", "al", "cu", "csi")
KV_MIN, KV_MAX = 40.0, 125.0
CU_MAX_MM, AL_MAX_MM = 2.0, 10.0
RHO_CU, RHO_AL = 8.96, 2.699
"""g/cm3"""
UGY_PER_KEV_G = 1.602176634e-7
"""1 keV/g in uGy."""


@lru_cache(maxsize=1)
def _tables() -> dict[str, F64]:
    path = Path(__file__).parent / "data" / "spectra.npz"
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name].astype(float) for name in stored.files}


def energies_kev() -> F64:
    """Centres of the 1 keV bins."""
    return _tables()["energy_kev"]


def mass_attenuation(material: str, energy_kev: ArrayLike | None = None) -> F64:
    """Total mass attenuation coefficients, cm2/g.

    Args:
        material: one of ``MATERIALS``.
        energy_kev: any shape within the grid (log-log interpolation); the grid itself when left out.
    """
    if material not in MATERIALS:
        raise CarmError(f"material {material!r} is unknown: want one of {', '.join(MATERIALS)}")
    values = _tables()[material]
    if energy_kev is None:
        return values
    return np.exp(np.interp(np.log(np.asarray(energy_kev, float)), np.log(energies_kev()), np.log(values)))


def check_quality(kv: float, cu_mm: float, al_mm: float = 0.0) -> None:
    """Raises CarmError unless tube voltage and added filters lie within the tables."""
    if not KV_MIN <= kv <= KV_MAX:
        raise CarmError(f"tube voltage {kv} kV is outside the spectra: want {KV_MIN:g} to {KV_MAX:g} kV")
    if not 0.0 <= cu_mm <= CU_MAX_MM:
        raise CarmError(f"copper filter {cu_mm} mm is out of range: want 0 to {CU_MAX_MM:g} mm")
    if not 0.0 <= al_mm <= AL_MAX_MM:
        raise CarmError(f"aluminium filter {al_mm} mm is out of range: want 0 to {AL_MAX_MM:g} mm")


def spectrum(kv: float, cu_mm: float = 0.0, al_mm: float = 0.0) -> F64:
    """Photons per cm2, keV and mAs at 100 cm in air behind added filters, one value an energy; interpolated between the
    table's whole kV."""
    check_quality(kv, cu_mm, al_mm)
    tables = _tables()
    low = min(int(kv - KV_MIN), len(tables["kv"]) - 2)
    share = kv - KV_MIN - low
    fluence = (1.0 - share) * tables["fluence"][low] + share * tables["fluence"][low + 1]
    filters = mass_attenuation("cu") * RHO_CU * cu_mm + mass_attenuation("al") * RHO_AL * al_mm
    return fluence * np.exp(-filters / 10.0)


def kerma_weights() -> F64:
    """Air kerma (uGy) of one photon per cm2 in each bin."""
    return energies_kev() * _tables()["air_mu_en"] * UGY_PER_KEV_G


def tube_output(kv: float, cu_mm: float = 0.0, al_mm: float = 0.0) -> float:
    """Air kerma free in air at 100 cm, uGy per mAs, as calculated (``XrayConfig.output_factor`` is not in it)."""
    return float(spectrum(kv, cu_mm, al_mm) @ kerma_weights())
