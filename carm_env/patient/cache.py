"""Patients on disk, generated or read from a CT, under a key of all that makes them (see ``store``)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np

from carm_env.patient.model import Demographics, Patient, Volume
from carm_env.patient.store import Entry, kept

_HERE = Path(__file__).parent
Code = Literal["generator", "readers"]
_SOURCES: dict[Code, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "generator": (("anatomy",), ("phantom", "warp", "split"), ("numpy", "scipy", "numba")),
    "readers": (
        ("readers", "segmented", "estimate"),
        ("load", "blocks", "sidecar", "sidecar_meta", "anatomy/domes", "anatomy/extended", "anatomy/labels"),
        ("numpy", "scipy", "simpleitk", "pydicom"),
    ),
}
"""Folders, modules and packages whose change makes what is kept stale."""


def cached(recipe: str, make: Callable[[], Patient], code: Code = "generator") -> Patient:
    """The patient of a recipe, from the cache or made now and kept; voxels are read-only.

    Args:
        recipe: all that decides the content, apart from the code that makes it, which the key covers as well.
        code: which code that is: the phantom's generator, or the readers of CTs.
    """
    key = hashlib.blake2b(f"{_fingerprint(code)}\n{recipe}".encode(errors="surrogateescape"), digest_size=16)
    made: list[Patient] = []

    def entry() -> Entry:
        made.append(make())
        return _entry(made[0])

    found = kept(key.hexdigest(), entry)
    try:
        return _patient(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        return made[0] if made else make()


def _entry(patient: Patient) -> Entry:
    arrays = {"hu": patient.volume.hu} | ({} if patient.labels is None else {"labels": patient.labels})
    record = {
        "id": patient.id,
        "affine": patient.volume.affine.tolist(),
        "landmarks": {n: p.tolist() for n, p in patient.landmarks.items()},
        "targets": {n: p.tolist() for n, p in patient.targets.items()},
        "demographics": asdict(patient.demographics),
        "meta": patient.meta,
    }
    return Entry(arrays, record)


def _patient(entry: Entry) -> Patient:
    record: dict[str, Any] = entry.record
    landmarks, targets = ({n: np.array(p, float) for n, p in record[k].items()} for k in ("landmarks", "targets"))
    volume = Volume(entry.arrays["hu"], np.array(record["affine"], float))
    who = Demographics(**record["demographics"])
    return Patient(record["id"], volume, landmarks, targets, who, record["meta"], entry.arrays.get("labels"))


@cache
def _fingerprint(code: Code) -> str:
    """Of the source and of the libraries that it computes with."""
    digest = hashlib.blake2b(digest_size=16)
    folders, modules, packages = _SOURCES[code]
    files = [file for folder in folders for file in (_HERE / folder).rglob("*.*") if file.suffix in (".py", ".json")]
    for file in sorted([*files, *(_HERE / f"{name}.py" for name in modules)]):
        digest.update(file.name.encode() + file.read_bytes())
    for package in packages:
        digest.update(metadata.version(package).encode())
    return digest.hexdigest()
