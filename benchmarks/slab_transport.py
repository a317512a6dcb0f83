"""Photons through a slab of water: an analogue Monte Carlo of a pencil beam at right angles.

Physics: ``water_photons``. What electrons receive stays where they start. Lengths in cm.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.water_photons import Water, between, place, scatter_coherent, scatter_compton, turned
from carm_env.xray.kernels import inline, kernel

F64 = NDArray[np.float64]

RING_CM, RINGS = 0.25, 160
DEPTH_CM = 1.0
_LEAST_COSINE = 0.05
"""Photons that leave at smaller ones count as at half of it: their share of the kerma is infinite otherwise."""


class Tally(NamedTuple):
    """What photons of a pencil beam did.

    Attributes:
        dose: energy deposited by ring and depth bin, keV [R, Z]. back: what crosses the entrance from within, as kerma
            of water free in air, keV cm2/g [R].
        first: photons whose first interaction lies in a depth bin, [Z].
        energy: incident, deposited, escaped, keV [3].
    """

    dose: F64
    back: F64
    first: F64
    energy: F64


def pencil(spectrum: F64, slab_cm: float, medium: Water, photons: int, seed: int) -> Tally:
    """Photons that enter a slab at one point and at right angles.

    Args:
        spectrum: photons by energy of ``medium``, any scale [E]. slab_cm: its thickness; it has no sides.
    """
    bins = math.ceil(slab_cm / DEPTH_CM)
    tally = Tally(np.zeros((RINGS, bins)), np.zeros(RINGS), np.zeros(bins), np.zeros(3))
    _run(photons, seed, np.cumsum(spectrum) / np.sum(spectrum), float(slab_cm), medium, tally)
    return tally


@kernel
def _run(photons, seed, cumulated, slab_cm, medium, tally):
    """Follows photons whose energies are drawn from a spectrum, ``cumulated`` up to 1 [E], and adds to ``tally``."""
    np.random.seed(seed)
    for _ in range(photons):
        energy = medium.energy_kev[min(np.searchsorted(cumulated, np.random.random()), len(cumulated) - 1)]
        tally.energy[0] += energy
        _follow(energy, slab_cm, medium, tally)


@kernel
def _follow(energy, slab_cm, medium, tally):
    """One photon, until it is absorbed or leaves."""
    x, y, z = 0.0, 0.0, 0.0
    ux, uy, uz = 0.0, 0.0, 1.0
    untouched = True
    while True:
        i, f = place(energy, medium)
        photo, compton = between(medium.photo, i, f), between(medium.compton, i, f)
        total = photo + compton + between(medium.coherent, i, f)
        step = -math.log(1.0 - np.random.random()) / total
        x, y, z = x + step * ux, y + step * uy, z + step * uz
        if z < 0.0 or z >= slab_cm:
            tally.energy[2] += energy
            if z < 0.0:
                kerma = energy * between(medium.absorbed, i, f)
                _add_back(x - ux * z / uz, y - uy * z / uz, kerma, -uz, tally)
            return
        if untouched:
            tally.first[int(z / DEPTH_CM)] += 1.0
            untouched = False
        chance = np.random.random() * total
        if chance < photo or energy < medium.energy_kev[0] + 1.0:
            _deposit(x, y, z, energy, tally)
            return
        if chance < photo + compton:
            cosine, left = scatter_compton(energy)
            _deposit(x, y, z, energy - left, tally)
            energy = left
        else:
            cosine = scatter_coherent(energy, medium)
        ux, uy, uz = turned(ux, uy, uz, cosine)


@inline
def _deposit(x, y, z, energy, tally):
    ring = int(math.sqrt(x * x + y * y) / RING_CM)
    if ring < RINGS:
        tally.dose[ring, int(z / DEPTH_CM)] += energy
    tally.energy[1] += energy


@inline
def _add_back(x, y, kerma, cosine, tally):
    ring = int(math.sqrt(x * x + y * y) / RING_CM)
    if ring < RINGS:
        tally.back[ring] += kerma / (cosine if cosine > _LEAST_COSINE else 0.5 * _LEAST_COSINE)
