"""Display images: logarithm, robust window, fluoroscopy polarity (bone dark, air bright), black shutters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError

F32 = NDArray[np.float32]

FLOOR = np.float32(1e-3)
"""Signals below this show as this (their logarithm must be finite)."""
SAMPLES = 2048
"""About as many pixels inside the field set the window."""
LOW_PERCENT, HIGH_PERCENT = 1.0, 99.0
LEAST_WINDOW, WIDEST_WINDOW = 0.5, 5.0
"""Width of the window in ln of the signal: an even field does not become a picture of its noise, and the open air
beside a body saturates instead of taking its greys. A head beside raised arms, which let through e^4 times less, is
still seen."""
BINS, LEVELS = 32, 1024
EQUALISED, STEEPEST = 0.6, 3.0
"""Share of the equalised tone curve, and its greatest slope over that of the straight line: a body beside much open
air keeps its contrast, and noise is not raised to a picture."""


def to_display(signal: F32, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Raw signals as images.

    Args:
        signal: linear detector signal, float32 [M, H, W].
        mask: inside the collimated field, bool [M, H, W].

    Returns:
        uint8 [M, H, W], 0 outside the field; each frame depends on itself only.

    Raises:
        CarmError: shapes that do not agree.
    """
    if signal.ndim != 3 or signal.shape != mask.shape:
        raise CarmError(f"signal {signal.shape} and mask {mask.shape} do not agree: want [M, H, W] twice")
    out = np.zeros(signal.shape, np.uint8)
    for frame, inside, image in zip(signal, mask, out, strict=True):
        logarithm = np.log(np.maximum(frame, FLOOR))
        sample = logarithm[inside]
        if sample.size:
            part = sample[:: max(1, sample.size // SAMPLES)]
            low, high = _window(part)
            level = (logarithm - low) * np.float32((LEVELS - 1) / (high - low))
            grey = _tones(part, low, high)[np.clip(level, 0, LEVELS - 1).astype(np.int16)]
            np.copyto(image, grey, where=inside)
    return out


def _tones(part: F32, low: np.float32, high: np.float32) -> NDArray[np.uint8]:
    """Greys of ``LEVELS`` steps through the window: in part a straight line, in part equalised, contrast limited."""
    share = np.histogram(np.clip(part, low, high), BINS, (float(low), float(high)))[0] / part.size
    limited = np.minimum(share, STEEPEST / BINS)
    limited += (1.0 - limited.sum()) / BINS
    line = np.linspace(0.0, 1.0, LEVELS)
    equalised = np.interp(line, np.linspace(0.0, 1.0, BINS + 1), np.concatenate([[0.0], np.cumsum(limited)]))
    return (255.0 * (EQUALISED * equalised + (1.0 - EQUALISED) * line)).astype(np.uint8)


def _window(part: F32) -> tuple[np.float32, np.float32]:
    """Lower and upper end of the window from pixels inside the field."""
    low, high = np.percentile(part, (LOW_PERCENT, HIGH_PERCENT)).astype(np.float32)
    high = min(high, low + np.float32(WIDEST_WINDOW))
    lack = max(np.float32(0.0), np.float32(LEAST_WINDOW) - (high - low)) / np.float32(2.0)
    return low - lack, high + lack
