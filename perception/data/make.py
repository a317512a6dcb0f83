"""Makes a data set of a cohort, patient by patient in processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError
from carm_env.patient.cohort import load_cohort
from carm_env.workers import in_processes
from perception.data.shoot import ShootSettings, imaging_of, shoot_patient
from perception.data.store import add, begin, is_done, stem_of
from perception.data.views import JITTER_MM, ViewCounts


@dataclass
class DataConfig:
    """One call of `carm perception data`.

    Attributes:
        cohort: `phantom-N`, `warp-N:PATH` or a list of patients (see `carm_env.patient.cohort`); out: folder.
        split: all, or only the patients of train, validation or test.
        grid_mm, landmark_views, drive_views, jitter_mm: see `ViewCounts`.
        device, renderer: names; pixels: image side; seed: of all draws; workers: number of processes.
    """

    cohort: str = "phantom-600"
    out: str = "runs/views"
    split: str = "all"
    grid_mm: float = 0.0
    landmark_views: int = 3
    drive_views: int = 240
    jitter_mm: float = JITTER_MM
    device: str = "artis_biplane"
    renderer: str = "numba"
    pixels: int = 128
    seed: int = 0
    workers: int = 2

    def settings(self) -> ShootSettings:
        """What decides the views of a patient."""
        counts = ViewCounts(self.grid_mm, self.landmark_views, self.drive_views, self.jitter_mm)
        return ShootSettings(counts, self.device, self.renderer, self.pixels, self.seed)


@dataclass(frozen=True)
class Progress:
    """A patient is done; ``left`` are not. ``trouble`` says why it was left out, if it was."""

    patient: str
    left: int
    trouble: str = field(default="")


def make_dataset(config: DataConfig) -> Iterator[Progress]:
    """Renders what is missing; yields after each patient. Interrupted or killed, the same call goes on.

    Raises:
        CarmError: bad settings, a folder that holds something else, two patients whose files would share a name.
    """
    if config.workers < 1:
        raise CarmError(f"workers={config.workers} is too few; want at least 1")
    folder, settings = Path(config.out), config.settings()
    cohort = load_cohort(config.cohort)
    patients = [str(name) for name in cohort.select(config.split)]
    split = dict(zip(map(str, cohort.patients), cohort.splits, strict=True))
    stems = [stem_of(name) for name in patients]
    if len(set(stems)) < len(stems):
        raise CarmError(f"cohort {config.cohort} has two CTs with one file name; want names that differ")
    imaging_of(settings)
    begin(folder, config.cohort, settings)
    missing = [name for name in patients if not is_done(folder, name)]
    jobs = [(name, split[name], asdict(settings), str(folder)) for name in missing]
    done = in_processes(_one, jobs, config.workers, begin=_one_thread)
    for left, (name, trouble) in zip(range(len(jobs) - 1, -1, -1), done, strict=True):
        yield Progress(name, left, trouble)


def _one_thread() -> None:
    import numba

    numba.set_num_threads(1)


def _one(name: str, split: str, settings: dict[str, Any], folder: str) -> tuple[str, str]:
    """Makes one patient's views; returns its name, and why it could not or nothing."""
    chosen = ShootSettings(**{**settings, "counts": ViewCounts(**settings["counts"])})
    try:
        images, rows = shoot_patient(name, chosen, split)
    except CarmError as error:
        return name, str(error)
    add(Path(folder), name, images, rows)
    return name, ""
