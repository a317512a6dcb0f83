"""One way to get a patient by name: a phantom, a CT, or a warp of a CT; recent ones are kept."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from carm_env.errors import CarmError
from carm_env.patient.cache import cached
from carm_env.patient.model import LANDMARKS, SCAN_PREFIX, Demographics, Patient, Scan, Volume
from carm_env.patient.names import Name, parse_name
from carm_env.patient.readers.source import read_scan, split_series
from carm_env.patient.sidecar import Sidecar, check_points, read_sidecar, sidecar_path
from carm_env.patient.stamps import MISSING, stamp

CACHE_BYTES = 2**30

_cache: OrderedDict[tuple[Any, ...], Patient] = OrderedDict()
_lock = threading.Lock()


def load_patient(spec: str) -> Patient:
    """The patient named by ``spec``: ``phantom:SEED``, the path of a CT (see ``readers.source``; with its landmark
    file, if any), or ``warp:SEED:PATH``, a seeded variation of that CT.

    The last patients are kept open, up to ``CACHE_BYTES`` of voxels a process (the newest always); a file that changed
    on disk is read again. Their voxels lie on disk (see ``cache``), memory-mapped: all lanes and processes share one
    copy.

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
    return SCAN_PREFIX + digest.hexdigest()


def _key(name: Name) -> tuple[Any, ...]:
    return (str(name),) if name.kind == "phantom" else (str(name.absolute()), *_stamps(name))


def _stamps(name: Name) -> tuple[str, str]:
    path, _ = split_series(name.path)
    return stamp(path), stamp(sidecar_path(path))


def _load(name: Name) -> Patient:
    if name.kind == "phantom":
        return cached(str(name), lambda: _phantom(name))
    if name.kind == "warp":
        source = load_patient(name.path)
        recipe = f"warp {name.seed} of {source.id} {_points_hash(source)} as {Path(name.path).name}"
        return cached(recipe, lambda: _warp(name, source))
    if stamp(split_series(name.path)[0]) == MISSING:
        return _scan(name)
    return cached(f"ct {name.absolute()} {_stamps(name)}", lambda: _scan(name), "readers")


def _scan(name: Name) -> Patient:
    path, _ = split_series(name.path)
    beside = sidecar_path(path)
    scan = read_scan(name.path)
    return as_patient(scan, path.name, name.split, read_sidecar(beside) if beside.exists() else Sidecar(), beside)


def as_patient(scan: Scan, source: str, split: str, sidecar: Sidecar | None = None, beside: Path | str = "") -> Patient:
    """The patient of a scan. Landmarks: the landmark file's, else the scan's own, else estimated (and marked so).

    Args:
        source, split: for ``meta``. sidecar: what stands in the landmark file ``beside`` the CT, if there is one.

    Raises:
        CarmError: the landmark file's points belong to another CT.
    """
    given = sidecar or Sidecar()
    check_points(given, scan.volume, beside)
    landmarks, targets = scan.landmarks | given.landmarks, scan.targets | given.targets
    for name in given.absent:
        landmarks.pop(name, None)
        targets.pop(name, None)
    origin = {n: o for n, o in scan.meta.get("origin", {}).items() if n not in given.landmarks | given.targets}
    known = landmarks.keys() | targets.keys() | given.absent
    sd = scan.meta.get("uncertainty_mm", {}) | given.meta.get("uncertainty_mm", {})
    if not known.issuperset({*LANDMARKS, "sella"}):
        from carm_env.patient.estimate import estimate_landmarks

        found = estimate_landmarks(scan.volume)
        new = {n: p for n, p in found.points.items() if n not in known}
        origin |= dict.fromkeys(new, "estimated")
        sd = sd | {n: round(found.sd_mm[n], 1) for n in new}
        landmarks |= {n: p for n, p in new.items() if n in LANDMARKS}
        targets |= {n: p for n, p in new.items() if n not in LANDMARKS}
    meta = {"source": source, "split": split, "arms": None, "synthetic_band_mm": None} | scan.meta | given.meta
    marks = {"origin": origin | given.meta.get("origin", {}), "uncertainty_mm": sd}
    meta |= {key: values for key, values in marks.items() if values}
    if scan.notes:
        meta["notes"] = [*scan.notes, *given.meta.get("notes", [])]
    who = _merged(given.demographics, scan.demographics)
    return Patient(content_id(scan.volume), scan.volume, landmarks, targets, who, meta, scan.labels)


def _merged(first: Demographics, second: Demographics) -> Demographics:
    """What the first knows, and of the rest what the second knows."""
    return Demographics(**(asdict(second) | {k: v for k, v in asdict(first).items() if v is not None}))


def _phantom(name: Name) -> Patient:
    from carm_env.patient.phantom import make_phantom

    assert name.seed is not None
    return make_phantom(name.seed, name.voxel_mm)


def _warp(name: Name, source: Patient) -> Patient:
    from carm_env.patient.warp import make_warp

    assert name.seed is not None
    return make_warp(source, name.seed, f"warp:{name.seed}:{Path(name.path).name}")


def _points_hash(patient: Patient) -> str:
    """Hash of all that a warp carries along beside the voxels."""
    points = {n: p.tolist() for n, p in (patient.landmarks | patient.targets).items()}
    text = repr((sorted(points.items()), patient.demographics, sorted(patient.meta.items())))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
