"""A bounded folder of arrays on disk: made once, then memory-mapped and shared by lanes, processes and runs.

``$CARM_CACHE_DIR`` or ``~/.cache/carm``, readable by its owner only; what was used longest ago goes first.
``CARM_CACHE_GB`` bounds it (default 10; 0: nothing is kept).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError

DEFAULT_GB = 10.0
_LOCKS = 64
_RECORD_BYTES = 2**20


@dataclass(frozen=True)
class Entry:
    """What is kept under a key: named arrays, and a record of JSON values."""

    arrays: dict[str, NDArray[Any]]
    record: dict[str, Any]


def kept(key: str, make: Callable[[], Entry], mode: Literal["r", "c"] = "r") -> Entry:
    """The entry of a key, from the folder or made now and kept; just made if the folder cannot be used.

    Args:
        key: 32 hexadecimal digits. mode: of the mapped arrays, "r" read-only, "c" with private writes.
    """
    limit = cache_bytes()
    if limit == 0:
        return make()
    try:
        root = cache_folder()
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = root / key
        with _locked(root / f"lock-{int(key[:2], 16) % _LOCKS:02d}"):
            entry = _read(place, mode)
            if entry is None:
                made = make()
                _write(place, made)
                _evict(root, limit, keep=key)
                entry = _read(place, mode) or made
        return entry
    except OSError:
        return make()


def shared_array(recipe: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """An array that is costly to hold in every process; one that is mapped takes private writes.

    Args:
        recipe: all that decides the content.
    """
    key = hashlib.blake2b(f"array\n{recipe}".encode(), digest_size=16).hexdigest()
    return kept(key, lambda: Entry({"array": make()}, {}), "c").arrays["array"]


def cache_folder() -> Path:
    """Where patients are kept."""
    own = os.environ.get("CARM_CACHE_DIR")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "carm" / "patients"


def cache_bytes() -> int:
    """How much may be kept.

    Raises:
        CarmError: ``CARM_CACHE_GB`` is not a number of at least 0.
    """
    text = os.environ.get("CARM_CACHE_GB", "")
    try:
        size = float(text) if text else DEFAULT_GB
    except ValueError:
        size = math.nan
    if not 0.0 <= size <= 1e6:
        raise CarmError(f"CARM_CACHE_GB={text!r} is not a size; want a number of gigabytes, at least 0")
    return int(size * 2**30)


def used_bytes() -> int:
    """Size of all that is kept."""
    root = cache_folder()
    return sum(size for _, size, _ in _entries(root)) if root.is_dir() else 0


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a file lock where the system has them, so that one process makes what others wait for."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(place: Path, entry: Entry) -> None:
    """Writes beside its place, then moves there in one step."""
    folder = Path(tempfile.mkdtemp(prefix="part-", dir=place.parent))
    try:
        for name, array in entry.arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        digests = {name: _digest(array) for name, array in entry.arrays.items()}
        (folder / "record.json").write_text(json.dumps({"record": entry.record, "arrays": digests}))
        shutil.rmtree(place, ignore_errors=True)
        folder.rename(place)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _read(place: Path, mode: Literal["r", "c"]) -> Entry | None:
    """The entry at a place; None if there is none or it is damaged."""
    try:
        text = (place / "record.json").read_bytes()
        if len(text) > _RECORD_BYTES:
            return None
        content: dict[str, Any] = json.loads(text)
        arrays = {}
        for name, digest in content["arrays"].items():
            array = np.load(place / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
            if _digest(array) != digest:
                return None
            arrays[name] = array
        os.utime(place)
        return Entry(arrays, content["record"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None


def _digest(array: NDArray[Any]) -> str:
    digest = hashlib.blake2b(f"{array.dtype} {array.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _entries(root: Path) -> list[tuple[float, int, Path]]:
    """Time of last use, size and folder of every entry; half-written ones count too."""
    entries = []
    for folder in root.iterdir():
        with contextlib.suppress(OSError):
            if folder.is_dir() and (len(folder.name) == 32 or folder.name.startswith("part-")):
                size = sum(file.stat().st_size for file in folder.iterdir())
                entries.append((folder.stat().st_mtime, size, folder))
    return entries


def _evict(root: Path, limit: int, keep: str) -> None:
    """Removes what was used longest ago until the rest fits; the newest entry stays."""
    entries = _entries(root)
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries, key=lambda e: e[0]):
        if total <= limit:
            return
        if folder.name != keep:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
