"""Action helpers for simulator tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from carm_env.sim.actions import preset_action
from carm_env.sim.config import SimConfig
from carm_env.sim.simulator import Simulator

PATIENT = "phantom:0"


def action(**set_: Any) -> np.ndarray:
    """A resting biplane action with some entries set by name."""
    a = np.zeros(14, np.float32)
    a[8:10], a[10:12], a[12], a[13] = -1, 1, preset_action(2), -1
    index = {"x": 0, "y": 1, "z": 2, "a": 3, "deploy": 7, "expose_a": 8, "expose_b": 9, "field_a": 10, "field_b": 11,
             "preset": 12, "declare": 13}  # fmt: skip
    for name, value in set_.items():
        a[index[name]] = value
    return a


def simulator(lanes: int = 1, **config: Any) -> Simulator:
    """A simulator over the quick phantom."""
    return Simulator(SimConfig(**{"patient": PATIENT, **config}), lanes)


def at_target(sim: Simulator) -> Simulator:
    """Every lane resting at its goal pose, plane B swung in."""
    r = sim.result
    r.position[:, :3] = r.target_mm
    r.position[:, 3:7] = sim.device.home[3:7]
    r.position[:, 7] = sim.device.deploy_deg
    r.velocity[:] = 0
    return sim


def drive(sim: Simulator, actions: np.ndarray) -> list[Any]:
    """Steps through [T, N, A] and returns a snapshot of every step."""
    return [sim.step(a).copy() for a in actions]


def wander(seed: int, steps: int, lanes: int = 1) -> np.ndarray:
    """Random actions that never declare, [T, N, 14]; about a third expose plane A."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(-1, 1, (steps, lanes, 14)).astype(np.float32)
    a[..., 7], a[..., 9], a[..., 13] = -1, -1, -1
    a[..., 8] = rng.uniform(-1, 0.5, (steps, lanes))
    return a
