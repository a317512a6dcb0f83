"""`carm perception reproduce`: the seed paper's comparisons on the phantom population, all in one run.

Rows: place regression (the pretext) by the published network with its attention across the batch, by the same with
attention to the image's tokens, and by PoseNet; landmark classification from the pretext's weights and from random
ones, PoseNet, and linear probing of the last two layers. Every row of a task sees the same views in the same order, for
the same number of steps at the same rate; nothing is chosen on the test patients.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carm_env.episode.manifest import cpu_name
from carm_env.errors import CarmError
from carm_env.whole import whole
from carm_env.workers import in_processes
from perception.data.batches import ViewSet
from perception.data.make import DataConfig, make_dataset
from perception.data.store import read_info, read_views
from perception.quality.measure import clustered, f1
from perception.train.seed_tasks import KIND_OF, K, SeedRun, answers, run
from perception.weights import load_net

SEED_FACTOR = 568.0
"""The seed paper multiplies its normalised mean squared error by this and calls it millimetres."""


@dataclass(frozen=True)
class Preset:
    """Sizes of a reproduction: the cohort, views (see `ViewCounts`), and steps of each kind of training."""

    cohort: str
    grid_mm: float
    landmark_views: int
    jitter_mm: float
    pixels: int
    place_steps: int
    classify_steps: int
    probe_steps: int


PRESETS: dict[str, Preset] = {
    "quick": Preset("phantom-120", 40.0, 8, 10.0, 64, 1000, 250, 200),
    "tiny": Preset("phantom-9", 120.0, 1, 10.0, 64, 2, 2, 2),
}
"""``quick``: the paper's views are centred by hand on the landmark that is their label, so they lie closer to it than
the localiser's (20 mm); on a 40 mm grid (the paper's: 30) there are more views than the pretext sees. ``tiny`` shows
that everything runs; its figures mean nothing."""


@dataclass
class ReproduceConfig:
    """One call of `carm perception reproduce`: preset quick or tiny; out: folder; seed; workers: cores."""

    preset: str = "quick"
    out: str = "runs/reproduce"
    seed: int = 0
    workers: int = 2


def runs(preset: Preset, seed: int) -> dict[str, SeedRun]:
    """Trainings by name, each after those that it starts from; ``start`` is the other's name here."""
    tokens, paper = {"attention": "tokens"}, {"attention": "paper"}
    place = SeedRun("positional", "place", preset.place_steps, tokens, rate=1e-3, seed=seed, pixels=preset.pixels)
    classify = replace(place, task="classify", steps=preset.classify_steps, rate=5e-4)
    probing = replace(classify, steps=preset.probe_steps, probe=2, rate=2e-3)
    return {
        "place-tokens": place,
        "place-paper": replace(place, settings=paper),
        "place-posenet": replace(place, net="posenet", settings={}),
        "classify-tokens-pretext": replace(classify, start=Path("place-tokens")),
        "classify-tokens-random": classify,
        "classify-paper-pretext": replace(classify, settings=paper, start=Path("place-paper")),
        "classify-posenet": replace(classify, net="posenet", settings={}),
        "probe2-tokens-pretext": replace(probing, start=Path("place-tokens")),
        "probe2-tokens-random": probing,
    }


def reproduce(config: ReproduceConfig, tell: Callable[[str], None]) -> dict[str, Any]:
    """Makes data, trains, evaluates on test patients; finished parts are kept and not done again.

    The report says what this call took: wall time, and processor time of all processes.

    Raises:
        CarmError: an unknown preset, or a folder that holds something else.
    """
    if config.preset not in PRESETS:
        raise CarmError(f"preset={config.preset!r} is unknown; presets: {', '.join(PRESETS)}")
    preset, folder, begun = PRESETS[config.preset], Path(config.out), (time.perf_counter(), _cpu_s())
    data = folder / "views"
    for split in ("train", "test"):
        for patient in make_dataset(_views(preset, config, data, split)):
            tell(f"views for {split}: {patient.left} patients left")
    specs = runs(preset, config.seed)
    for name in trained(specs, data, folder, config.workers):
        tell(f"{name}: {specs[name].steps} steps done")
    jobs = [(name, spec, data, folder) for name, spec in specs.items()]
    found = dict(in_processes(figures, jobs, config.workers, begin=_one_thread))
    report = {
        "command": f"carm perception reproduce preset={config.preset} seed={config.seed} workers={config.workers}",
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count()},
        "wall_minutes": (time.perf_counter() - begun[0]) / 60.0,
        "cpu_minutes": (_cpu_s() - begun[1]) / 60.0,
        "preset": vars(preset), "seed": config.seed, "data": read_info(data),
        "rows": {name: found[name] for name in specs},
    }  # fmt: skip
    with whole(folder / "reproduce.json") as part:
        part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _cpu_s() -> float:
    """Processor seconds of this process and of its workers, once they have ended."""
    for worker in active_children():
        worker.join()
    return sum(os.times()[:4])


