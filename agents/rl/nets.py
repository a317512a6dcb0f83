"""The network behind decisions: a perceptron over features, with eyes for images where it has any. PyTorch alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.rl.features import NAMES
from agents.rl.orders import CHOICES, thresholds
from carm_env.errors import CarmError
from carm_env.tensor_file import load_arrays, save_arrays

EYES = 64
ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}
HEADS: dict[str, int] = {"choices": sum(CHOICES.values()), "bins": len(CHOICES)}
"""Outputs of each kind of head: a logit for each alternative, or a place on each part's range."""
MOST_HIDDEN, MOST_PIXELS = 512, 256


@dataclass(frozen=True)
class Shape:
    """What a decision network is built of.

    Attributes:
        task: of ``sim.config.TASKS``; image_pixels: side of the images of ``planes`` that it sees, 0 for none.
        hidden: widths of the hidden layers; activation: a key of ``ACTIVATIONS``; head: a key of ``HEADS``.
    """

    task: str
    head: str
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    image_pixels: int = 0
    planes: int = 2


class Eyes(nn.Module):
    """[N, planes, P, P] with values from 0 to 1 in, [N, 64] out."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in ((planes, 16), (16, 32), (32, 32)):
            layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, EYES), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)  # type: ignore[no-any-return]


class DecisionNet(nn.Module):
    """Features (and images) in, scores of what can be decided out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.eyes = Eyes(shape.planes) if shape.image_pixels else None
        layers: list[nn.Module] = []
        width = len(NAMES) + (EYES if shape.image_pixels else 0)
        for hidden in shape.hidden:
            layers += [nn.Linear(width, hidden), ACTIVATIONS[shape.activation]()]
            width = hidden
        self.body, self.head = nn.Sequential(*layers), nn.Linear(width, HEADS[shape.head])

    def forward(self, features: Tensor, image: Tensor | None = None) -> Tensor:
        if self.eyes is not None:
            assert image is not None
            features = torch.cat([features, self.eyes(image)], dim=1)
        return self.head(self.body(features))  # type: ignore[no-any-return]

    def choices(self, features: Tensor, image: Tensor | None = None) -> NDArray[np.int64]:
        """The most likely decisions, one index for each of ``orders.CHOICES``, [N, parts].

        Args:
            features: float32 [N, 30]. image: uint8 [N, planes, P, P].
        """
        scores = self(features, None if image is None else image.float() / 255.0).numpy()
        if self.shape.head == "bins":
            return thresholds(np.tanh(scores))
        ends = np.cumsum(list(CHOICES.values()))[:-1]
        return np.stack([part.argmax(axis=1) for part in np.split(scores, ends, axis=1)], axis=1)


def save_policy(path: Path, net: DecisionNet, record: dict[str, Any]) -> None:
    """Writes a network with all that is needed to use it."""
    told = {"policy": "learned", "shape": asdict(net.shape), "features": list(NAMES), "choices": CHOICES, **record}
    save_arrays(path, {name: tensor.detach().numpy() for name, tensor in net.state_dict().items()}, told)


def load_policy(path: Path) -> tuple[DecisionNet, dict[str, Any]]:
    """The network of a file and the file's record.

    Raises:
        CarmError: no such file, no safetensors, another kind of policy, or one of other features or decisions.
    """
    arrays, record = load_arrays(path)
    if record.get("policy") != "learned":
        raise CarmError(f"weights {path} are no policy; want those of carm train")
    for name, mine in (("features", list(NAMES)), ("choices", CHOICES)):
        if record.get(name) != mine:
            raise CarmError(f"policy {path} was trained on other {name}; this version has {len(mine)}: train it again")
    net = DecisionNet(_shape(record.get("shape"), path))
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    wrong = shapes.items() ^ {name: array.shape for name, array in arrays.items()}.items()
    if wrong:
        first = sorted(name for name, _ in wrong)[0]
        raise CarmError(f"weights {path} do not fit their shape: {first} is missing or differs")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise CarmError(f"weights {path} hold numbers that are not finite")
    net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return net.eval(), record


def _shape(given: Any, path: Path) -> Shape:
    try:
        shape = Shape(**{**given, "hidden": tuple(given["hidden"])})
        sizes = [*shape.hidden, shape.planes]
        whole = all(type(n) is int and 1 <= n <= MOST_HIDDEN for n in sizes) and len(shape.hidden) <= 4
        good = whole and shape.head in HEADS and shape.activation in ACTIVATIONS
        good = good and type(shape.image_pixels) is int and 0 <= shape.image_pixels <= MOST_PIXELS
    except (TypeError, KeyError, ValueError):
        good = False
    if not good:
        raise CarmError(f"policy {path} has the shape {str(given)[:80]!r}, which no network has")
    return shape
