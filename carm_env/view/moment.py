"""One moment of an episode, as every scene draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.recorder import EpisodeRecord
from carm_env.machine.presets import DevicePreset
from carm_env.sim.episode_setup import EpisodeSetup

if TYPE_CHECKING:
    from PIL import Image

F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moment:
    """Table frame, mm.

    Attributes:
        position: pose in the order of ``AXES``, [8].
        exposed, field_mm: of each plane; the field's side at the isocentre.
        target_mm: the true target, [3].
        estimate: where the target is believed to be, mean and standard deviations, [6]; NaN before the first estimate.
        trail_mm: the isocentre's path so far, [T, 3].
    """

    position: F64
    exposed: tuple[bool, ...]
    field_mm: tuple[float, ...]
    target_mm: F64
    estimate: F64
    trail_mm: F64


class Panel(Protocol):
    """The part of a picture that shows the C-arm over the patient; ``smooth``: also between an episode's steps."""

    smooth: bool

    def draw(self, moment: Moment) -> Image.Image:
        """The panel at a moment, RGB."""


def row_at(record: EpisodeRecord, time_s: float) -> int:
    """The last step that began at ``time_s`` or before."""
    time = record.steps["elapsed_s"]
    return int(np.clip(np.searchsorted(time, time_s + 1e-9, side="right") - 1, 0, len(time) - 1))


def moment_at(record: EpisodeRecord, estimates: F64, time_s: float) -> Moment:
    """The episode at a time; motion between steps is interpolated.

    Args:
        estimates: of every step, as ``scene.estimated_targets`` returns them.
    """
    row, steps, pose = row_at(record, time_s), record.steps, record.position
    marks = "ab"[: record.planes]
    return Moment(
        position=np.array([np.interp(time_s, steps["elapsed_s"], pose[:, axis]) for axis in range(pose.shape[1])]),
        exposed=tuple(bool(steps[f"exposed_{m}"][row]) for m in marks),
        field_mm=tuple(float(steps[f"field_mm_{m}"][row]) for m in marks),
        target_mm=np.array([steps[f"target_{axis}_mm"][row] for axis in "xyz"]),
        estimate=estimates[row],
        trail_mm=pose[: row + 1, :3],
    )


def start_moment(setup: EpisodeSetup, preset: DevicePreset, planes: int) -> Moment:
    """Before the first step: nothing was seen, the fields are open."""
    fields = tuple(spec.full_field_mm for spec in preset.planes[:planes])
    start, unknown = setup.start, np.full(6, np.nan)
    return Moment(start, (False,) * planes, fields, setup.target_mm, unknown, start[None, :3])
