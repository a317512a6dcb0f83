"""The seed papers' tasks: where in the body is the isocentre (pretext, no labels), and on which landmark is it.

As in the seed paper a view's label is the landmark on which it was centred, not the one that lies nearest in 3-D.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from perception.augment import Augmentation
from perception.data.batches import Batch, ViewSet, batches
from perception.data.store import read_views
from perception.data.views import GRID, LANDMARK
from perception.nets.registry import make_net
from perception.nets.seed import SeedNet
from perception.train.loop import LoopSettings, train
from perception.weights import load_net, save_net

F64 = NDArray[np.float64]
Task = Literal["place", "classify"]
K = len(LANDMARKS)
KIND_OF: dict[str, int] = {"place": GRID, "classify": LANDMARK}
CONTRAST = Augmentation(
    rotate_deg=0.0, zoom=1.0, stretch=1.0, collimate=0.0, devices=0.0, limbs=0.0, nonsense=0.0, invert=0.0, noise=0.15
)


@dataclass(frozen=True)
class SeedRun:
    """One training of one network.

    Attributes:
        net, settings: architecture and its settings beyond the number of outputs; task: place or classify.
        steps, batch, rate, seed: of the loop; pixels: side that images are brought to.
        start: weights of another run to begin from, with a new last layer; probe: linear layers that learn, 0 for all.
    """

    net: str
    task: Task
    steps: int
    settings: dict[str, Any] = field(default_factory=dict)
    batch: int = 64
    rate: float = 5e-4
    seed: int = 0
    pixels: int = 64
    start: Path | None = None
    probe: int = 0


def run(spec: SeedRun, data: Path, folder: Path) -> SeedNet:
    """Trains, or goes on; the weights lie in ``folder`` as ``weights.safetensors`` in the end.

    Raises:
        CarmError: no such data or start, a network that is none of the seed's, a training that diverges.
    """
    views = ViewSet(read_views(data, "train", (KIND_OF[spec.task],)))
    net = start_net(spec)
    largest = torch.from_numpy(np.abs(views.place_mm).max(axis=0))

    def terms(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        said = model(sized(batch.pixels, spec.pixels), batch.context)
        if spec.task == "place":
            return {"place": (said.float() - batch.place_mm / largest).square().mean()}
        return {"classify": cross_entropy(said.float(), batch.label.long())}

    loop = LoopSettings(spec.steps, spec.batch, spec.rate, warm=spec.steps // 10, seed=spec.seed)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train(net, views, terms, loop, folder, CONTRAST)
    save_net(folder / "weights.safetensors", net, {"task": spec.task, "largest_mm": largest.tolist()})
    return net


def start_net(spec: SeedRun) -> SeedNet:
    """The network of a run before its first step."""
    torch.manual_seed(spec.seed)
    outputs = {"place": 2, "classify": K}[spec.task]
    net = make_net(spec.net, outputs=outputs, **spec.settings)
    if not isinstance(net, SeedNet):
        raise CarmError(f"network {spec.net!r} does not do the seed's tasks; want positional, posenet or resnet34")
    if spec.start is not None:
        adopt(net, spec.start)
    return net.probe(spec.probe)


def adopt(net: SeedNet, weights: Path) -> None:
    """Takes over the weights of another task's network, but for the last layer.

    Raises:
        CarmError: weights of another architecture.
    """
    other, _ = load_net(weights, want=net.name)
    mine, theirs = net.state_dict(), other.state_dict()
    kept = {n: t for n, t in theirs.items() if n in mine and mine[n].shape == t.shape}
    last = max(i for i, module in enumerate(net.head) if isinstance(module, nn.Linear))
    missing = [n for n in mine if n not in kept and not n.startswith(f"head.{last}.")]
    if missing:
        raise CarmError(f"weights {weights} do not fit {net.name}: {missing[0]} is missing or of another shape")
    net.load_state_dict(mine | kept)


def sized(pixels: Tensor, side: int) -> Tensor:
    """Images at another size."""
    return pixels if pixels.shape[-1] == side else interpolate(pixels, size=(side, side), mode="area")


def answers(net: SeedNet, views: ViewSet, pixels: int, size: int = 64) -> F64:
    """Outputs for every view, [V, outputs]. A batch-dependent network is given batches in a fixed shuffled order."""
    order = np.random.default_rng(0).permutation(len(views))
    out = np.zeros((len(views), int(net.settings["outputs"])))
    with torch.inference_mode():
        for rows in batches(len(views), size, 0, 0, False):
            batch = views[order[rows]]
            out[order[rows]] = net(sized(batch.pixels, pixels), batch.context).double().numpy()
    return out
