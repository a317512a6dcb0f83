"""Arrays on disk: safetensors with a JSON record of what they belong to. Never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.whole import whole

Array = NDArray[Any]
SCHEMA = 1
MOST_BYTES = 2**30
_HEADER_BYTES = 2**22
_MAGIC = {b"PK": "a zip (a pickled torch file?)", b"\x80": "a pickle"}


def save_arrays(path: Path, arrays: Mapping[str, Array], record: Mapping[str, Any]) -> None:
    """Writes arrays and a record of plain JSON values, whole or not at all."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        save_file(plain, str(part), metadata={"carm": json.dumps({"schema": SCHEMA, **record})})


def load_arrays(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and record of a file.

    Raises:
        CarmError: no such file, no safetensors (a pickle, a truncated file), without a record, or too large.
    """
    from safetensors import SafetensorError, safe_open

    try:
        _check_start(path)
        with safe_open(str(path), framework="numpy") as file:
            record = json.loads((file.metadata() or {}).get("carm", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise CarmError(f"weights {path} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CarmError(f"weights {path} are damaged or no safetensors: {str(error).splitlines()[0]}") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise CarmError(f"weights {path} have no record of schema {SCHEMA}; want a file that carm trained")
    return arrays, record


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


def digest(path: Path) -> str:
    """BLAKE2b hash of a file, 32 hexadecimal digits."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
