"""One way to get a patient by name: a phantom, a CT, or a warp of a CT; recent ones are kept."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from carm_env.errors import CarmError
from carm_env.patient.cache import cached
from carm_env.patient.model import Patient, Volume
from carm_env.patient.names import Name, parse_name
from carm_env.patient.readers.nifti import read_nifti
from carm_env.patient.sidecar import Sidecar, check_points, read_sidecar, sidecar_path

CACHE_BYTES = 2**30

_cache: OrderedDict[tuple[Any, ...], Patient] = OrderedDict()
_lock = threading.Lock()


def load_patient(spec: str) -> Patient:
    """The patient named by ``spec``: ``phantom:SEED``, a path to a NIfTI file (with its landmark file, if any), or
    ``warp:SEED:PATH``, a seeded variation of that CT.

    The last patients are kept in memory, up to ``CACHE_BYTES`` of voxels a process (the newest always); a file that
    changed on disk is read again. Generated patients are kept on disk as well (see ``cache``), memory-mapped.

    Raises:
        CarmError: the name is malformed, names a family instead of a patient, or the file is not a CT.
    """
    spec = str(spec)
    name = parse_name(spec)
    if name.is_family:
        raise CarmError(f"patient {spec[:80]!r} is a family; want one of it, e.g. {str(name.member(3))!r}")
    key = _key(name)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    patient = _load(name)
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


def _key(name: Name) -> tuple[Any, ...]:
    if name.kind == "phantom":
        return (str(name),)
    path = Path(name.path)
    return (str(name.absolute()), _stamp(path), _stamp(sidecar_path(path)))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size


def _load(name: Name) -> Patient:
    if name.kind == "phantom":
        return cached(str(name), lambda: _phantom(name))
    if name.kind == "warp":
        source = load_patient(name.path)
        recipe = f"warp {name.seed} of {source.id} {_points_hash(source)} as {Path(name.path).name}"
        return cached(recipe, lambda: _warp(name, source))
    path = Path(name.path)
    volume = read_nifti(path)
    beside = sidecar_path(path)
    sidecar = read_sidecar(beside) if beside.exists() else Sidecar(meta={"arms": None, "synthetic_band_mm": None})
    check_points(sidecar, volume, beside)
    meta = {"source": path.name, "split": name.split, **sidecar.meta}
    return Patient(content_id(volume), volume, sidecar.landmarks, sidecar.targets, sidecar.demographics, meta)


def _phantom(name: Name) -> Patient:
    from carm_env.patient.phantom import make_phantom

    assert name.seed is not None
    return make_phantom(name.seed)


def _warp(name: Name, source: Patient) -> Patient:
    from carm_env.patient.warp import make_warp

    assert name.seed is not None
    return make_warp(source, name.seed, f"warp:{name.seed}:{Path(name.path).name}")


def _points_hash(patient: Patient) -> str:
    """Hash of all that a warp carries along beside the voxels."""
    points = {n: p.tolist() for n, p in (patient.landmarks | patient.targets).items()}
    text = repr((sorted(points.items()), patient.demographics, sorted(patient.meta.items())))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
