"""Weights on disk: safetensors with a JSON record of what they belong to. Never pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

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
    except (SafetensorError, ValueError) as error:
        raise CarmError(f"weights {path} are damaged or no safetensors: {str(error).splitlines()[0]}") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise CarmError(f"weights {path} have no record of schema {SCHEMA}; want a file of carm perception train")
    return tensors, record


def _check_start(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise CarmError(f"weights {path} are {what}; want safetensors, pickles are never read")
    header = int.from_bytes(start, "little")
    if len(start) < 8 or header > min(_HEADER_BYTES, size) or size > MOST_BYTES:
        raise CarmError(f"weights {path} are no safetensors, or truncated ({size} bytes)")


def save_net(path: Path, net: nn.Module, record: dict[str, Any]) -> None:
    """Writes a network that has a ``name`` and its ``settings``."""
    save(path, net.state_dict(), {"net": net.name, "settings": net.settings, **record})


def load_net(path: Path, want: str | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a file, in evaluation mode, and the file's record.

    Args:
        want: the architecture that it must be, if any.

    Raises:
        CarmError: whatever ``load`` refuses, another architecture, tensors that do not fit.
    """
    tensors, record = load(path)
    name = record.get("net")
    if want is not None and name != want:
        raise CarmError(f"weights {path} belong to network {name!r}; want {want!r}")
    net = make_net(str(name), **dict(record.get("settings", {})))
    try:
        net.load_state_dict(tensors)
    except RuntimeError as error:
        raise CarmError(f"weights {path} do not fit {name}: {' '.join(str(error).split())[:200]}") from None
    return net.eval(), record


def digest(path: Path) -> str:
    """BLAKE2b hash of a file, 32 hexadecimal digits."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
