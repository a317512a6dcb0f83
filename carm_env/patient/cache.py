"""Generated patients on disk: made once, then memory-mapped and shared by lanes, processes and runs.

A bounded folder, ``$CARM_CACHE_DIR`` or ``~/.cache/carm``; what was used longest ago goes first. ``CARM_CACHE_GB``
bounds it (default 10; 0: nothing is kept).
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
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Demographics, Patient, Volume

DEFAULT_GB = 10.0
_LOCKS = 64
_RECORD_BYTES = 2**20
_HERE = Path(__file__).parent


def cached(recipe: str, make: Callable[[], Patient]) -> Patient:
    """The patient of a recipe, from the cache or made now and kept; voxels are read-only.

    Args:
        recipe: all that decides the content, apart from the generator's code, which the key covers as well.
    """
    limit = cache_bytes()
    if limit == 0:
        return make()
    try:
        root = cache_folder()
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        entry = root / _key(recipe)
        with _locked(root / f"lock-{int(entry.name[:2], 16) % _LOCKS:02d}"):
            patient = _read(entry)
            if patient is None:
                made = make()
                _write(entry, made)
                _evict(root, limit, keep=entry.name)
                patient = _read(entry) or made
        return patient
    except OSError:
        return make()


def cache_folder() -> Path:
    """Where generated patients are kept."""
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


def _key(recipe: str) -> str:
    return hashlib.blake2b(f"{_code()}\n{recipe}".encode(), digest_size=16).hexdigest()


@cache
def _code() -> str:
    """Fingerprint of the generator's source and of the libraries that it computes with."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted([*(_HERE / "anatomy").glob("*.py"), *(_HERE / f"{n}.py" for n in ("phantom", "warp", "split"))]):
        digest.update(file.name.encode() + file.read_bytes())
    for package in ("numpy", "scipy", "numba"):
        digest.update(metadata.version(package).encode())
    return digest.hexdigest()


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


def _write(entry: Path, patient: Patient) -> None:
    """Writes beside its place, then moves there in one step."""
    folder = Path(tempfile.mkdtemp(prefix="part-", dir=entry.parent))
    try:
        arrays = {"hu": patient.volume.hu} | ({} if patient.labels is None else {"labels": patient.labels})
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        record = {
            "id": patient.id,
            "affine": patient.volume.affine.tolist(),
            "landmarks": {n: p.tolist() for n, p in patient.landmarks.items()},
            "targets": {n: p.tolist() for n, p in patient.targets.items()},
            "demographics": asdict(patient.demographics),
            "meta": patient.meta,
            "arrays": {name: _digest(array) for name, array in arrays.items()},
        }
        (folder / "patient.json").write_text(json.dumps(record))
        shutil.rmtree(entry, ignore_errors=True)
        folder.rename(entry)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _read(entry: Path) -> Patient | None:
    """The patient of an entry; None if there is none or it is damaged."""
    try:
        text = (entry / "patient.json").read_bytes()
        if len(text) > _RECORD_BYTES:
            return None
        record: dict[str, Any] = json.loads(text)
        arrays = {}
        for name, digest in record["arrays"].items():
            array = np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            if _digest(array) != digest:
                return None
            arrays[name] = array
        os.utime(entry)
        landmarks, targets = (
            {n: np.array(p, float) for n, p in record[kind].items()} for kind in ("landmarks", "targets")
        )
        volume = Volume(arrays["hu"], np.array(record["affine"], float))
        who = Demographics(**record["demographics"])
        return Patient(record["id"], volume, landmarks, targets, who, record["meta"], arrays.get("labels"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None


def _digest(array: NDArray[Any]) -> str:
    digest = hashlib.blake2b(f"{array.dtype} {array.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def used_bytes() -> int:
    """Size of all that is kept."""
    root = cache_folder()
    return sum(size for _, size, _ in _entries(root)) if root.is_dir() else 0


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
