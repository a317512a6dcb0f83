"""Times of several functions in one run, taken in turns: a busy machine slows all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def in_turns(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Median and best milliseconds a call; each is called once before."""
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            times[name].append(1000 * (time.perf_counter() - begin))
    return {
        name: {"median_ms": round(statistics.median(some), 3), "best_ms": round(min(some), 3)}
        for name, some in times.items()
    }
