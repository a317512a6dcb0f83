"""Figures with intervals: success rates, means, interquartile means, paired differences and ratios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError

F64 = NDArray[np.float64]
Statistic = Callable[[F64], F64]
"""Reduces the last axis of [..., n]."""
RESAMPLES = 10_000
CHUNK = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval, from ``n`` episodes."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval of a success rate (Wilson, JASA 22, 1927, 209-212); within [0, 1], also at 0 and n.

    Raises:
        CarmError: not 0 <= successes <= n with n >= 1, or a level outside (0, 1).
    """
    if not 0 <= successes <= n or n < 1:
        raise CarmError(f"{successes} successes of {n} episodes is impossible; want 0 <= successes <= n and n >= 1")
    z = NormalDist().inv_cdf(0.5 + 0.5 * _level(level))
    rate, weight = successes / n, z * z / n
    centre = (rate + weight / 2) / (1 + weight)
    half = z * np.sqrt(rate * (1 - rate) / n + weight / (4 * n)) / (1 + weight)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(rate, float(low), float(high), n)


def mean(values: ArrayLike) -> F64:
    """Arithmetic mean over the last axis."""
    return np.asarray(values, float).mean(axis=-1)


def interquartile_mean(values: ArrayLike) -> F64:
    """Mean of the middle half over the last axis (Agarwal et al., NeurIPS 2021, arXiv 2108.13264).

    A quarter of the values is dropped at each end; where that is not a whole number, the two values at the cuts count
    in part, so that exactly half the weight is kept.
    """
    ordered = np.sort(np.asarray(values, float), axis=-1)
    n = ordered.shape[-1]
    rank = np.arange(n)
    weight = np.clip(np.minimum(rank + 1, 0.75 * n) - np.maximum(rank, 0.25 * n), 0.0, 1.0)
    return (ordered * weight).sum(axis=-1) / weight.sum()


def bootstrap(
    values: ArrayLike,
    statistic: Statistic = mean,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

    Args:
        values: one figure an episode, [n], finite.
        clusters: labels [n] of episodes that belong together (the same patient): whole clusters are drawn.
        resamples: number of bootstrap samples; seed: of the draws, the same seed gives the same interval.

    Raises:
        CarmError: no values, values that are not finite, labels of another length, a level outside (0, 1).
    """
    x = _checked(values)
    groups = _groups(x, clusters)
    rng = np.random.default_rng(seed)
    drawn = _resampled(x, groups, statistic, resamples, rng)
    tail = 0.5 * (1.0 - _level(level))
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Interval(float(statistic(x)), float(low), float(high), len(x))


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    statistic: Statistic = mean,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """``bootstrap`` of the differences ``a - b`` of two policies on the same episodes, pair by pair.

    Args:
        a, b: [n] each, in the same order of seeds; the rest as for ``bootstrap``.

    Raises:
        CarmError: different lengths, and whatever ``bootstrap`` raises.
    """
    x, y = _checked(a), _checked(b)
    if len(x) != len(y):
        raise CarmError(f"paired figures of {len(x)} and {len(y)} episodes; want the same episodes on both sides")
    return bootstrap(x - y, statistic, clusters, level, resamples, seed)


def ratio_of_means(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Mean of ``a`` over mean of ``b``, resampled pair by pair.

    Args:
        a, b: [n] each, of the same episodes, ``b`` from zero up and not all zero; the rest as for ``bootstrap``.

    Raises:
        CarmError: different lengths, a ``b`` below zero or all zero, and whatever ``bootstrap`` raises.
    """
    x, y = _checked(a), _checked(b)
    if len(x) != len(y) or y.min() < 0 or y.max() == 0:
        raise CarmError(f"ratio of {len(x)} figures to {len(y)}; want as many on both sides, the second not all zero")

    def ratio(index: F64) -> F64:
        at = np.asarray(index, np.int64)
        return mean(x[at]) / np.maximum(mean(y[at]), np.finfo(float).tiny)

    return bootstrap(np.arange(len(x)), ratio, clusters, level, resamples, seed)


def _resampled(
    x: F64, groups: list[NDArray[np.int64]] | None, statistic: Statistic, resamples: int, rng: np.random.Generator
) -> F64:
    if groups is not None:
        picks = rng.integers(len(groups), size=(resamples, len(groups)))
        return np.array([statistic(x[np.concatenate([groups[g] for g in pick])]) for pick in picks])
    rows = max(1, CHUNK // len(x))
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([np.atleast_1d(statistic(x[rng.integers(len(x), size=(size, len(x)))])) for size in sizes])


def _groups(x: F64, clusters: ArrayLike | None) -> list[NDArray[np.int64]] | None:
    if clusters is None:
        return None
    labels = np.asarray(clusters)
    if labels.shape != x.shape:
        raise CarmError(f"{labels.size} cluster labels for {len(x)} episodes; want one label an episode")
    _, member = np.unique(labels, return_inverse=True)
    return [np.flatnonzero(member == k) for k in range(int(member.max()) + 1)]


def _checked(values: ArrayLike) -> F64:
    x = np.asarray(values, float)
    if x.ndim != 1 or len(x) == 0 or not np.isfinite(x).all():
        raise CarmError(f"figures of shape {x.shape} cannot be summarised; want at least one, all finite")
    return x


def _level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise CarmError(f"confidence level {level} is out of range; want 0 < level < 1, as in 0.95")
    return level
