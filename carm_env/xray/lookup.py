"""Two-dimensional look-ups of a polyenergetic beam over soft tissue and bone (g/cm2).

For one beam quality (kV, added copper and aluminium) the spectrum is integrated once over a 241 x 161 grid (60 x 20
g/cm2); after that a ray costs four table reads, whatever the spectrum. Interpolation is bilinear in the logarithm and
goes on log-linearly: up to twice the grid, where the transmission is slightly under-estimated, as the beam no longer
hardens, and down to -20 g/cm2 of soft tissue, which metal stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carm_env.xray import spectra

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

SOFT_STEP, BONE_STEP = 0.25, 0.125
SOFT_NODES, BONE_NODES = 241, 161
SIGNAL, KERMA, NOISE_KEV, MEAN_KEV = range(4)
"""Channels of a table: ln of the energy signal and ln of the air kerma, both relative to the open beam; sum of
N E^2 over sum of N E (keV: the variance of the absorbed energy is this times its mean); mean absorbed energy (keV)."""

CSI_G_CM2 = 0.06 * 4.51 * 0.80
"""Detector: 0.6 mm of caesium iodide at 80 % packing (reference physics, section 4.2)."""


@dataclass(frozen=True, eq=False)
class BeamTable:
    """Look-ups of one beam quality.

    Attributes:
        kv, cu_mm, al_mm: the quality.
        values: the four channels, float32 [241, 161, 4].
        ugy_per_mas: air kerma free in air at 100 cm per mAs, as calculated.
        kev_per_mm2_ngy: energy that the detector absorbs from the open beam, keV per mm2 and nGy of air kerma.
    """

    kv: float
    cu_mm: float
    al_mm: float
    values: F32
    ugy_per_mas: float
    kev_per_mm2_ngy: float


def absorption() -> F64:
    """Share of photons that the scintillator absorbs, one value an energy."""
    return 1.0 - np.exp(-spectra.mass_attenuation("csi") * CSI_G_CM2)


def _integrals(beam: F64, soft: F64, bone: F64) -> F64:
    """Absorbed quanta, energy, energy squared and kerma on a grid, per cm2 and mAs at 100 cm, [4, S, B]."""
    energy = spectra.energies_kev()
    detected = absorption()
    weights = np.stack([detected, detected * energy, detected * energy**2, spectra.kerma_weights()])
    through_soft = np.exp(-np.outer(soft, spectra.mass_attenuation("soft")))
    through_bone = np.exp(-np.outer(bone, spectra.mass_attenuation("bone")))
    return (through_soft * (beam * weights)[:, None, :]) @ through_bone.T


@lru_cache(maxsize=128)
def beam_table(kv: float, cu_mm: float, al_mm: float = 0.0) -> BeamTable:
    """The table of a beam quality, computed on first use (a few ms) and kept for the last 128 qualities.

    Raises:
        CarmError: tube voltage or filter outside the spectra.
    """
    beam = spectra.spectrum(kv, cu_mm, al_mm)
    soft = np.linspace(0.0, (SOFT_NODES - 1) * SOFT_STEP, SOFT_NODES)
    bone = np.linspace(0.0, (BONE_NODES - 1) * BONE_STEP, BONE_NODES)
    quanta, energy, squared, kerma = _integrals(beam, soft, bone)
    values = np.stack(
        [np.log(energy / energy[0, 0]), np.log(kerma / kerma[0, 0]), squared / energy, energy / quanta], axis=-1
    )
    return BeamTable(
        kv=kv,
        cu_mm=cu_mm,
        al_mm=al_mm,
        values=np.ascontiguousarray(values, np.float32),
        ugy_per_mas=float(kerma[0, 0]),
        kev_per_mm2_ngy=float(energy[0, 0] / kerma[0, 0]) / 100.0 / 1000.0,
    )


def direct(kv: float, cu_mm: float, soft: float, bone: float) -> F64:
    """The four channels of one ray by integration over the spectrum, without a table, [4]."""
    beam = spectra.spectrum(kv, cu_mm)
    open_beam = _integrals(beam, np.zeros(1), np.zeros(1))[:, 0, 0]
    quanta, energy, squared, kerma = _integrals(beam, np.array([soft]), np.array([bone]))[:, 0, 0]
    return np.array([np.log(energy / open_beam[1]), np.log(kerma / open_beam[3]), squared / energy, energy / quanta])


def evaluate(table: BeamTable, line_integrals: F32, channel: int) -> F32:
    """One channel along M x H x W rays.

    Args:
        line_integrals: soft and bone, g/cm2, [M, 2, H, W]; negative bone counts as 0.
        channel: ``SIGNAL`` or ``KERMA`` (returned as transmissions, 0 to 1), ``NOISE_KEV`` or ``MEAN_KEV``.
    """
    from carm_env.xray import kernels

    m, _, h, w = line_integrals.shape
    out = np.empty((m, h, w), np.float32)
    kernels.evaluate(np.ascontiguousarray(line_integrals, np.float32), table.values, channel, out)
    return out
