"""Weights on disk: safetensors with a JSON record of what they belong to. Never pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from carm_env.errors import CarmError
from carm_env.whole import whole
from perception.nets.registry import make_net

SCHEMA = 1
MOST_BYTES = 2**30
_HEADER_BYTES = 2**22
_MAGIC = {b"PK": "a zip (a pickled torch file?)", b"\x80": "a pickle"}


def save(path: Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Writes tensors and a record of plain JSON values, whole or not at all."""
    from safetensors.torch import save_file

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        save_file(plain, str(part), metadata={"carm": json.dumps({"schema": SCHEMA, **record})})


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and record of a file.

    Raises:
        CarmError: no such file, no safetensors (a pickle, a truncated file), without a record, or too large.
    """
    from safetensors import SafetensorError, safe_open

    try:
        _check_start(path)
        with safe_open(str(path), framework="pt") as file:
            record = json.loads((file.metadata() or {}).get("carm", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise CarmError(f"weights {path} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, RecursionError) as error:
        raise CarmError(f"weights {path} are damaged or no safetensors: {str(error).splitlines()[0]}") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise CarmError(f"weights {path} have no record of schema {SCHEMA}; want a file of carm perception train")
    return tensors, record


def _check_start(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(9)
    header = int.from_bytes(start[:8], "little")
    if start[8:] == b"{" and header <= min(_HEADER_BYTES, size) and size <= MOST_BYTES:
        return
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise CarmError(f"weights {path} are {what}; want safetensors, pickles are never read")
    raise CarmError(f"weights {path} are no safetensors, or truncated ({size} bytes)")


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


def digest(path: Path) -> str:
    """BLAKE2b hash of a file, 32 hexadecimal digits."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
