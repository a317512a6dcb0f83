"""Landmark files: ``NAME.landmarks.json`` beside ``NAME.nii.gz`` (schema 1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS, PLAUSIBLE, Demographics, Patient, Volume
from carm_env.patient.names import stem
from carm_env.patient.sidecar_meta import SCAN_META, is_number, point_meta, scan_meta, short
from carm_env.whole import whole

F64 = NDArray[np.float64]
SCHEMA = 1
FRAME = "LPS mm"
MAX_BYTES = 4 * 2**20
MAX_TARGETS = 500
FAR_OUTSIDE_MM = 50.0


@dataclass(frozen=True)
class Sidecar:
    """Contents of a landmark file: points [3] in LPS mm, demographics, and ``meta`` as a patient has it.

    ``absent``: landmarks and targets that the file says lie outside the CT (``null``).
    """

    landmarks: dict[str, F64] = field(default_factory=dict)
    targets: dict[str, F64] = field(default_factory=dict)
    demographics: Demographics = field(default_factory=Demographics)
    meta: dict[str, Any] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()


def sidecar_path(volume_path: str | Path) -> Path:
    """``NAME.landmarks.json`` beside ``NAME.nii.gz`` (or another CT format), or beside a folder ``NAME``."""
    path = Path(volume_path)
    return path.with_name(stem(path) + ".landmarks.json")


def read_sidecar(path: str | Path) -> Sidecar:
    """Reads and checks a landmark file. ``null`` points are ``absent``; ``extrapolated`` ones are not read at all.

    Raises:
        CarmError: names the file and the field.
    """
    path = Path(path)
    record = _load(path)
    if record.get("schema") != SCHEMA or isinstance(record.get("schema"), bool):
        raise CarmError(f"{path}: schema is {short(record.get('schema'))}; want {SCHEMA}")
    if record.get("frame") != FRAME:
        raise CarmError(f"{path}: frame is {short(record.get('frame'))}; want {FRAME!r}")
    landmarks = _points(record, "landmarks", path)
    unknown = [name for name in _mapping(record, "landmarks", path) if name not in LANDMARKS]
    if unknown:
        raise CarmError(f"{path}: landmarks.{short(unknown[0])} is unknown; want one of {', '.join(LANDMARKS)}")
    targets = _points(record, "targets", path)
    person = _mapping(record, "patient", path)
    meta = {"arms": _arms(person, path), "synthetic_band_mm": _band(record, path)}
    entries = _mapping(record, "landmarks", path) | _mapping(record, "targets", path)
    absent = frozenset(name for name, entry in entries.items() if entry is None)
    meta |= point_meta(entries, path) | scan_meta(record, path)
    return Sidecar(landmarks, targets, _demographics(person, path), meta, absent)


def write_sidecar(path: str | Path, patient: Patient, volume_name: str) -> None:
    """Writes a patient's points and demographics (whole or not at all); missing landmarks become ``null``."""
    path = Path(path)
    who = patient.demographics
    record = {
        "schema": SCHEMA,
        "frame": FRAME,
        "volume": volume_name,
        "patient": {
            "id": patient.id,
            "sex": who.sex,
            "age_years": who.age_years,
            "weight_kg": who.weight_kg,
            "height_cm": who.height_cm,
            "arms": patient.meta.get("arms"),
        },
        "landmarks": {name: _entry(name, patient.landmarks.get(name), patient.meta) for name in LANDMARKS},
        "targets": {name: _entry(name, point, patient.meta) for name, point in patient.targets.items()},
        "synthetic_band_mm": patient.meta.get("synthetic_band_mm"),
        **{key: patient.meta[key] for key in SCAN_META if patient.meta.get(key)},
    }
    try:
        with whole(path) as part:
            part.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise CarmError(f"{path}: cannot be written ({error.strerror}); want a writable folder") from error


