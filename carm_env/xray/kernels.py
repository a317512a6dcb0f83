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
LEAST_SOFT = np.float32(-20.0 / SOFT_STEP)
"""Extrapolation ends at twice the grid (120 and 40 g/cm2): everything denser counts as that; and at -20 g/cm2 of soft
tissue (metal)."""
ZERO = np.float32(0.0)
LOG2_E = np.float32(1.4426950408889634)
POWERS = np.float32(2.0) ** -np.arange(127, dtype=np.float32)
C0, C1, C2 = np.float32(0.999999896), np.float32(0.693154620), np.float32(0.240140771)
C3, C4, C5 = np.float32(0.055863283), np.float32(0.008946215), np.float32(0.001895107)
"""Chebyshev fit of 2**f on [0, 1]: relative error 1e-7."""
MANY = 20.0
"""Counts above this are drawn by the Cornish-Fisher expansion of the Poisson quantile (mean exact, variance 0.06 too
large), fewer by inversion of its distribution."""


@inline
def _exp(x):
    """exp of a float32 (positive ones count as 0), with arithmetic that the compiler can vectorise."""
    y = min(max(x * LOG2_E, np.float32(-125.0)), ZERO) - np.float32(1.0)
    n = int(-y)
    f = y + np.float32(n) + np.float32(1.0)
    return POWERS[n] * (C0 + f * (C1 + f * (C2 + f * (C3 + f * (C4 + f * C5)))))


@inline
def _cell(soft, bone):
    x = min(max(soft * PER_SOFT, LEAST_SOFT), MOST_SOFT)
    y = min(max(bone, ZERO) * PER_BONE, MOST_BONE)
    i = min(max(int(x), 0), LAST_SOFT)
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
def survey_field(frame, per_soft, per_bone, mu, nodes, growth, r0, r1, c0, c1, water, layers):
    """Water-equivalent thickness of the rays in a field, and where its scatter starts.

    Args:
        frame: line integrals, [2, H, W]; per_soft, per_bone: cm of water a g/cm2; mu: of water, 1/cm.
        nodes: thicknesses in cm, from 0 in equal steps, [K].
        growth: relative growth of the last layer a cm beyond the last node.
        water: filled with block means of the thickness, [B, C].
        layers: filled with block means of the primary exp(-mu thickness) times the nodes' hat functions, [K, B, C].
    """
    rows, columns = water.shape
    last, per_step = len(nodes) - 1, np.float32(1.0 / nodes[1])
    layers[:] = 0.0
    for b in range(rows):
        top, bottom = r0 + b * (r1 - r0) // rows, r0 + (b + 1) * (r1 - r0) // rows
        for d in range(columns):
            left, right = c0 + d * (c1 - c0) // columns, c0 + (d + 1) * (c1 - c0) // columns
            total = ZERO
            for r in range(top, bottom):
                for c in range(left, right):
                    t = max(frame[0, r, c] * per_soft + max(frame[1, r, c], ZERO) * per_bone, ZERO)
                    total += t
                    beam, at = _exp(-mu * t), t * per_step
                    k = int(at)
                    if k < last:
                        share = at - np.float32(k)
                        layers[k, b, d] += beam * (np.float32(1.0) - share)
                        layers[k + 1, b, d] += beam * share
                    else:
                        layers[last, b, d] += beam * (1.0 + growth * (t - nodes[last]))
            pixels = (bottom - top) * (right - left)
            water[b, d] = total / pixels
            for k in range(len(nodes)):
                layers[k, b, d] /= pixels


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
def smooth(image, taps, r0, r1, c0, c1, line):
    """Convolves the field of an image with symmetric ``taps`` [R + 1] (middle first) along rows and columns, in place;
    the field's border goes on with its last value. ``line``: as long as the longer side of the field."""
    radius = len(taps) - 1
    for r in range(r0, r1):
        for c in range(c0, c1):
            total = taps[0] * image[r, c]
            for k in range(1, radius + 1):
                total += taps[k] * (image[r, max(c - k, c0)] + image[r, min(c + k, c1 - 1)])
            line[c - c0] = total
        for c in range(c0, c1):
            image[r, c] = line[c - c0]
    past = np.empty((radius + 1, c1 - c0), np.float32)
    for k in range(radius + 1):
        past[k] = image[r0, c0:c1]
    for r in range(r0, r1):
        for k in range(radius, 0, -1):
            past[k] = past[k - 1]
        past[0] = image[r, c0:c1]
        for c in range(c0, c1):
            image[r, c] = taps[0] * past[0, c - c0]
        for k in range(1, radius + 1):
            below = min(r + k, r1 - 1)
            for c in range(c0, c1):
                image[r, c] += taps[k] * (past[k, c - c0] + (image[below, c] if below > r else past[0, c - c0]))


