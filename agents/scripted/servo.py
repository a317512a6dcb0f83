"""Velocity commands that bring table and gantry to a pose and to rest there, as fast as the accelerations allow."""

from __future__ import annotations

import numpy as np
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
        a, left = self.accelerations, goal - position
        reach, limit = a * DT_S, np.asarray(top) * self.max_rates
        slow, fast = np.maximum(velocity - reach, -limit), np.minimum(velocity + reach, limit)
        slow, fast = np.minimum(slow, fast), np.maximum(slow, fast)
        for _ in range(HALVINGS):
            command = 0.5 * (slow + fast)
            way = command * DT_S - (command - velocity) * np.abs(command - velocity) / (2 * a)
            way += command * np.abs(command) / (2 * a)
            slow, fast = np.where(way < left, command, slow), np.where(way < left, fast, command)
        settled = (np.abs(left) < DEADBAND) & (np.abs(velocity) < STILL)
        command = np.where(settled | (self.max_rates == 0), 0.0, 0.5 * (slow + fast))
        return command / np.where(self.max_rates > 0, self.max_rates, 1.0)
