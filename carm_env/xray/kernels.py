"""Pixel loops of the X-ray chain (numba): imported only by the functions that call them.

Images are [H, W]; a field is ``r0, r1, c0, c1``: rows r0 to r1 - 1 and columns c0 to c1 - 1. ``values`` is the table
of a ``lookup.BeamTable``. Every kernel works on one frame, so no frame can depend on its batch.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from carm_env.xray.lookup import BONE_NODES, BONE_STEP, SOFT_NODES, SOFT_STEP

kernel = njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
inline = njit(cache=True, fastmath=True, error_model="numpy", nogil=True, inline="always")
PER_SOFT, PER_BONE = np.float32(1.0 / SOFT_STEP), np.float32(1.0 / BONE_STEP)
LAST_SOFT, LAST_BONE = SOFT_NODES - 2, BONE_NODES - 2
MOST_SOFT, MOST_BONE = np.float32(2 * (SOFT_NODES - 1)), np.float32(2 * (BONE_NODES - 1))
"""Extrapolation ends at twice the grid (120 and 40 g/cm2): everything denser counts as that."""
ZERO = np.float32(0.0)
LOG2_E = np.float32(1.4426950408889634)
POWERS = np.float32(2.0) ** -np.arange(127, dtype=np.float32)
C0, C1, C2 = np.float32(0.999999896), np.float32(0.693154620), np.float32(0.240140771)
C3, C4, C5 = np.float32(0.055863283), np.float32(0.008946215), np.float32(0.001895107)
"""Chebyshev fit of 2**f on [0, 1]: relative error 1e-7."""


@inline
def _exp(x):
    """exp of a float32 (positive ones count as 0), with arithmetic that the compiler can vectorise."""
    y = min(max(x * LOG2_E, np.float32(-125.0)), ZERO) - np.float32(1.0)
    n = int(-y)
    f = y + np.float32(n) + np.float32(1.0)
    return POWERS[n] * (C0 + f * (C1 + f * (C2 + f * (C3 + f * (C4 + f * C5)))))


@inline
def _cell(soft, bone):
    x = min(max(soft, ZERO) * PER_SOFT, MOST_SOFT)
    y = min(max(bone, ZERO) * PER_BONE, MOST_BONE)
    i = min(int(x), LAST_SOFT)
    j = min(int(y), LAST_BONE)
    return i, j, x - np.float32(i), y - np.float32(j)


@inline
def _bilinear(values, i, j, fx, fy, channel):
    low = values[i, j, channel] + fy * (values[i, j + 1, channel] - values[i, j, channel])
    high = values[i + 1, j, channel] + fy * (values[i + 1, j + 1, channel] - values[i + 1, j, channel])
    return low + fx * (high - low)


@kernel
def evaluate(line_integrals, values, channel, out):
    """One channel of [M, 2, H, W] into ``out`` [M, H, W]; channels 0 and 1 as transmissions."""
    m, _, h, w = line_integrals.shape
    for k in range(m):
        for r in range(h):
            for c in range(w):
                i, j, fx, fy = _cell(line_integrals[k, 0, r, c], line_integrals[k, 1, r, c])
                out[k, r, c] = _bilinear(values, i, j, fx, fy, channel)
            if channel < 2:
                for c in range(w):
                    out[k, r, c] = _exp(out[k, r, c])


@kernel
def measure(frame, values, r0, r1, c0, c1):
    """Means over a rectangle of the table's four channels (the first two still logarithms)."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for r in range(r0, r1):
        for c in range(c0, c1):
            i, j, fx, fy = _cell(frame[0, r, c], frame[1, r, c])
            s0 += _bilinear(values, i, j, fx, fy, 0)
            s1 += _bilinear(values, i, j, fx, fy, 1)
            s2 += _bilinear(values, i, j, fx, fy, 2)
            s3 += _bilinear(values, i, j, fx, fy, 3)
    n = (r1 - r0) * (c1 - c0)
    return s0 / n, s1 / n, s2 / n, s3 / n


@kernel
def block_means(image, r0, r1, c0, c1, out):
    """Means of ``image`` over the blocks that divide the field evenly, into ``out`` [B, C]."""
    rows, columns = out.shape
    for b in range(rows):
        top, bottom = r0 + b * (r1 - r0) // rows, r0 + (b + 1) * (r1 - r0) // rows
        for d in range(columns):
            left, right = c0 + d * (c1 - c0) // columns, c0 + (d + 1) * (c1 - c0) // columns
            total = ZERO
            for r in range(top, bottom):
                for c in range(left, right):
                    total += image[r, c]
            out[b, d] = total / ((bottom - top) * (right - left))


@kernel
def water_equivalent(frame, per_soft, per_bone, r0, r1, c0, c1, out):
    """Water-equivalent thickness (cm) of the rays in the field, into ``out`` [H, W]."""
    for r in range(r0, r1):
        for c in range(c0, c1):
            out[r, c] = max(frame[0, r, c], ZERO) * per_soft + max(frame[1, r, c], ZERO) * per_bone


@kernel
def primary(frame, values, r0, r1, c0, c1, signal, noise_kev):
    """Energy signal of the primary beam relative to the open beam, and its noise factor, into [H, W] images."""
    for r in range(r0, r1):
        for c in range(c0, c1):
            i, j, fx, fy = _cell(frame[0, r, c], frame[1, r, c])
            signal[r, c] = _bilinear(values, i, j, fx, fy, 0)
            noise_kev[r, c] = _bilinear(values, i, j, fx, fy, 2)
        for c in range(c0, c1):
            signal[r, c] = _exp(signal[r, c])


@inline
def _position(pixel, pixels, blocks):
    x = min(max((pixel + 0.5) * blocks / pixels - 0.5, 0.0), blocks - 1.0)
    i = min(int(x), max(blocks - 2, 0))
    return i, min(i + 1, blocks - 1), np.float32(x - i)


@kernel
def add_scatter(signal, scatter, r0, r1, c0, c1):
    """Adds the coarse ``scatter`` [B, C], bilinearly between block centres, to the field of ``signal``."""
    rows, columns = scatter.shape
    line = np.empty(columns, np.float32)
    for r in range(r0, r1):
        a, b, f = _position(r - r0, r1 - r0, rows)
        for c in range(columns):
            line[c] = scatter[a, c] + f * (scatter[b, c] - scatter[a, c])
        for c in range(c0, c1):
            a, b, f = _position(c - c0, c1 - c0, columns)
            signal[r, c] += line[a] + f * (line[b] - line[a])


@kernel
def detect(relative, noise_kev, gain, variance_per_kev, quantum, sigma, electronic, r0, r1, c0, c1, out):
    """The detector's signal: ``gain`` times the relative energy, quantum and electronic noise, not below 0."""
    for r in range(r0, r1):
        for c in range(c0, c1):
            mean = gain * relative[r, c]
            spread = math.sqrt(mean * noise_kev[r, c] * variance_per_kev)
            out[r, c] = max(mean + spread * quantum[r, c] + sigma * electronic[r, c], ZERO)
