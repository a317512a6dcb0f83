"""From the heights of slices to evenly spaced ones: what is uniform, what is filled, what is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

UNIFORM_SHARE, UNIFORM_MM = 0.02, 0.02
"""Gaps that differ from the median by less than either are equal."""
DRIFT_SHARE, DRIFT_MM = 0.25, 0.5
"""Slices may lie this far off an even grid, in steps and in mm."""
FILL_MAX_MM = 15.0
FILL_MAX_GAPS, FILL_MAX_SHARE = 3, 0.1
"""How many gaps may lack slices, at least and as a share of all; where more do, the spacing itself changes."""
RESAMPLE_MAX_MM = 10.0
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Sampling:
    """Evenly spaced slices as mixtures of given ones.

    Attributes:
        below, above, weight: [slices]; slice k is ``(1 - weight) * below + weight * above``.
        step_mm: their distance. filled_mm: z ranges interpolated for want of slices. notes: one line a correction.
    """

    below: I64
    above: I64
    weight: F64
    step_mm: float
    filled_mm: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()


def sample_heights(heights_mm: F64, spans_mm: F64) -> Sampling:
    """How to get evenly spaced slices.

    Args:
        heights_mm: [n] along the normal, strictly rising, n >= 2.
        spans_mm: [n, 3] lowest z, highest z and centre (for messages) of each slice, LPS.

    Raises:
        CarmError: too much is missing; the message says where.
    """
    gaps = np.diff(heights_mm)
    median = float(np.median(gaps))
    counts = np.maximum(np.rint(gaps / median), 1).astype(int)
    whole = bool((np.abs(gaps - counts * median) <= np.maximum(UNIFORM_SHARE * median, UNIFORM_MM) * counts).all())
    lacking = np.flatnonzero(counts > 1)
    few = len(lacking) <= max(FILL_MAX_GAPS, FILL_MAX_SHARE * len(gaps))
    if whole and few and _is_even(heights_mm, counts):
        if len(lacking) and gaps.max() > FILL_MAX_MM + UNIFORM_MM:
            raise CarmError(_missing(gaps, counts, spans_mm, median))
        return _filled(heights_mm, counts, spans_mm)
    if gaps.max() > RESAMPLE_MAX_MM + UNIFORM_MM:
        raise CarmError(_missing(gaps, counts, spans_mm, median))
    return _resampled(heights_mm, gaps, spans_mm)


def _is_even(heights: F64, counts: I64) -> bool:
    """Whether small differences of the gaps do not add up to a wrong place."""
    steps = np.concatenate([[0], np.cumsum(counts)])
    step = (heights[-1] - heights[0]) / steps[-1]
    return bool(np.abs(heights - heights[0] - steps * step).max() <= min(DRIFT_SHARE * step, DRIFT_MM))


def _filled(heights: F64, counts: I64, spans: F64) -> Sampling:
    """The slices themselves, with linear interpolation where some are missing."""
    below = np.append(np.repeat(np.arange(len(counts)), counts), len(counts))
    starts = np.concatenate([[0], np.cumsum(counts)])
    weight = (np.arange(len(below)) - starts[below]) / np.append(counts, 1)[below]
    above = np.minimum(below + (weight > 0), len(counts))
    filled, text = _ranges(np.flatnonzero(counts > 1), spans)
    number = int((counts - 1).sum())
    notes = (f"{number} missing slice{'s' * (number > 1)} interpolated (z {text} mm)",) if number else ()
    return Sampling(below, above, weight, float(heights[-1] - heights[0]) / int(starts[-1]), filled, notes)


def _resampled(heights: F64, gaps: F64, spans: F64) -> Sampling:
    """Linear interpolation at the smallest distance (at least a quarter of the median)."""
    median = float(np.median(gaps))
    step = max(float(gaps.min()), median / 4)
    grid = heights[0] + step * np.arange(int((heights[-1] - heights[0]) / step + 1e-6) + 1)
    below = np.clip(np.searchsorted(heights, grid + 1e-9, side="right") - 1, 0, len(heights) - 2)
    weight = np.clip((grid - heights[below]) / gaps[below], 0.0, 1.0)
    note = f"slices {gaps.min():.4g} to {gaps.max():.4g} mm apart: resampled to {step:.4g} mm"
    filled, _ = _ranges(np.flatnonzero(gaps > 2.5 * median), spans)
    return Sampling(below, below + 1, weight, step, filled, (note,))


def _ranges(lacking: I64, spans: F64) -> tuple[tuple[tuple[float, float], ...], str]:
    """The z ranges of the gaps after the slices ``lacking``, and the first of them as text."""
    ranges = [
        (round(float(spans[i : i + 2, 0].min()), 3), round(float(spans[i : i + 2, 1].max()), 3)) for i in lacking
    ]
    text = ", ".join(f"{low:.1f}..{high:.1f}" for low, high in ranges[:_SHOWN])
    return tuple(ranges), text + (", ..." if len(ranges) > _SHOWN else "")


def _missing(gaps: F64, counts: I64, spans: F64, median: float) -> str:
    worst = int(gaps.argmax())
    low, high = sorted(spans[worst : worst + 2, 2])
    lacking = int(counts[worst]) - 1
    others = int((counts > 1).sum()) - 1
    more = f" and {others} more gap{'s' * (others > 1)}" if others > 0 else ""
    what = f"about {lacking} slice{'s' * (lacking > 1)} missing" if lacking else "no slice"
    return (
        f"{what} between {low:.1f} and {high:.1f} mm ({gaps[worst]:.1f} mm apart, elsewhere {median:.4g}){more}; "
        "want all slices of one CT series"
    )
