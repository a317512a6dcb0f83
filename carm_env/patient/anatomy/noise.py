"""What the scanner adds to the CT: noise that follows the body's thickness, thick slices, cupping, a short scale.

The model of the noise was fitted to two low-dose CTs of 2 mm pixels and 5 mm slices every 4.25 mm
(ACRIN-FLT-Breast_001, 140 kVp, fixed current) and compared with a chest CT of 0.7 mm pixels and 2.5 mm slices, in
patches of 24 mm less a parabola. Standard deviation in HU: brain 4, chest wall 7-9, liver 8, abdomen 11, ilium 11-15,
neck 12, pelvis 15, shoulders 17 (chest CT: liver 17, chest wall 18). Correlation along x at 2, 4, 6 mm: liver 0.32, 0,
0; pelvis and shoulders 0.68, 0.35, 0.15; along y at 2 mm: between -0.15 and 0.3; from slice to slice 0.3-0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy import ndimage

from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.style import Style

F32 = NDArray[np.float32]
GROWTH = 0.14
"""Logarithmic growth of the variance with each cm of water across the voxel, along x as along y (fitted)."""
SIDEWAYS = 1.6
"""Weight of the paths along x against those along y (fitted)."""
STREAKED_CM = 20.0
"""Excess of the path along x over that along y at which all noise is streaked along x."""
LIVER_CM = (32.0, 24.6)
"""Paths through a liver, for volumes without one."""
MOST_CM = 64.0
MOST_DENSE = 6.0
"""Ceilings of a path and of a voxel's density (water 1) in it."""
SPREAD_MM = 5.0
"""Standard deviation by which paths are spread sideways: the rays of all angles but these two."""
PITCH_MM = 2.0
"""Spacing in y of independent noise."""
SLICE_LINK = 0.35
"""Correlation of the noise of neighbouring slices."""
SHORT_SCALE_HU = 3071.0
"""Highest value of 12-bit scanners."""


@dataclass(frozen=True)
class Scanner:
    """One patient's CT.

    Attributes:
        liver_sd: standard deviation in the liver, HU. streak: correlation of streaked noise at 2 mm along x.
        modulation: share of the difference in noise between levels that the tube current takes back, 0 to 1.
        slice_mm, step_mm: thickness of a slice and distance between slices; thickness 0: as thin as the voxels.
        phase: offset of the slices as a share of their distance. cupping_hu: by how much the middle is too low.
        top_hu: highest value.
    """

    liver_sd: float
    streak: float
    modulation: float
    slice_mm: float
    step_mm: float
    phase: float
    cupping_hu: float
    top_hu: float


def draw_scanner(rng: np.random.Generator, style: Style) -> Scanner:
    """Draws a scanner: half have slices of 2.5 to 5 mm, a third the short scale, a third some cupping."""
    u = rng.random(8)
    slice_mm = 2.5 + 2.5 * u[2] if u[1] < 0.5 else 0.0
    return Scanner(
        liver_sd=6.0 + 19.0 * style.between("ct_noise", 0.0, 1.0) ** 1.5,
        streak=0.55 + 0.3 * u[0],
        modulation=0.8 * u[3],
        slice_mm=slice_mm,
        step_mm=slice_mm * (0.7 + 0.3 * u[4]),
        phase=u[5],
        cupping_hu=18.0 * max(0.0, 3.0 * u[6] - 2.0),
        top_hu=SHORT_SCALE_HU if u[7] < 1.0 / 3.0 else 16000.0,
    )


def add_noise(
    hu: NDArray[np.int16], labels: NDArray[np.uint8], rng: np.random.Generator, spacing_mm: float, style: Style
) -> None:
    """Makes ``hu`` [X, Y, Z] look scanned, in place: noise where ``labels`` is not 0, slices everywhere."""
    seed = int(rng.integers(2**62))
    scan(hu, labels, seed, spacing_mm, draw_scanner(rng, style))