def _one_thread() -> None:
    torch.set_num_threads(1)


def _views(preset: Preset, config: ReproduceConfig, data: Path, split: str) -> DataConfig:
    return DataConfig(
        preset.cohort, str(data), split, preset.grid_mm, preset.landmark_views, drive_views=0,
        jitter_mm=preset.jitter_mm, pixels=preset.pixels, workers=config.workers,
    )  # fmt: skip


def trained(specs: dict[str, SeedRun], data: Path, folder: Path, workers: int) -> Iterator[str]:
    """Trains what has no weights yet, a core each: first what starts from random weights. Yields names."""
    missing = {name: spec for name, spec in specs.items() if not (folder / name / "weights.safetensors").exists()}
    for from_another in (False, True):
        jobs = [(n, spec, data, folder) for n, spec in missing.items() if (spec.start is not None) == from_another]
        yield from in_processes(_train, jobs, workers, begin=_one_thread)


def _train(name: str, spec: SeedRun, data: Path, folder: Path) -> str:
    start = None if spec.start is None else folder / spec.start / "weights.safetensors"
    run(replace(spec, start=start), data, folder / name)
    return name


def figures(name: str, spec: SeedRun, data: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    """Name and row of the table, on test patients, with 95 % intervals that draw whole patients."""
    net, record = load_net(folder / name / "weights.safetensors", want=spec.net)
    views = ViewSet(read_views(data, "test", (KIND_OF[spec.task],)))
    said = answers(net, views, spec.pixels)  # type: ignore[arg-type]
    patient = np.unique(views.views.columns["patient"].astype(str), return_inverse=True)[1]
    common = {"task": spec.task, "net": spec.net, "batch_dependent": net.batch_dependent, "views": len(views)}
    if spec.task == "place":
        return name, common | _place(said, views.place_mm.astype(float), np.array(record["largest_mm"]), patient)
    label = views.views.columns["label"]
    near = centred(views.points_mm, label, read_info(data)["counts"]["jitter_mm"])
    return name, common | _classified(said, label, patient) | {
        "centred": {"views": int(near.sum())} | _classified(said[near], label[near], patient[near])
    }  # fmt: skip


def centred(points_mm: Any, label: Any, jitter_mm: float) -> Any:
    """Landmark views whose landmark lies where it was to lie, [V]: the table's travel ends before some arms do.

    Args:
        points_mm: in image axes, [V, K or more, 3]; label: landmark of each view, [V]; jitter_mm: of the data.
    """
    apart = points_mm[np.arange(len(label)), label, :2]
    return (np.abs(apart) <= jitter_mm + 0.01).all(axis=1)


def _place(said: Any, true_mm: Any, largest_mm: Any, patient: Any) -> dict[str, Any]:
    apart = said * largest_mm - true_mm
    square = np.square(apart / largest_mm).mean(axis=1)
    mse = clustered(square, patient, np.mean)
    return {
        "euclidean_mean_mm": clustered(np.linalg.norm(apart, axis=1), patient, np.mean),
        "euclidean_median_mm": clustered(np.linalg.norm(apart, axis=1), patient, np.median),
        "mse": mse,
        "mse_times_568": [SEED_FACTOR * v for v in mse if v is not None],
    }


def _classified(said: Any, true: Any, patient: Any) -> dict[str, Any]:
    label = said.argmax(axis=1)
    right = (label == true).astype(float)
    return {"micro_f1": clustered(right, patient, np.mean), "macro_f1": f1(label, true, K)["macro"]}
