"""Trains, calibrates and measures ``localizer-small``: one folder with weights and their card."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from carm_env.errors import CarmError
from carm_env.tensor_file import digest
from carm_env.whole import whole
from perception.augment import Augmentation
from perception.data.batches import Batch, ViewSet
from perception.data.store import read_info, read_views
from perception.data.views import DRIVE, LANDMARK
from perception.nets.registry import make_net
from perception.quality.answers import ask
from perception.quality.calibrate import Calibration, calibrate, calibrated
from perception.quality.measure import in_short, measure
from perception.train.loop import LoopSettings, train
from perception.train.losses import Weights, localiser_loss
from perception.weights import load_net, save_net

KINDS = (LANDMARK, DRIVE)
LIMITS = (
    "Trained on synthetic phantoms only; on real CTs see the table of docs/perception.md. Finds the sella and the 20 "
    "landmarks in frontal and lateral views of artis_biplane and near them; other targets and devices are untested. "
    "Not for clinical use."
)


@dataclass
class TrainConfig:
    """One call of `carm perception train`.

    Attributes:
        net: a network's name; data: folder of `carm perception data`; out: folder for weights, card and state.
        steps, batch, rate, seed, bf16: see `LoopSettings`; patients: the first so many of the training split only.
        limbs, stretch: of the augmentation (see `Augmentation`), off by default.
        start: weights to begin from instead of random ones; threads: of PyTorch.
    """

    net: str = "localizer-small"
    data: str = "runs/views"
    out: str = "runs/localizer"
    steps: int = 6000
    batch: int = 64
    rate: float = 2e-3
    seed: int = 0
    bf16: bool = True
    patients: int | None = None
    limbs: float = 0.0
    stretch: float = 1.0
    start: str | None = None
    threads: int = 1

    def loop(self) -> LoopSettings:
        """Settings of the loop.

        Raises:
            CarmError: a number that no training can have.
        """
        for name in ("steps", "batch", "threads"):
            if not 1 <= getattr(self, name) <= 10**8:
                raise CarmError(f"{name}={getattr(self, name)} is out of range; want at least 1")
        if not 0.0 < self.rate <= 1e6:
            raise CarmError(f"rate={self.rate} is out of range; want more than 0")
        if not 0 <= self.seed < 2**62:
            raise CarmError(f"seed={self.seed} is out of range; want 0 or more")
        return LoopSettings(self.steps, self.batch, self.rate, seed=self.seed, bf16=self.bf16)

    def augmentation(self) -> Augmentation:
        """What is done to training images.

        Raises:
            CarmError: a share or a ratio that cannot be.
        """
        if not 0.0 <= self.limbs <= 1.0:
            raise CarmError(f"limbs={self.limbs} is out of range; want a share from 0 to 1")
        if not 1.0 <= self.stretch <= 2.0:
            raise CarmError(f"stretch={self.stretch} is out of range; want a ratio from 1 to 2")
        return Augmentation(limbs=self.limbs, stretch=self.stretch)


def train_localiser(
    config: TrainConfig, command: str, on_step: Callable[[int, dict[str, float]], None] | None = None
) -> dict[str, Any]:
    """Trains, calibrates on validation patients, measures on test patients; returns the card.

    Interrupted or killed, the same call goes on.

    Raises:
        CarmError: no such data, network or weights; a training that diverges.
    """
    settings, augment, folder = config.loop(), config.augmentation(), Path(config.out)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    net = make_net(config.net) if config.start is None else load_net(Path(config.start), want=config.net)[0]
    views = ViewSet(read_views(Path(config.data), "train", KINDS, config.patients))
    validation, test = (ViewSet(read_views(Path(config.data), split, KINDS)) for split in ("validation", "test"))
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train(net, views, localiser_terms, settings, folder, augment, on_step)
    calibration = calibrate(ask(net, validation))
    weights = folder / f"{config.net}.safetensors"
    save_net(weights, net, {"calibration": calibration.record()})
    return write_card(weights, net, calibration, config, command, views, test)


def localiser_terms(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Terms of the localiser's loss for a batch."""
    pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
    return localiser_loss(net(pixels, batch.context), batch, Weights())


def write_card(
    weights: Path, net: nn.Module, calibration: Calibration, config: TrainConfig, command: str, trained_on: ViewSet,
    test: ViewSet,
) -> dict[str, Any]:
    """What a user must know of weights, beside them as JSON."""
    answers = calibrated(ask(net, test), calibration)
    names = trained_on.views.columns["patient"]
    card = {
        "network": config.net,
        "parameters": sum(p.numel() for p in net.parameters()),
        "blake2b": digest(weights),
        "command": command,
        "training": {k: v for k, v in asdict(config).items() if k not in ("data", "out", "start", "threads")},
        "started_from": None if config.start is None else digest(Path(config.start)),
        "data": {**read_info(Path(config.data)), "views": len(trained_on), "patients": len(set(names.tolist()))},
        "calibration": calibration.record(),
        "test": measure(answers, calibration),
        "limits": LIMITS,
    }
    with whole(weights.with_suffix(".json")) as part:
        part.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def evaluate(weights: Path, data: Path, split: str, patients: int | None = None) -> dict[str, Any]:
    """Figures of weights on a data set's split, in all (see `measure`) and for each patient (see `in_short`).

    Raises:
        CarmError: no such weights or views.
    """
    net, record = load_net(weights)
    calibration = Calibration.of(record.get("calibration", {}))
    views = ViewSet(read_views(data, split, KINDS, patients))
    answers = calibrated(ask(net, views), calibration)
    names = views.views.columns["patient"].astype(str)
    each = {name.rsplit("/", 1)[-1]: in_short(answers.where(names == name)) for name in sorted(set(names))}
    return {"weights": digest(weights), "split": split, "all": measure(answers, calibration), "patients": each}
