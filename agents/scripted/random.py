"""Uniform random actions: the lower bound."""

from __future__ import annotations

import numpy as np

from agents.scripted.base import Action, Laned
from agents.scripted.memory import Memory
from agents.scripted.view import View
from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset
from carm_env.sim.actions import action_size


class Random(Laned):
    """Draws every action uniformly; a function of seed, lane and step.

    Args:
        seed: >= 0.
        declare: let it declare arrival, which ends an episode after two steps on average.
        device: without effect, taken like every policy takes it.
    """

    def __init__(self, seed: int = 0, declare: bool = False, device: str | DevicePreset = "artis_biplane") -> None:
        if seed < 0:
            raise CarmError(f"policy random: seed={seed} is negative; want 0 or more")
        self.seed, self.declare = seed, declare

    def act(self, view: View, memory: Memory) -> Action:
        rng = np.random.default_rng([self.seed, memory.lane, memory.steps])
        action = rng.uniform(-1.0, 1.0, action_size(view.planar)).astype(np.float32)
        if not self.declare:
            action[-1] = -1.0
        return action
