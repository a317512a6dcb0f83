"""Photons through bodies of water to a detector: slabs, cylinders across the beam and spheres.

Physics: ``water_photons``. The beam is parallel and runs along z, the body's middle is the origin; a photon that
leaves a body, all of which are convex, does not come back. Detected is the energy that caesium iodide absorbs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.water_photons import Water, between, place, scatter_coherent, scatter_compton, turned
from carm_env.xray.kernels import inline, kernel

F64 = NDArray[np.float64]

SLAB, CYLINDER, SPHERE = range(3)
SHAPES = ("slab", "cylinder", "sphere")
RING_CM, RINGS = 0.5, 40


def pencil_rings(
    spectrum: F64, thickness_cm: float, planes_cm: F64, medium: Water, detected: F64, photons: int, seed: int
) -> F64:
    """Scattered energy of a pencil beam through a slab, by ring about it at each plane, keV a photon [G, R].

    Args:
        spectrum: photons by energy of ``medium``, any scale [E]; detected: share of a photon that is absorbed, [E].
        planes_cm: distances of detector planes from the slab's middle, [G].
    """
    rings = np.zeros((len(planes_cm), RINGS))
    _pencil(photons, seed, np.cumsum(spectrum) / spectrum.sum(), 0.5 * thickness_cm, planes_cm, medium, detected, rings)
    return rings / photons


def disc_scatter(
    spectrum: F64, shape: int, thickness_cm: float, field_cm: float, planes_cm: F64, disc_cm: float,
    medium: Water, detected: F64, photons: int, seed: int,
) -> tuple[F64, NDArray[np.int64]]:
    """Scattered energy on a disc in the middle of a square field, keV per photon and cm2 of the beam [G], and the
    number of photons that brought it [G].

    Args:
        field_cm: side of the field; disc_cm: radius; the others as of ``pencil_rings``.
    """  # fmt: skip
    energy, counts = np.zeros(len(planes_cm)), np.zeros(len(planes_cm), np.int64)
    _disc(
        photons, seed, np.cumsum(spectrum) / spectrum.sum(), shape, 0.5 * thickness_cm, 0.5 * field_cm, planes_cm,
        disc_cm, medium, detected, energy, counts,
    )  # fmt: skip
    return energy / photons * field_cm**2 / (math.pi * disc_cm**2), counts


@inline
def _way(shape, radius, x, y, z, ux, uy, uz):
    """Distance to the surface from a point inside."""
    if shape == SLAB:
        if uz > 0.0:
            return (radius - z) / uz
        return (-radius - z) / uz if uz < 0.0 else 1e9
    a, b, c = ux * ux + uz * uz, x * ux + z * uz, x * x + z * z - radius * radius
    if shape == SPHERE:
        a, b, c = a + uy * uy, b + y * uy, c + y * y
    root = b * b - a * c
    if a < 1e-12:
        return 1e9
    return (math.sqrt(root) - b) / a if root > 0.0 else 0.0


@kernel
def _emerge(energy, shape, radius, x, y, medium):
    """One photon that enters at (x, y): where and how it leaves, scattered or not; energy 0 if it does not."""
    flat = x * x + (y * y if shape == SPHERE else 0.0)
    if shape != SLAB and flat >= radius * radius:
        return x, y, 0.0, 0.0, 0.0, 1.0, energy, False
    z = -radius if shape == SLAB else -math.sqrt(radius * radius - flat)
    ux, uy, uz = 0.0, 0.0, 1.0
    scattered = False
    while True:
        i, f = place(energy, medium)
        photo, compton = between(medium.photo, i, f), between(medium.compton, i, f)
        total = photo + compton + between(medium.coherent, i, f)
        step = -math.log(1.0 - np.random.random()) / total
        if step >= _way(shape, radius, x, y, z, ux, uy, uz):
            return x, y, z, ux, uy, uz, energy, scattered
        x, y, z = x + step * ux, y + step * uy, z + step * uz
        chance = np.random.random() * total
        if chance < photo or energy < medium.energy_kev[0] + 1.0:
            return x, y, z, ux, uy, uz, 0.0, scattered
        if chance < photo + compton:
            cosine, energy = scatter_compton(energy)
        else:
            cosine = scatter_coherent(energy, medium)
        ux, uy, uz = turned(ux, uy, uz, cosine)
        scattered = True


@kernel
def _pencil(photons, seed, cumulated, radius, planes, medium, detected, rings):
    np.random.seed(seed)
    for _ in range(photons):
        start = medium.energy_kev[min(np.searchsorted(cumulated, np.random.random()), len(cumulated) - 1)]
        x, y, z, ux, uy, uz, energy, scattered = _emerge(start, SLAB, radius, 0.0, 0.0, medium)
        if not scattered or energy <= 0.0 or uz <= 0.0:
            continue
        i, f = place(energy, medium)
        brought = energy * between(detected, i, f)
        for g in range(len(planes)):
            way = (planes[g] - z) / uz
            ring = int(math.hypot(x + way * ux, y + way * uy) / RING_CM)
            if ring < rings.shape[1]:
                rings[g, ring] += brought


@kernel
def _disc(photons, seed, cumulated, shape, radius, half, planes, disc, medium, detected, energies, counts):
    np.random.seed(seed)
    for _ in range(photons):
        start = medium.energy_kev[min(np.searchsorted(cumulated, np.random.random()), len(cumulated) - 1)]
        x, y = half * (2.0 * np.random.random() - 1.0), half * (2.0 * np.random.random() - 1.0)
        x, y, z, ux, uy, uz, energy, scattered = _emerge(start, shape, radius, x, y, medium)
        if not scattered or energy <= 0.0 or uz <= 0.0:
            continue
        i, f = place(energy, medium)
        for g in range(len(planes)):
            way = (planes[g] - z) / uz
            if math.hypot(x + way * ux, y + way * uy) < disc:
                energies[g] += energy * between(detected, i, f)
                counts[g] += 1
