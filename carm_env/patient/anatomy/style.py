"""Parameters of the generator whose range is split: test patients lie where no training patient does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carm_env.patient.split import Split

HELD_OUT = 0.25
PARAMETERS = (
    "chest_depth",
    "shoulder_breadth",
    "pelvic_breadth",
    "limb_length",
    "face_height",
    "trabecular_grain",
    "organ_grain",
    "lung_markings",
    "fat_marbling",
    "ct_noise",
    "device_make",
    "device_place",
)
"""Proportions, textures and devices; each is a number in [0, 1)."""


@dataclass(frozen=True)
class Style:
    """One draw of ``PARAMETERS``."""

    values: dict[str, float]

    def between(self, name: str, low: float, high: float) -> float:
        """The parameter mapped to ``low``..``high``."""
        return low + (high - low) * self.values[name]


def draw_style(rng: np.random.Generator, split: Split) -> Style:
    """Uniform in the split's part of each range: the last quarter is held out for test in every other parameter, the
    first quarter in the rest."""
    values = {}
    for i, name in enumerate(PARAMETERS):
        u = rng.random()
        v = 1.0 - HELD_OUT * u if split == "test" else (1.0 - HELD_OUT) * u
        values[name] = float(v if i % 2 == 0 else 1.0 - v)
    return Style(values)