def scan(hu: NDArray[np.int16], labels: NDArray[np.uint8], seed: int, spacing_mm: float, scanner: Scanner) -> None:
    """Applies one scanner; the result depends on the seed only, not on the number of threads."""
    along_x, along_y, liver_x, liver_y = _paths(hu, labels, LABELS["liver"], MOST_DENSE)
    along_x, along_y = (
        np.minimum(ndimage.gaussian_filter1d(p, SPREAD_MM / spacing_mm, 0) * (0.1 * spacing_mm), MOST_CM)
        for p in (along_x, along_y)
    )
    var_x, var_y = SIDEWAYS * np.exp(GROWTH * along_x), np.exp(GROWTH * along_y)
    if liver_x.sum() > 0.0:
        liver = float((var_x * liver_x).sum() / liver_x.sum() + (var_y * liver_y).sum() / liver_y.sum())
    else:
        liver = float(SIDEWAYS * np.exp(GROWTH * LIVER_CM[0]) + np.exp(GROWTH * LIVER_CM[1]))
    level = ndimage.gaussian_filter1d(np.log(var_x.max(0) + var_y.max(0)), 20.0 / spacing_mm)
    at_liver = np.average(level, weights=liver_x.sum(0)) if liver_x.sum() > 0.0 else level.mean()
    gain = scanner.liver_sd / np.sqrt(liver) * np.exp(-0.5 * scanner.modulation * (level - at_liver))
    thick = scanner.slice_mm > spacing_mm
    _scan(
        hu, labels, np.uint64(seed), along_x, along_y, var_x, var_y, gain.astype(np.float32),
        scanner.slice_mm / spacing_mm if thick else 0.0, max(1.0, scanner.step_mm / spacing_mm) if thick else 1.0,
        scanner.phase, scanner.streak ** (spacing_mm / 2.0), 0.15 ** (spacing_mm / 2.0),
        min(1.0, spacing_mm / PITCH_MM), scanner.cupping_hu, scanner.top_hu,
    )  # fmt: skip


@njit(cache=True, inline="always")
def _density(hu, top):
    """Density (water 1) of a voxel, at most that of ``top`` HU."""
    return np.float32(0.001) * np.float32(min(max(np.int32(hu), np.int32(-1000)), top) + np.int32(1000))


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True, parallel=True)
def _paths(hu, labels, liver, most):
    """Sums over x [Y, Z] and over y [X, Z] of the density (water 1, at most ``most``), and of the voxels of liver."""
    nx, ny, nz = hu.shape
    along_x, liver_x = np.zeros((ny, nz), np.float32), np.zeros((ny, nz), np.float32)
    along_y, liver_y = np.zeros((nx, nz), np.float32), np.zeros((nx, nz), np.float32)
    top = np.int32(1000.0 * most) - 1000
    for j in prange(ny):
        for i in range(nx):
            for k in range(nz):
                along_x[j, k] += _density(hu[i, j, k], top)
                liver_x[j, k] += np.float32(labels[i, j, k] == liver)
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                along_y[i, k] += _density(hu[i, j, k], top)
                liver_y[i, k] += np.float32(labels[i, j, k] == liver)
    return along_x, along_y, liver_x, liver_y


@njit(cache=True, inline="always")
def _hash(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, inline="always")
def _pair(h):
    """Two numbers of mean 0 and variance 1, each the sum of two uniform ones."""
    mask = np.uint64(0xFFFF)
    a = np.float32(np.int64((h & mask) + ((h >> np.uint64(16)) & mask)) - 65535)
    b = np.float32(np.int64(((h >> np.uint64(32)) & mask) + (h >> np.uint64(48))) - 65535)
    return a * np.float32(3.7376e-5), b * np.float32(3.7376e-5)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True, inline="always")
def _sums(line, total):
    """Running sums of a line: ``total[k]`` of its first k voxels."""
    total[0] = 0
    for k in range(line.size):
        total[k + 1] = total[k] + line[k]


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True, inline="always")
def _mean(total, a, b):
    """Mean of a line between two places (voxel k covers k to k + 1), from its running sums."""
    n = total.size - 1
    a, b = min(max(a, 0.0), n - 1.0), max(min(b, float(n)), 1.0)
    i, j = int(a), min(int(b), n - 1)
    low = total[i] + (a - i) * (total[i + 1] - total[i])
    high = total[j] + (b - j) * (total[j + 1] - total[j])
    return (high - low) / (b - a)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True, parallel=True)
