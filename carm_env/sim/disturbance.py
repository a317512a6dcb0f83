"""Errors injected into estimates: what a policy is worth when perception is worse than it says."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from carm_env.sim.perception import PRIOR_SD_MM, Estimate
from carm_env.sim.streams import stream

MAX_MM = 1000.0
MAX_DELAY = 100
_Row = tuple[NDArray[Any], ...]
_COLUMNS = ("displacement_mm", "covariance_mm2", "landmark_nearest", "landmark_visible", "valid")


@dataclass(frozen=True)
class DisturbanceConfig:
    """Sizes of the injected errors; all off by default.

    Attributes:
        bias_mm: added to every valid displacement, (x, y, z) in table axes.
        noise_mm: standard deviation of a further error on each axis, drawn anew for every frame.
        dropout: probability that a frame's estimate is not valid.
        delay: exposures of the same plane by which estimates come late. The policy is told an old estimate as if it
            belonged to the present exposure; the first ``delay`` ones of an episode are not valid.
        overconfidence: factor by which reported standard deviations are too small (below 1: too large).
    """

    bias_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise_mm: float = 0.0
    dropout: float = 0.0
    delay: int = 0
    overconfidence: float = 1.0

    def __post_init__(self) -> None:
        bias = self.bias_mm
        if not (isinstance(bias, Sequence) and len(bias) == 3 and all(_within(b, -MAX_MM, MAX_MM) for b in bias)):
            raise CarmError(f"disturbance.bias_mm={bias!r} is no shift; want x, y, z, each from -1000 to 1000 mm")
        limits = {"noise_mm": (0.0, MAX_MM), "dropout": (0.0, 1.0), "overconfidence": (0.01, 100.0)}
        for name, (low, high) in limits.items():
            if not _within(getattr(self, name), low, high):
                raise CarmError(f"disturbance.{name}={getattr(self, name)!r} is out of range; want {low:g} to {high:g}")
        if not (isinstance(self.delay, int) and _within(self.delay, 0, MAX_DELAY)):
            raise CarmError(f"disturbance.delay={self.delay!r} is out of range; want a whole number, 0 to {MAX_DELAY}")

    @property
    def is_off(self) -> bool:
        """Whether estimates pass unchanged."""
        return not any((*self.bias_mm, self.noise_mm, self.dropout, self.delay)) and self.overconfidence == 1.0


def disturbance_settings(given: Mapping[str, Any]) -> DisturbanceConfig:
    """The settings, checked.

    Raises:
        CarmError: an unknown name or a value out of range.
    """
    known = [f.name for f in fields(DisturbanceConfig)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise CarmError(f"disturbance.{unknown[0]} is unknown; settings: {', '.join(known)}")
    return DisturbanceConfig(**given)


class Disturbance:
    """Changes estimates between perception and the lanes. A frame's errors depend on its episode's seed, step and
    plane, and on the lane's earlier exposures; not on the batch.

    Args:
        lanes, planes: of the simulator.
    """

    def __init__(self, config: DisturbanceConfig, lanes: int, planes: int) -> None:
        self._config = config
        self._held: list[list[deque[_Row]]] = [[deque() for _ in range(planes)] for _ in range(lanes)]

    def reset(self, lane: int) -> None:
        """Forgets the estimates that a lane has not been told yet."""
        for held in self._held[lane]:
            held.clear()

    def apply(self, estimate: Estimate, seeds: NDArray[np.int64], steps: NDArray[np.int64]) -> Estimate:
        """The disturbed estimate; the given one itself where everything is off.

        Args:
            estimate: M rows; seeds, steps: episode seed and step of each row's lane, [M].
        """
        if self._config.is_off:
            return estimate
        table = {name: np.array(getattr(estimate, name)) for name in _COLUMNS}
        for i, (lane, plane) in enumerate(zip(estimate.lane, estimate.plane, strict=True)):
            row = self._erring(tuple(table[name][i] for name in _COLUMNS), int(seeds[i]), int(steps[i]), int(plane))
            for name, value in zip(_COLUMNS, self._late(row, int(lane), int(plane)), strict=True):
                table[name][i] = value
        return replace(estimate, **table)

    def _erring(self, row: _Row, seed: int, step: int, plane: int) -> _Row:
        """Bias, noise, overconfidence and dropout. Draws are the same at every size, so that sizes can be compared."""
        c, rng = self._config, stream(seed, "disturbance", step, plane)
        noise, luck = rng.standard_normal(3), rng.random()
        displacement, covariance, nearest, visible, valid = row
        if not valid:
            return tuple(np.array(value) for value in row)
        if luck < c.dropout:
            return _nothing()
        moved = displacement + np.asarray(c.bias_mm, float) + c.noise_mm * noise
        return moved, covariance / c.overconfidence**2, nearest.copy(), visible.copy(), valid

    def _late(self, row: _Row, lane: int, plane: int) -> _Row:
        held = self._held[lane][plane]
        held.append(row)
        return held.popleft() if len(held) > self._config.delay else _nothing()


def _nothing() -> _Row:
    """The columns of an estimate that is not valid."""
    k = len(LANDMARKS)
    return np.zeros(3), np.diag(np.square(PRIOR_SD_MM)), np.full(k, 1.0 / k), np.zeros(k), np.array(False)


def _within(value: Any, low: float, high: float) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return isfinite(value) and low <= value <= high
