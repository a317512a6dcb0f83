"""One patient under every cell, and how an episode failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.runner import RunSpec, run_episode
from carm_env.episode.recorder import EpisodeRecord

FAILURES: dict[str, str] = {
    "false_arrival": "declared where it was not, or without resting and verifying",
    "collision": "ran out of time after touching something",
    "gave_up": "ran out of time, having neither moved nor exposed for its last 5 s",
    "timeout": "ran out of time while still at work",
}
"""Kinds of failure, the first that applies."""
IDLE_S = 5.0
STILL = 1e-3
"""mm or degrees a step below which an axis stands still."""


def patient_rows(specs: Sequence[RunSpec], seed: int) -> list[dict[str, Any]]:
    """Summaries of one episode under several specifications, with ``idle_s`` and ``failure``.

    Args:
        specs: over the same patient, so that it is loaded once.
    """
    return [_row(spec, seed) for spec in specs]


def _row(spec: RunSpec, seed: int) -> dict[str, Any]:
    env = spec.make_env()
    try:
        record = run_episode(spec, seed, env, frames=False)
    finally:
        env.close()
    idle = idle_s(record)
    return {**record.summary, "idle_s": idle, "failure": failure_of(record.summary, idle)}


def idle_s(record: EpisodeRecord) -> float:
    """Time since the last motion or exposure at the end of an episode, s."""
    moved = np.abs(np.diff(record.position, axis=0, prepend=record.position[:1])).max(axis=1) > STILL
    for mark in "ab"[: record.planes]:
        moved |= record.steps[f"exposed_{mark}"]
    last = int(np.flatnonzero(moved)[-1]) if moved.any() else 0
    elapsed = record.steps["elapsed_s"]
    return float(elapsed[-1] - elapsed[last])


def failure_of(summary: dict[str, Any], idle: float) -> str:
    """The kind of failure (a key of ``FAILURES``), empty for a success."""
    if summary["success"]:
        return ""
    if summary["outcome"] == "false_arrival":
        return "false_arrival"
    if summary["collisions"]:
        return "collision"
    return "gave_up" if idle >= IDLE_S else "timeout"
