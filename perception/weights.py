"""Weights on disk: safetensors with a JSON record of what they belong to. Never pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from carm_env.errors import CarmError
from carm_env.tensor_file import load_arrays, save_arrays
from perception.nets.registry import make_net


def save(path: Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Writes tensors and a record of plain JSON values, whole or not at all."""
    save_arrays(path, {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}, record)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and record of a file.

    Raises:
        CarmError: see ``carm_env.tensor_file.load_arrays``.
    """
    arrays, record = load_arrays(path)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, record


def save_net(path: Path, net: nn.Module, record: dict[str, Any]) -> None:
    """Writes a network that has a ``name`` and its ``settings``."""
    save(path, net.state_dict(), {"net": net.name, "settings": net.settings, **record})


def load_net(path: Path, want: str | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a file, in evaluation mode, and the file's record.

    Args:
        want: the architecture that it must be, if any.

    Raises:
        CarmError: whatever ``load`` refuses, another architecture, tensors that do not fit or are not finite.
    """
    tensors, record = load(path)
    name, settings = record.get("net"), record.get("settings", {})
    if want is not None and name != want:
        raise CarmError(f"weights {path} belong to network {name!r}; want {want!r}")
    if not isinstance(settings, dict):
        raise CarmError(f"weights {path} have settings {str(settings)[:40]!r}; want those of {name}")
    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in make_net(str(name), **settings).state_dict().items()}
    wrong = shapes.items() ^ {key: tensor.shape for key, tensor in tensors.items()}.items()
    if wrong:
        raise CarmError(f"weights {path} do not fit {name}: {sorted(key for key, _ in wrong)[0]} is missing or differs")
    net = make_net(str(name), **settings)
    net.load_state_dict(tensors)
    if not all(torch.isfinite(tensor).all() for tensor in net.state_dict().values()):
        raise CarmError(f"weights {path} hold numbers that are not finite")
    return net.eval(), record
