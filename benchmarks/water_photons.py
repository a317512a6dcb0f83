"""What happens to photons in water: cross sections, and the angles and energies that scattering leaves.

Cross sections: xraydb 4.5.8 (Elam). Compton scattering: Klein-Nishina on free electrons at rest; coherent scattering:
Thomson times the form factors of free atoms (xraydb's f0: Waasmaier and Kirfel 1995). Left out: binding and Doppler
broadening, interference between molecules (which weakens coherent scattering below about 5 degrees), fluorescence and
bremsstrahlung, polarisation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carm_env.xray import spectra
from carm_env.xray.kernels import inline
from carm_env.xray.make_tables import COMPOSITION

F64 = NDArray[np.float64]

ELECTRON_KEV = 510.999
KEV_ANGSTROM = 12.39842
"""Energy of a photon times its wavelength."""
_MOST_TRANSFER, _TRANSFERS = 11.0, 2201
"""1/angstrom, and steps up to it."""


class Water(NamedTuple):
    """Water on a grid of energies.

    Attributes:
        energy_kev: even steps, [E]. photo, compton, coherent: mass attenuation, cm2/g [E].
        absorbed: mass energy-absorption coefficient (photoelectric, and what Compton electrons get), cm2/g [E].
        squared: momentum transfer (sin of half the angle over wavelength), 1/angstrom, squared [Q]; form: the squared
            form factor of a molecule, summed up over ``squared`` from 0, [Q].
    """

    energy_kev: F64
    photo: F64
    compton: F64
    coherent: F64
    absorbed: F64
    squared: F64
    form: F64

    @property
    def attenuation(self) -> F64:
        return self.photo + self.compton + self.coherent


def water(coherent: bool = True) -> Water:
    """The tables on the energies of ``spectra``.

    Args:
        coherent: whether there is coherent scattering.
    """
    import xraydb

    energy = spectra.energies_kev()
    photo, compton, thomson = (_mass_attenuation(kind) for kind in ("photo", "incoh", "coh"))
    transfer = np.linspace(0.0, _MOST_TRANSFER, _TRANSFERS)
    squared = transfer**2
    factor = 2.0 * xraydb.f0("H", transfer) ** 2 + xraydb.f0("O", transfer) ** 2
    form = np.concatenate([[0.0], np.cumsum(0.5 * (factor[1:] + factor[:-1]) * np.diff(squared))])
    absorbed = photo + compton * np.array([_to_electron(e) for e in energy])
    return Water(energy, photo, compton, thomson if coherent else 0.0 * thomson, absorbed, squared, form)


def _mass_attenuation(kind: str) -> F64:
    import xraydb

    energy_ev, shares = 1e3 * spectra.energies_kev(), COMPOSITION["water"]
    parts = [share * xraydb.mu_elam(name, energy_ev, kind=kind) for name, share in shares.items()]
    return np.asarray(np.sum(parts, axis=0) / sum(shares.values()))


def _to_electron(energy_kev: float) -> float:
    """Mean share of a photon's energy that a Compton electron gets (Klein-Nishina)."""
    cosine = np.linspace(-1.0, 1.0, 2001)
    ratio = 1.0 / (1.0 + energy_kev / ELECTRON_KEV * (1.0 - cosine))
    density = ratio**2 * (ratio + 1.0 / ratio - 1.0 + cosine**2)
    return float(np.trapezoid(density * (1.0 - ratio), cosine) / np.trapezoid(density, cosine))


@inline
def place(energy, medium):
    """Interval of the energy grid and the place in it; the ends go on."""
    at = (energy - medium.energy_kev[0]) / (medium.energy_kev[1] - medium.energy_kev[0])
    at = min(max(at, 0.0), len(medium.energy_kev) - 1.0)
    i = min(int(at), len(medium.energy_kev) - 2)
    return i, at - i


@inline
def between(values, i, f):
    return values[i] + f * (values[i + 1] - values[i])


@inline
def scatter_compton(energy):
    """Cosine of the angle and the energy that is left (Kahn 1956)."""
    a = energy / ELECTRON_KEV
    while True:
        r1, r2, r3 = np.random.random(), np.random.random(), np.random.random()
        if r1 <= (1.0 + 2.0 * a) / (9.0 + 2.0 * a):
            q = 1.0 + 2.0 * a * r2
            cosine = 1.0 - (q - 1.0) / a
            if r3 <= 4.0 * (1.0 / q - 1.0 / (q * q)):
                return cosine, energy / q
        else:
            q = (1.0 + 2.0 * a) / (1.0 + 2.0 * a * r2)
            cosine = 1.0 - (q - 1.0) / a
            if r3 <= 0.5 * (cosine * cosine + 1.0 / q):
                return cosine, energy / q


@inline
def scatter_coherent(energy, medium):
    """Cosine of the angle: the momentum transfer from the form factor, kept by Thomson's chance."""
    most = (energy / KEV_ANGSTROM) ** 2
    last = min(np.searchsorted(medium.squared, most), len(medium.squared) - 1)
    share = (most - medium.squared[last - 1]) / (medium.squared[last] - medium.squared[last - 1])
    whole = between(medium.form, last - 1, share)
    while True:
        wanted = np.random.random() * whole
        i = max(np.searchsorted(medium.form, wanted) - 1, 0)
        f = (wanted - medium.form[i]) / (medium.form[i + 1] - medium.form[i])
        cosine = 1.0 - 2.0 * between(medium.squared, i, f) / most
        if 2.0 * np.random.random() <= 1.0 + cosine * cosine:
            return cosine


@inline
def turned(ux, uy, uz, cosine):
    """A direction turned by an angle, about itself at random."""
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    turn = 2.0 * math.pi * np.random.random()
    a, b = sine * math.cos(turn), sine * math.sin(turn)
    flat = math.sqrt(max(0.0, 1.0 - uz * uz))
    if flat < 1e-4:
        return a, b, cosine * (1.0 if uz > 0.0 else -1.0)
    return (
        ux * cosine + (a * ux * uz - b * uy) / flat,
        uy * cosine + (a * uy * uz + b * ux) / flat,
        uz * cosine - a * flat,
    )
