"""Named, counter-based random streams: the noise of a step depends on seed, stream and step, on nothing else."""

from __future__ import annotations

import numpy as np

STREAMS: tuple[str, ...] = ("patient", "placement", "noise", "perception", "disturbance", "policy", "task")


def stream(episode_seed: int, name: str, step: int = 0, plane: int = 0) -> np.random.Generator:
    """A generator for one (seed, stream, step, plane).

    Args:
        episode_seed: any non-negative integer below 2**63.
        name: one of ``STREAMS``.
    """
    if episode_seed < 0 or episode_seed >= 2**63:
        raise ValueError(f"episode seed {episode_seed} is out of range: want 0 <= seed < 2**63")
    key = np.array([episode_seed, STREAMS.index(name)], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, plane, step], np.uint64)))
