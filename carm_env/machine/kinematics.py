"""Motion of table and gantry: rates, accelerations, travel limits, plane B's swing, contact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Capsules
from carm_env.machine.collision import Gantry, pack_hulls
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import AXES, DEPLOY, MachineState, MotionReport

F64 = NDArray[np.float64]


class Machine:
    """A machine that N lanes share: it knows no lane, a step is a pure function of what it is given.

    Attributes:
        preset: limits, rates and accelerations.
        gantry: collision shapes; ``gantry.clearance_mm(position, hulls)`` tells how near a pose is to contact.
    """

    def __init__(self, preset: DevicePreset) -> None:
        self.preset = preset
        self.gantry = Gantry(preset)
        self._packed: tuple[list[Capsules | None], F64, NDArray[np.int64]] = ([], *pack_hulls([]))

    def step(
        self,
        state: MachineState,
        command: ArrayLike,
        deploy: ArrayLike,
        dt_s: float,
        hulls: Sequence[Capsules | None],
    ) -> tuple[MachineState, MotionReport]:
        """Moves every lane for ``dt_s`` seconds.

        Velocities ramp to the commanded ones at the axis' acceleration; a travel limit or a contact stops at once.
        ``DEPLOY`` follows ``deploy``, not its command, and slows down to stop at its end.

        Args:
            state: N lanes; not changed.
            command: fractions of the greatest rates in [-1, 1], [N, 8] in the order of ``AXES``.
            deploy: plane B goes to its working place (True) or parks, bool [N].
            dt_s: > 0.
            hulls: each lane's patient in the table frame, N long; None for an empty table.

        Raises:
            CarmError: shapes that do not fit, a command outside [-1, 1] or no time.
        """
        start = state.position
        command = self._checked(start, command, dt_s, hulls)
        position, velocity = self._ramped(start, state.velocity, command, dt_s)
        self._swing(start, state.velocity, deploy, dt_s, position, velocity)
        at_limit = self._limited(start, position, velocity)
        pair = self.gantry.sweep(start, position, *self._hulls(hulls))
        contact = pair >= 0
        velocity[contact] = 0.0
        path = np.sqrt(((position[:, :3] - start[:, :3]) ** 2).sum(axis=1))
        return MachineState(position, velocity), MotionReport(at_limit, contact, pair, path)

    def _checked(self, start: F64, command: ArrayLike, dt_s: float, hulls: Sequence[Capsules | None]) -> F64:
        values = np.asarray(command, float)
        if values.shape != start.shape or len(hulls) != len(start):
            want = f"want {(len(start), len(AXES))} and {len(start)}"
            raise CarmError(f"motion command of shape {values.shape} and {len(hulls)} hulls: {want}")
        if not np.abs(values).max(initial=0.0) <= 1.0:
            raise CarmError("motion command outside [-1, 1] or not a number: want fractions of the greatest rates")
        if not dt_s > 0:
            raise CarmError(f"a step of {dt_s} s: want more than 0")
        return values

    def _ramped(self, start: F64, velocity: F64, command: F64, dt_s: float) -> tuple[F64, F64]:
        """Constant acceleration up to the commanded velocity, then constant velocity."""
        change = command * self.preset.max_rates - velocity
        limit = self.preset.accelerations * dt_s
        final = np.where(np.abs(change) <= limit, velocity + change, velocity + np.copysign(limit, change))
        ramp = np.minimum(np.abs(change) / self.preset.accelerations, dt_s)
        return start + 0.5 * (velocity - final) * ramp + final * dt_s, final

    def _swing(self, start: F64, velocity: F64, deploy: ArrayLike, dt_s: float, position: F64, final: F64) -> None:
        """Overwrites the deploy axis of ``position`` and ``final`` by its time-optimal way to 0 or ``deploy_deg``."""
        rate, acceleration = self.preset.max_rates[DEPLOY], self.preset.accelerations[DEPLOY]
        if rate == 0:
            position[:, DEPLOY], final[:, DEPLOY] = start[:, DEPLOY], 0.0
            return
        target = np.where(np.asarray(deploy, bool), self.preset.deploy_deg, 0.0)
        position[:, DEPLOY], final[:, DEPLOY] = approach(
            start[:, DEPLOY], velocity[:, DEPLOY], target, rate, acceleration, dt_s
        )

    def _limited(self, start: F64, position: F64, velocity: F64) -> NDArray[np.bool_]:
        """Stops axes at their travel limits, in place; an axis outside may come back in, not go further out."""
        low, high = self.preset.limits[:, 0], self.preset.limits[:, 1]
        over = ((position > high) & (position > start)) | ((position < low) & (position < start))
        stop = np.where(position > start, np.maximum(start, high), np.minimum(start, low))
        np.copyto(position, stop, where=over)
        velocity[over] = 0.0
        return over

    def _hulls(self, hulls: Sequence[Capsules | None]) -> tuple[F64, NDArray[np.int64]]:
        """``pack_hulls``, kept while the same objects come again."""
        known = self._packed[0]
        if len(known) != len(hulls) or any(p is not q for p, q in zip(known, hulls, strict=True)):
            self._packed = (list(hulls), *pack_hulls(hulls))
        return self._packed[1], self._packed[2]


def approach(
    position: F64, velocity: F64, target: F64, rate: float, acceleration: float, dt_s: float
) -> tuple[F64, F64]:
    """Where a time-optimal move to rest at ``target`` is after ``dt_s``.

    It speeds up at ``acceleration`` to ``rate``, or to the speed from which it can still stop, cruises, slows down; a
    motion away from the target turns round first. Arrays are [N]; small steps follow the same way as one long one.

    Returns:
        Position and velocity, [N] each; exactly (target, 0) once there.
    """
    side = np.where(target >= position, 1.0, -1.0)
    way = np.abs(target - position)
    speed = np.minimum(side * velocity, np.sqrt(2 * acceleration * way))
    peak = np.maximum(np.minimum(rate, np.sqrt(acceleration * way + 0.5 * speed**2)), speed)
    rise_s, fall_s = (peak - speed) / acceleration, peak / acceleration
    cruise = np.maximum(way - (2 * peak**2 - speed**2) / (2 * acceleration), 0.0)
    left_s = rise_s + cruise / np.maximum(peak, 1e-12) + fall_s - dt_s
    rising_s = np.minimum(dt_s, rise_s)
    reached = speed + acceleration * rising_s
    gone = 0.5 * (speed + reached) * rising_s + reached * (dt_s - rising_s)
    slowing, arrived = left_s < fall_s, left_s <= 1e-9
    gone = np.where(slowing, way - 0.5 * acceleration * left_s**2, gone)
    reached = np.where(slowing, acceleration * left_s, reached)
    return np.where(arrived, target, position + side * gone), np.where(arrived, 0.0, side * reached)
