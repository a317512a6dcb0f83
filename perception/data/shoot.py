"""From a patient's name to its views: quantised images and rows."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset, device
from carm_env.patient.load import load_patient
from carm_env.patient.names import Name, parse_name
from carm_env.sim.config import SimConfig
from carm_env.sim.episode_setup import EpisodeSetup, set_up
from carm_env.sim.imaging import Imaging
from carm_env.xray.exposure import Technique
from perception.data.rows import quantised, table
from perception.data.views import ViewCounts, plan_views

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 64
"""Frames that are rendered at once."""


@dataclass(frozen=True)
class ShootSettings:
    """What decides a patient's views, apart from the patient: plain data that a worker process can be sent.

    Attributes:
        counts: views of each kind; device: name of a preset; renderer: name; pixels: image side; seed: of all draws.

    Raises:
        CarmError: a seed below 0, or a side that is no multiple of 8.
    """

    counts: ViewCounts
    device: str = "artis_biplane"
    renderer: str = "numba"
    pixels: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**62:
            raise CarmError(f"seed={self.seed} is out of range; want 0 or more")
        if self.pixels % 8:
            raise CarmError(f"pixels={self.pixels} cannot be used; want a multiple of 8")


def known_as(patient: str) -> str:
    """What files tell of a patient's name: of a CT's path only its last part."""
    name = parse_name(patient)
    return str(Name(name.kind, name.seed, Path(name.path).name if name.path else ""))


def shoot_patient(name: str, settings: ShootSettings, split: str) -> tuple[NDArray[np.uint8], pa.Table]:
    """Images uint8 [V, pixels, pixels] and rows of one patient of a split; the same on every call.

    Raises:
        CarmError: the patient cannot be read, is too short to be viewed, or has nothing that was asked for.
    """
    preset = device(settings.device)
    key = zlib.crc32(known_as(name).encode())
    setup = placed(name, settings, preset, key)
    plan = plan_views(setup, preset, settings.counts, np.random.default_rng([settings.seed, key]))
    if len(plan) == 0:
        raise CarmError(f"{name} has no views of {settings.counts}; want landmarks, a target or a grid")
    imaging = imaging_of(settings)
    images, shots = [], []
    for begin in range(0, len(plan), CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, len(plan)))
        shot = imaging.shoot(
            [setup] * len(rows), plan.position[rows], rows, rows, plan.plane[rows], plan.field_mm[rows],
            plan.preset[rows], np.ones(len(rows), np.int64), Technique.none(len(rows)),
        )  # fmt: skip
        image, level = quantised(shot.exposure.signal, shot.exposure.mask)
        images.append(image)
        told = known_as(name), split
        shots.append(table(setup, _part(plan, rows), shot, level, _geometry(preset, plan.plane[rows]), *told))
    import pyarrow as pa

    return np.concatenate(images), pa.concat_tables(shots)


def placed(name: str, settings: ShootSettings, preset: DevicePreset, key: int) -> EpisodeSetup:
    """The patient on the table; one without a sella gets NaN for its target."""
    has_target = "sella" in load_patient(name).targets
    task = "pelvis_to_head" if has_target else "landmark_reach"
    config = SimConfig(task=task, patient=name, renderer=settings.renderer, image_pixels=settings.pixels)
    setup = set_up(config, preset, key + settings.seed)
    if not has_target:
        setup.target_mm[:] = np.nan
    return setup


@lru_cache(1)
def imaging_of(settings: ShootSettings) -> Imaging:
    """The imaging chain of a data set.

    Raises:
        CarmError: an unknown device or renderer, one that cannot run here, or a side out of range.
    """
    config = SimConfig(renderer=settings.renderer, image_pixels=settings.pixels, device=settings.device)
    return Imaging(config, device(settings.device))


def _part(plan: Any, rows: NDArray[np.int64]) -> Any:
    return type(plan)(*(values[rows] for values in vars(plan).values()))


def _geometry(preset: DevicePreset, plane: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    spec = [preset.planes[p] for p in plane]
    return {"sod_mm": np.array([s.sod_mm for s in spec]), "sid_mm": np.array([s.sid_mm for s in spec])}