def _scan(
    hu, labels, seed, along_x, along_y, var_x, var_y, gain, thick, step, phase, streak, smooth, pitch, cupping, top
):  # fmt: skip
    """Slices ``thick`` voxels (0: none) every ``step`` voxels; noise of standard deviation gain * sqrt(var_x + var_y).

    Args:
        along_x, var_x: [Y, Z]; along_y, var_y: [X, Z]; gain: [Z]. streak, smooth: correlation from voxel to voxel along
        x of streaked and of plain noise. pitch: rows of independent noise a voxel in y. cupping: HU amid the body.
    """
    nx, ny, nz = hu.shape
    count = int(np.ceil(nz / step)) + 2
    most_x, most_y = along_x.max(), along_y.max()
    for j in prange(ny):
        lines, plain = np.zeros(count, np.float32), np.zeros(count, np.float32)
        value, noise = np.zeros(count, np.float32), np.zeros(count, np.float32)
        total = np.zeros(nz + 1, np.int64)
        row = int(j * pitch)
        f = j * pitch - row
        if pitch == 1.0:
            f = 0.2
        weigh = 1.0 / np.sqrt(f * f + (1.0 - f) * (1.0 - f))
        near, far = np.float32((1.0 - f) * weigh), np.float32(f * weigh)
        fresh_line, fresh_plain = np.sqrt(1.0 - streak * streak), np.sqrt(1.0 - smooth * smooth)
        link, new = np.float32(SLICE_LINK), np.float32(np.sqrt(1.0 - SLICE_LINK * SLICE_LINK))
        for i in range(nx):
            low, high = 0, nz
            while low < nz and hu[i, j, low] == -1000:
                low += 1
            if low == nz:
                continue
            while hu[i, j, high - 1] == -1000:
                high -= 1
            first, last = max(0, int(low / step) - 2), min(count, int(high / step) + 4)
            if thick > 0.0:
                _sums(hu[i, j], total)
            at = np.uint64((row * nx + i) * count) + seed * np.uint64(0x9E3779B97F4A7C15)
            up = at + np.uint64(nx * count)
            before_line, before_plain = np.float32(0.0), np.float32(0.0)
            for s in range(first, last):
                z = (s - phase) * step if thick > 0.0 else float(s)
                k = min(max(int(z + 0.5), 0), nz - 1)
                if thick > 0.0:
                    value[s] = _mean(total, z + 0.5 - 0.5 * thick, z + 0.5 + 0.5 * thick)
                a, b = _pair(_hash(at + np.uint64(s)))
                c, d = _pair(_hash(up + np.uint64(s)))
                if pitch < 1.0:
                    a = near * a + far * c
                b = near * b + far * d
                before_line = link * before_line + new * a
                before_plain = link * before_plain + new * b
                lines[s] = streak * lines[s] + fresh_line * before_line
                plain[s] = smooth * plain[s] + fresh_plain * before_plain
                share = min(max((along_x[j, k] - along_y[i, k]) / STREAKED_CM, 0.05), 0.95)
                mixed = np.sqrt(share) * lines[s] + np.sqrt(1.0 - share) * plain[s]
                deep = along_x[j, k] * along_y[i, k] / (most_x * most_y)
                noise[s] = mixed * gain[k] * np.sqrt(var_x[j, k] + var_y[i, k]) - cupping * deep
            for k in range(max(0, int((first - phase) * step) if thick > 0.0 else low), min(nz, high + int(thick) + 1)):
                if thick > 0.0:
                    g = k / step + phase
                    s = min(max(int(g), first), last - 2)
                    g = min(max(g - s, 0.0), 1.0)
                    v = value[s] + g * (value[s + 1] - value[s])
                    n = noise[s] + g * (noise[s + 1] - noise[s])
                else:
                    v, n = float(hu[i, j, k]), noise[k]
                if labels[i, j, k] != 0:
                    v += n
                hu[i, j, k] = np.int16(np.rint(min(max(v, -1024.0), top)))