def check_points(sidecar: Sidecar, volume: Volume, path: str | Path) -> None:
    """Raises ``CarmError`` if a point lies more than ``FAR_OUTSIDE_MM`` outside the volume."""
    limit = np.array(volume.hu.shape) - 1
    for group, points in (("landmarks", sidecar.landmarks), ("targets", sidecar.targets)):
        for name, point in points.items():
            index = volume.to_index(point)
            outside = float((np.maximum(np.maximum(-index, index - limit), 0.0) * volume.spacing_mm).max())
            if outside > FAR_OUTSIDE_MM:
                text = ", ".join(f"{v:g}" for v in point)
                raise CarmError(
                    f"{path}: {group}.{name} at ({text}) lies {outside:.0f} mm outside the CT; "
                    "want LPS mm of this CT, or null"
                )


def _load(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not a finite number")

    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise CarmError(f"{path}: cannot be read ({error.strerror}); want a landmark file") from error
    if len(text) > MAX_BYTES:
        raise CarmError(f"{path}: larger than {MAX_BYTES // 2**20} MB; want a landmark file of a few kB")
    try:
        record = json.loads(text.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise CarmError(f"{path}: not valid JSON ({' '.join(str(error).split())[:120]}); want schema 1") from error
    if not isinstance(record, dict):
        raise CarmError(f"{path}: holds a JSON {type(record).__name__}; want an object of schema 1")
    return record


def _mapping(record: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = record.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CarmError(f"{path}: {key} is {short(value)}; want an object")
    if len(value) > MAX_TARGETS:
        raise CarmError(f"{path}: {key} has {len(value)} entries; want at most {MAX_TARGETS}")
    return value


def _points(record: dict[str, Any], key: str, path: Path) -> dict[str, F64]:
    entries = _mapping(record, key, path)
    return {name: _position(entry, f"{key}.{name}", path) for name, entry in entries.items() if entry is not None}


def _position(entry: Any, field_name: str, path: Path) -> F64:
    position = entry.get("position") if isinstance(entry, dict) else None
    if not (isinstance(position, list) and len(position) == 3 and all(map(is_number, position))):
        raise CarmError(
            f"{path}: {short(field_name, 80)}.position is {short(position)}; want 3 finite numbers, LPS mm"
        )
    return np.array(position, float)


def _demographics(person: dict[str, Any], path: Path) -> Demographics:
    sex = person.get("sex")
    if sex not in (None, "F", "M"):
        raise CarmError(f"{path}: patient.sex is {short(sex)}; want 'F', 'M' or null")
    values: dict[str, float | None] = {}
    for name, (low, high) in PLAUSIBLE.items():
        value = person.get(name)
        if value is not None and not (is_number(value) and low <= value <= high):
            raise CarmError(f"{path}: patient.{name} is {short(value)}; want {low:g} to {high:g}, or null")
        values[name] = None if value is None else float(value)
    return Demographics(sex, **values)


def _arms(person: dict[str, Any], path: Path) -> str | None:
    arms = person.get("arms")
    if arms is not None and (not isinstance(arms, str) or len(arms) > 40):
        raise CarmError(
            f"{path}: patient.arms is {short(arms)}; want a word such as 'raised' or 'at the sides', or null"
        )
    return arms


def _band(record: dict[str, Any], path: Path) -> list[float] | None:
    band = record.get("synthetic_band_mm")
    if band is None:
        return None
    if not (isinstance(band, list) and len(band) == 2 and all(map(is_number, band)) and band[0] < band[1]):
        raise CarmError(f"{path}: synthetic_band_mm is {short(band)}; want [low, high] in mm, or null")
    return [float(v) for v in band]


def _entry(name: str, point: F64 | None, meta: dict[str, Any]) -> dict[str, Any] | None:
    if point is None:
        return None
    entry: dict[str, Any] = {"position": [float(v) for v in point]}
    for key in ("uncertainty_mm", "origin"):
        if name in meta.get(key, {}):
            entry[key] = meta[key][name]
    return entry
