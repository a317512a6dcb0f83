"""Writes data/spectra.npz: X-ray spectra (spekpy 2.5.4) and attenuation (xraydb 4.5.8) on one energy grid.

For developers, by hand: ``python -m carm_env.xray.make_tables`` (about half a minute). Nothing else needs spekpy or
xraydb.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.xray.materials import BONE_COMPOSITION, SOFT_COMPOSITION

F64 = NDArray[np.float64]

OUT = Path(__file__).parent / "data" / "spectra.npz"
KV = np.arange(40, 126)
ENERGY_KEV = np.arange(10.5, 125.0)
"""Centres of 1 keV bins; below 10 keV less than 1e-4 of the beam's air kerma is left behind 3.1 mm of aluminium."""
ANODE_DEG, INHERENT_AL_MM = 12.0, 3.1

COMPOSITION = {
    "soft": SOFT_COMPOSITION,
    "bone": BONE_COMPOSITION,
    "water": {"H": 0.111894, "O": 0.888106},
    "al": {"Al": 1.0},
    "cu": {"Cu": 1.0},
    "csi": {"Cs": 0.511549, "I": 0.488451},
}


def spectrum_of(kv: float) -> F64:
    """Fluence behind the inherent filter per keV, mAs and cm2 at 100 cm, on ``ENERGY_KEV``."""
    import spekpy

    beam = spekpy.Spek(kvp=kv, th=ANODE_DEG, dk=1.0, z=100.0, physics="casim").filter("Al", INHERENT_AL_MM)
    energy, fluence = beam.get_spectrum()
    fluence = np.where(np.asarray(fluence) > 0, fluence, 0.0)
    return np.interp(ENERGY_KEV, energy, fluence, left=0.0, right=0.0)


def air_mu_en() -> F64:
    """Mass energy-absorption coefficient of dry air (cm2/g) on ``ENERGY_KEV``, from spekpy's tables."""
    import spekpy

    beam = spekpy.Spek(kvp=100.0, th=ANODE_DEG, physics="casim")
    return np.asarray(beam.muen_air_data.get_muen_over_rho_air(ENERGY_KEV))


def mass_attenuation_of(composition: dict[str, float]) -> F64:
    """Total mass attenuation (cm2/g, with coherent scatter) of a mixture by mass fractions on ``ENERGY_KEV``."""
    import xraydb

    parts = [share * np.asarray(xraydb.mu_elam(name, ENERGY_KEV * 1e3)) for name, share in composition.items()]
    return np.sum(parts, axis=0) / sum(composition.values())


def main() -> None:
    start = time.perf_counter()
    fluence = np.stack([spectrum_of(float(kv)) for kv in KV])
    attenuation: dict[str, Any] = {name: mass_attenuation_of(composition) for name, composition in COMPOSITION.items()}
    OUT.parent.mkdir(exist_ok=True)
    tables: dict[str, Any] = {"kv": KV, "energy_kev": ENERGY_KEV, "fluence": fluence.astype(np.float32)}
    np.savez_compressed(OUT, **tables, **attenuation, air_mu_en=air_mu_en())
    print(f"{OUT.name}: {len(KV)} spectra, {OUT.stat().st_size / 1024:.0f} KiB, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
