"""A coarse patient on disk, its views, and a data set of three such patients."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import torch

from carm_env import workers
from carm_env.patient.export import write_patient
from carm_env.patient.phantom import make_phantom
from carm_env.sim.perception import Frames
from perception.data.batches import ViewSet
from perception.data.make import DataConfig, make_dataset
from perception.data.shoot import ShootSettings, shoot_patient
from perception.data.store import read_views
from perception.data.views import ViewCounts

FEW = ShootSettings(ViewCounts(0.0, 1, 20), pixels=32)
SPLIT = {"anna": "train", "bert": "validation", "carl": "test"}


def enlarged(frames: Frames, times: int) -> Frames:
    """The same frames with every pixel divided into ``times`` squared."""

    def each(values: Any) -> Any:
        return values.repeat(times, axis=1).repeat(times, axis=2)

    cameras = replace(frames.cameras, pitch_mm=frames.cameras.pitch_mm / times)
    larger = {name: each(getattr(frames, name)) for name in ("signal", "mask", "image")}
    return replace(frames, cameras=cameras, **larger)


class Here:
    """What stands in for a pool of processes: the same calls, one after the other, in this process."""

    def __init__(self, *args: Any, **how: Any) -> None: ...

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: Any) -> None: ...

    def submit(self, call: Any, *args: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(call(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def shutdown(self, **how: Any) -> None: ...


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """A renderer in the same process may have set PyTorch's number of threads."""
    torch.set_num_threads(1)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets are made in this process."""
    monkeypatch.setattr(workers, "ProcessPoolExecutor", Here)


@pytest.fixture(scope="session")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coarse CT with its landmark file."""
    return write_patient(make_phantom(4, 6.0), tmp_path_factory.mktemp("clinic-of-dr-secret"), "anna")


@pytest.fixture(scope="session")
def shot(ct: Path) -> Any:
    """Images and rows of its views."""
    return shoot_patient(str(ct), FEW, "train")


@pytest.fixture(scope="session")
def cohort(ct: Path) -> Path:
    """A list of three CTs, one a split."""
    for name in SPLIT:
        for suffix in (".nii.gz", ".landmarks.json"):
            if name != "anna":
                copy(ct.with_name(f"anna{suffix}"), ct.with_name(f"{name}{suffix}"))
    path = ct.with_name("three.json")
    entries = [{"name": f"{name}.nii.gz", "split": split} for name, split in SPLIT.items()]
    path.write_text(json.dumps({"schema": 1, "patients": entries}))
    return path


@pytest.fixture(scope="session")
def dataset(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The views of three patients; enough of each split to train, calibrate and measure."""
    out = tmp_path_factory.mktemp("views")
    config = DataConfig(str(cohort), str(out), landmark_views=2, drive_views=80, pixels=32, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "ProcessPoolExecutor", Here)
        assert not any(done.trouble for done in make_dataset(config))
    return out


@pytest.fixture(scope="session")
def views(dataset: Path) -> ViewSet:
    """The training patient's."""
    return ViewSet(read_views(dataset, "train"))
