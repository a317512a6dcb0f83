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
LEAST_WINDOW, WIDEST_WINDOW = 0.5, 3.0
"""Width of the window in ln of the signal: an even field does not become a picture of its noise, and the open air
beside a head or neck saturates instead of taking the greys from the body."""


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
            low, high = _window(sample)
            grey = (logarithm - low) * np.float32(255.0 / (high - low))
            np.copyto(image, np.clip(grey, 0.0, 255.0).astype(np.uint8), where=inside)
    return out


def _window(sample: F32) -> tuple[np.float32, np.float32]:
    """Lower and upper end of the window from the pixels inside the field."""
    part = sample[:: max(1, sample.size // SAMPLES)]
    low, high = np.percentile(part, (LOW_PERCENT, HIGH_PERCENT)).astype(np.float32)
    high = min(high, low + np.float32(WIDEST_WINDOW))
    lack = max(np.float32(0.0), np.float32(LEAST_WINDOW) - (high - low)) / np.float32(2.0)
    return low - lack, high + lack
