"""A training loop that can be killed at any moment and goes on to the same result.

Everything random in step n (which views, augmentation, dropout) follows from seed and n; weights, the optimiser's state
and n are saved together. Lightning's Fabric brings bfloat16.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from carm_env.errors import CarmError
from perception.augment import Augmentation
from perception.data.batches import Batch, ViewSet, batches
from perception.weights import load, save

STATE = "state.safetensors"
LossOf = Callable[[nn.Module, Batch], dict[str, Tensor]]


@dataclass(frozen=True)
class LoopSettings:
    """Length, pace and seed of a training.

    Attributes:
        steps: batches in all; batch: images in each; rate: greatest learning rate; decay: AdamW's weight decay.
        warm: steps of linear rise, a cosine fall follows; clip: greatest norm of the gradient.
        save_every: steps between two saved states; seed: of everything random; bf16: mixed precision.
    """

    steps: int
    batch: int = 64
    rate: float = 2e-3
    decay: float = 1e-2
    warm: int = 200
    clip: float = 5.0
    save_every: int = 250
    seed: int = 0
    bf16: bool = True

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        rise = min(1.0, (step + 1) / max(self.warm, 1))
        return self.rate * rise * 0.5 * (1.0 + math.cos(math.pi * step / self.steps)) + 1e-6


def train(
    net: nn.Module, views: ViewSet, loss_of: LossOf, settings: LoopSettings, folder: Path,
    augment: Augmentation | None = None, on_step: Callable[[int, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Trains a network in place; goes on with what ``folder`` holds of the same training.

    Args:
        loss_of: named terms, whose sum is minimised.
        on_step: told (steps done, terms) after each step.

    Raises:
        CarmError: no views, a state of another training, or a loss that is not finite.
    """
    from lightning.fabric import Fabric

    if len(views) < settings.batch:
        raise CarmError(f"{len(views)} views are too few for batches of {settings.batch}")
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if settings.bf16 else "32-true")
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=settings.decay)
    training = _fingerprint(net, views, settings, augment)
    first = _restore(folder, net, optimiser, training)
    model, optimiser = fabric.setup(net, optimiser)
    order = _Order(views, settings)
    for step in range(first, settings.steps):
        terms = _one_step(fabric, model, optimiser, loss_of, order.batch(step), settings, step, augment)
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            _check_finite(net, settings, step)
            _keep(folder, net, optimiser, training, step + 1)
        if on_step:
            on_step(step + 1, terms)
    return net.eval()


class _Order:
    """The views of each step: epochs of shuffled rows, one after the other."""

    def __init__(self, views: ViewSet, settings: LoopSettings) -> None:
        self.views, self.settings = views, settings
        self.per_epoch = len(views) // settings.batch
        self.epoch, self.rows = -1, list[Any]()

    def batch(self, step: int) -> Batch:
        epoch, at = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.epoch = epoch
            self.rows = list(batches(len(self.views), self.settings.batch, self.settings.seed, epoch, True))
        return self.views[self.rows[at]]


def _one_step(
    fabric: Any, model: Any, optimiser: Any, loss_of: LossOf, batch: Batch, settings: LoopSettings, step: int,
    augment: Augmentation | None,
) -> dict[str, float]:
    keys = np.random.SeedSequence([settings.seed, step]).generate_state(2, np.uint32)
    torch.manual_seed(int(keys[0]))
    if augment is not None:
        batch = augment(batch, torch.Generator().manual_seed(int(keys[1])))
    for group in optimiser.param_groups:
        group["lr"] = settings.rate_at(step)
    terms = loss_of(model, batch)
    loss = torch.stack(list(terms.values())).sum()
    if not torch.isfinite(loss):
        raise _diverged(f"loss {float(loss.detach())} in step {step}", settings)
    optimiser.zero_grad(set_to_none=True)
    fabric.backward(loss)
    fabric.clip_gradients(model, optimiser, max_norm=settings.clip, error_if_nonfinite=False)
    optimiser.step()
    return {name: float(value.detach()) for name, value in terms.items()}


def _diverged(what: str, settings: LoopSettings) -> CarmError:
    return CarmError(
        f"the training diverged: {what}; want a smaller rate than {settings.rate:g} (the last saved state is kept)"
    )


def _check_finite(net: nn.Module, settings: LoopSettings, step: int) -> None:
    if not all(torch.isfinite(tensor).all() for tensor in net.state_dict().values()):
        raise _diverged(f"weights that are not finite after step {step}", settings)


def _keep(folder: Path, net: nn.Module, optimiser: Any, training: str, step: int) -> None:
    state = optimiser.state_dict()["state"]
    tensors = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    tensors |= {f"adam.{i}.{key}": torch.as_tensor(value) for i, row in state.items() for key, value in row.items()}
    save(folder / STATE, tensors, {"step": step, "training": training})


def _restore(folder: Path, net: nn.Module, optimiser: Any, training: str) -> int:
    """Puts a saved state back; returns the steps that it had done.

    Raises:
        CarmError: the state is damaged or belongs to another training.
    """
    path = folder / STATE
    if not path.exists():
        return 0
    tensors, record = load(path)
    if record.get("training") != training:
        raise CarmError(f"{path} belongs to another training; want the same settings and data, or another out")
    rows: dict[int, dict[str, Tensor]] = {}
    try:
        net.load_state_dict({n[4:]: t for n, t in tensors.items() if n.startswith("net.")})
        for name in (n for n in tensors if n.startswith("adam.")):
            _, index, key = name.split(".", 2)
            rows.setdefault(int(index), {})[key] = tensors[name]
        optimiser.load_state_dict({"state": rows, "param_groups": optimiser.state_dict()["param_groups"]})
        return int(record["step"])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise CarmError(f"{path} does not fit the network: {' '.join(str(error).split())[:200]}") from None


def _fingerprint(net: nn.Module, views: ViewSet, settings: LoopSettings, augment: Augmentation | None) -> str:
    """Of all that decides the course of a training, but for what the network starts from."""
    shapes = [[name, list(tensor.shape)] for name, tensor in net.state_dict().items()]
    patients = sorted(set(views.views.columns["patient"].tolist()))
    loop = {k: v for k, v in vars(settings).items() if k != "save_every"}
    digest = hashlib.blake2b(repr([shapes, len(views), patients, augment]).encode(), digest_size=16)
    return json.dumps([digest.hexdigest(), loop], sort_keys=True)
