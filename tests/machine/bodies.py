"""Hulls and states that several tests use."""

from __future__ import annotations

import numpy as np

from carm_env.geometry import Capsules
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import MachineState

DT_S = 2 / 15


def body(half_width_mm: float = 260.0, thickness_mm: float = 320.0, vertex_mm: float = -100.0) -> Capsules:
    """A broad trunk on the mattress, a head and arms raised beside it."""
    r = thickness_mm / 2
    centre, side = -50.0 - r, half_width_mm - r
    trunk = [((x, centre, -1700), (x, centre, vertex_mm - 250 - r), r) for x in (-side, 0.0, side)]
    head = [((0, -150, vertex_mm - 180), (0, -150, vertex_mm - 80), 80)]
    arms = [
        ((s, -130, vertex_mm - 350), (s, -130, vertex_mm + 150), 50) for s in (50 - half_width_mm, half_width_mm - 50)
    ]
    a, b, radius = (np.array(c, float) for c in zip(*trunk, *head, *arms, strict=True))
    return Capsules(a, b, radius)


def at(preset: DevicePreset, x: float = 0.0, y: float = -150.0, z: float = -800.0, **angles: float) -> MachineState:
    """One lane at rest at home, with some of a1, a2, b1, b2, deploy set."""
    position = preset.home.copy()
    position[:3] = x, y, z
    for name, value in angles.items():
        position[3 + ("a1", "a2", "b1", "b2", "deploy").index(name)] = value
    return MachineState(position[None], np.zeros((1, 8)))


def command(**axes: float) -> np.ndarray:
    """Command of one lane, [1, 8]."""
    names = ("x", "y", "z", "a1", "a2", "b1", "b2", "deploy")
    return np.array([[axes.get(name, 0.0) for name in names]])
