"""Velocity commands that bring table and gantry to a pose and to rest there, as fast as the accelerations allow."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from carm_env.machine.presets import DevicePreset
from carm_env.sim.config import DT_S

F64 = NDArray[np.float64]

DEADBAND = 0.005
"""Distance (mm or deg) at which an axis counts as arrived: far below any tolerance, above float32 encoder steps."""
STILL = 0.01
"""Speed (mm/s or deg/s) below which an arrived axis is told to stop."""
HALVINGS = 32


class Servo:
    """The time-optimal approach for axes that ramp to a commanded velocity at a limited acceleration.

    With velocity v, command c and acceleration a, one step of length T moves an axis by ``c T - (c - v)|c - v| / 2a``
    (if the ramp fits into the step), and braking from c takes ``c|c| / 2a`` more. The servo commands the c at which
    both together are the distance left; followed to the end, the axis stops at the goal with velocity exactly 0.
    """

    def __init__(self, device: DevicePreset) -> None:
        self.max_rates = device.max_rates
        self.accelerations = device.accelerations

    def fractions(self, position: F64, velocity: F64, goal: F64, top: ArrayLike = 1.0) -> F64:
        """Commands as fractions of the greatest rates.

        Args:
            position, velocity, goal: [8] in the order of ``machine.state.AXES``.
            top: greatest fraction to use, one number or [8].
        """
        out = np.empty(len(position))
        limit = np.broadcast_to(np.asarray(top, float), out.shape) * self.max_rates
        _commands(position, velocity, np.asarray(goal, float), limit, self.accelerations, out)
        return out / np.where(self.max_rates > 0, self.max_rates, 1.0)


@njit(cache=True)
def _commands(position: F64, velocity: F64, goal: F64, limit: F64, acceleration: F64, out: F64) -> None:
    """Velocities to command, into ``out`` [8]; each is found by halving the interval in which it lies."""
    for i in range(len(out)):
        a, v, left = acceleration[i], velocity[i], goal[i] - position[i]
        if limit[i] == 0.0 or (abs(left) < DEADBAND and abs(v) < STILL):
            out[i] = 0.0
            continue
        low, high = max(v - a * DT_S, -limit[i]), min(v + a * DT_S, limit[i])
        low, high = min(low, high), max(low, high)
        for _ in range(HALVINGS):
            c = 0.5 * (low + high)
            way = c * DT_S + (c * abs(c) - (c - v) * abs(c - v)) / (2 * a)
            low, high = (c, high) if way < left else (low, c)
        out[i] = 0.5 * (low + high)
