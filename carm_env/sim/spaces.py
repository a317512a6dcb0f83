"""Observation and action spaces: one table says name, shape, bounds, unit and meaning of every entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from carm_env.machine.state import X, Z
from carm_env.patient.model import LANDMARKS
from carm_env.sim.actions import action_size

TIME_CAP_S = 600.0
MM_CAP = 5000.0


@dataclass(frozen=True)
class Entry:
    """One entry of the observation."""

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    unit: str
    meaning: str


def encoder_axes(planar: bool) -> list[int]:
    """Axes of ``machine.state.AXES`` that the task observes."""
    return [X, Z] if planar else list(range(8))


def entries(task: str, image: bool, pixels: int = 128) -> list[Entry]:
    """The observation's entries, in order, for a task of ``sim.config.TASKS``."""
    planar = task != "pelvis_to_head"
    p, axes, names = (1, 2, "x, z") if planar else (2, 8, "x, y, z, A and B primary and secondary, B swing")
    table = [
        Entry("encoders", (axes,), -MM_CAP, MM_CAP, "mm, deg", f"isocentre in the table frame and angles: {names}"),
        Entry("velocities", (axes,), -1000, 1000, "mm/s, deg/s", "rates of the same axes"),
        Entry("at_limit", (axes,), 0, 1, "", "axes that a travel limit stopped in the last step"),
        Entry("contact", (1,), 0, 1, "", "a contact stopped the last motion"),
        Entry("plane_b", (2,), 0, 1, "", "plane B is deployed; plane B is parked"),
        Entry("estimate_mm", (3 * p,), -MM_CAP, MM_CAP, "mm", "last estimate per plane: target minus isocentre"),
        Entry("estimate_sd_mm", (3 * p,), 0, MM_CAP, "mm", "its standard deviations"),
        Entry("estimate_valid", (p,), 0, 1, "", "perception vouches for it"),
        Entry("estimate_age_s", (p,), 0, TIME_CAP_S, "s", "time since; the episode's age where there was none"),
        Entry("landmark_nearest", (20 * p,), 0, 1, "", "probability that a landmark is the nearest to the isocentre"),
        Entry("landmark_visible", (20 * p,), 0, 1, "", "probability that a landmark lies in the field"),
        Entry("technique", (7 * p,), 0, 1e6, "", "last: kV, mm Cu, mAs, K_a,r mGy, KAP Gy cm2, field mm, quanta/mm2"),
        Entry("kap_gycm2", (p,), 0, 1e4, "Gy cm2", "KAP so far"),
        Entry("elapsed_s", (1,), 0, TIME_CAP_S, "s", "episode time"),
        Entry("demographics", (5,), 0, 300, "", "recorded: sex (0 F, 1 M), age, height cm, weight kg, arms raised"),
        Entry("demographics_known", (5,), 0, 1, "", "1 where the record has the value"),
    ]
    if planar:
        table = [entry for entry in table if entry.name != "plane_b"]
    if task == "landmark_reach":
        table.append(Entry("goal", (len(LANDMARKS),), 0, 1, "", "one-hot: the landmark to reach"))
    if image:
        table.append(Entry("image", (p, pixels, pixels), 0, 255, "", "last image hold of each plane"))
        table.append(Entry("image_age_s", (p,), 0, TIME_CAP_S, "s", "time since that exposure"))
    return table


def observation_space(task: str, image: bool, pixels: int = 128) -> spaces.Dict:
    """Dict of float32 Boxes (``image``: uint8)."""
    return spaces.Dict(
        {
            e.name: spaces.Box(e.low, e.high, e.shape, np.uint8 if e.name == "image" else np.float32)
            for e in entries(task, image, pixels)
        }
    )


def action_space(task: str) -> spaces.Box:
    """Float32 Box in [-1, 1]; 14 numbers for the biplane, 6 for the planar tasks."""
    return spaces.Box(-1.0, 1.0, (action_size(task != "pelvis_to_head"),), np.float32)