@inline
def _counts(mean, normal):
    """The Poisson variate of a mean below ``MANY`` that has the same probability as the standard normal."""
    share = 0.5 * math.erfc(-normal * 0.7071067811865476)
    term = math.exp(-mean)
    total, count = term, 0
    while share > total and count < 200:
        count += 1
        term *= mean / count
        total += term
    return np.float32(count)


@kernel
def absorb(relative, noise_kev, gain, per_kev, quantum, r0, r1, c0, c1, out):
    """Signal of the absorbed quanta: Poisson around ``gain`` times the relative energy.

    Args:
        per_kev: signal of 1 keV in a pixel; noise_kev: keV that a counted quantum stands for, [H, W].
        quantum: one standard normal a pixel, [H, W].
    """
    sixth, one, many = np.float32(1.0 / 6.0), np.float32(1.0), np.float32(MANY)
    for r in range(r0, r1):
        fewest = many
        for c in range(c0, c1):
            each = noise_kev[r, c] * per_kev
            mean = gain * relative[r, c] / each
            fewest = min(fewest, mean)
            z = quantum[r, c]
            out[r, c] = max(mean + math.sqrt(mean) * z + sixth * (z * z - one), ZERO) * each
        if fewest < many:
            for c in range(c0, c1):
                each = noise_kev[r, c] * per_kev
                mean = gain * relative[r, c] / each
                if mean < many:
                    out[r, c] = _counts(mean, quantum[r, c]) * each


@kernel
def read_out(sigma, electronic, r0, r1, c0, c1, out):
    """Adds electronic noise to the field of a signal, which stays at 0 or above."""
    for r in range(r0, r1):
        for c in range(c0, c1):
            out[r, c] = max(out[r, c] + sigma * electronic[r, c], ZERO)


@inline
def box_share(start, end, low, high):
    """Share of the way from ``start`` to ``end`` that lies in a box of corners ``low`` and ``high``, all [3]."""
    enter, leave = 0.0, 1.0
    for axis in range(3):
        step = end[axis] - start[axis]
        if step == 0.0:
            if start[axis] < low[axis] or start[axis] > high[axis]:
                leave = 0.0
            continue
        one, two = (low[axis] - start[axis]) / step, (high[axis] - start[axis]) / step
        enter, leave = max(enter, min(one, two)), min(leave, max(one, two))
    return max(leave - enter, 0.0)


@kernel
def add_slab(sources, corners, columns, rows, low, high, per_mm, line_integrals):
    """Adds ``per_mm`` of soft tissue for each mm of a box (corners ``low``, ``high``) between source and pixel.

    Cameras, float64 [M, 3]: focal spot, centre of pixel (0, 0), step to the next column and to the next row.
    """
    m, _, height, width = line_integrals.shape
    pixel = np.empty(3)
    for k in range(m):
        for r in range(height):
            for c in range(width):
                square = 0.0
                for axis in range(3):
                    pixel[axis] = corners[k, axis] + c * columns[k, axis] + r * rows[k, axis]
                    square += (pixel[axis] - sources[k, axis]) ** 2
                share = box_share(sources[k], pixel, low, high)
                line_integrals[k, 0, r, c] += np.float32(share * math.sqrt(square) * per_mm)
