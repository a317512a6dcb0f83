"""One way to get a patient by name: ``phantom:SEED`` or the path of a NIfTI file; recent ones are kept."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from carm_env.errors import CarmError
from carm_env.patient.model import Patient, Volume
from carm_env.patient.nifti import read_nifti
from carm_env.patient.sidecar import Sidecar, check_points, read_sidecar, sidecar_path

CACHE_BYTES = 2**30
PHANTOM_PREFIX = "phantom:"

_cache: OrderedDict[tuple[Any, ...], Patient] = OrderedDict()
_lock = threading.Lock()


def load_patient(spec: str) -> Patient:
    """The patient named by ``spec``: ``phantom:SEED`` or a path to a NIfTI file (with its landmark file, if any).

    The last patients are kept in memory, up to ``CACHE_BYTES`` of voxels a process (the newest always); a file that
    changed on disk is read again.

    Raises:
        CarmError: the name is malformed or the file is not a CT.
    """
    spec = str(spec)
    key = _key(spec)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    patient = _load(spec)
    with _lock:
        _cache[key] = patient
        _cache.move_to_end(key)
        while len(_cache) > 1 and sum(p.volume.hu.nbytes for p in _cache.values()) > CACHE_BYTES:
            _cache.popitem(last=False)
    return patient


def content_id(volume: Volume) -> str:
    """``ct-`` and 16 hexadecimal digits of the BLAKE2b hash of voxels and affine."""
    digest = hashlib.blake2b(np.ascontiguousarray(volume.hu).data, digest_size=8)
    digest.update(str(volume.hu.shape).encode())
    digest.update(np.ascontiguousarray(volume.affine).tobytes())
    return "ct-" + digest.hexdigest()


def _key(spec: str) -> tuple[Any, ...]:
    if spec.startswith(PHANTOM_PREFIX):
        return (spec,)
    path = Path(spec)
    if not path.name:
        raise CarmError(f"patient {spec!r} names nothing; want 'phantom:SEED' or the path of a NIfTI file")
    return (str(path.absolute()), _stamp(path), _stamp(sidecar_path(path)))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size


def _load(spec: str) -> Patient:
    if spec.startswith(PHANTOM_PREFIX):
        from carm_env.patient.phantom import make_phantom

        return make_phantom(_seed(spec))
    path = Path(spec)
    volume = read_nifti(path)
    beside = sidecar_path(path)
    sidecar = read_sidecar(beside) if beside.exists() else Sidecar(meta={"arms": None, "synthetic_band_mm": None})
    check_points(sidecar, volume, beside)
    meta = {"source": path.name, **sidecar.meta}
    return Patient(content_id(volume), volume, sidecar.landmarks, sidecar.targets, sidecar.demographics, meta)


def _seed(spec: str) -> int:
    text = spec[len(PHANTOM_PREFIX) :]
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise CarmError(f"patient {spec[:80]!r}: seed {text[:40]!r} is not a whole number; want e.g. 'phantom:3'")
    return int(text)
