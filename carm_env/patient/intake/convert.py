"""One case to files: read, clean, resample, find landmarks, write."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from carm_env.errors import CarmError
from carm_env.patient.export import write_patient
from carm_env.patient.intake.cases import Case
from carm_env.patient.intake.clean import clean_padding, remove_table
from carm_env.patient.intake.resample import resample
from carm_env.patient.load import as_patient
from carm_env.patient.model import Demographics, Patient, Scan, Volume
from carm_env.patient.readers.source import read_scan
from carm_env.patient.sidecar import Sidecar, read_sidecar, sidecar_path
from carm_env.patient.split import split_of


@dataclass(frozen=True)
class Settings:
    """How to import.

    Attributes:
        spacing_mm: cubes of this size instead of the CT's own voxels. keep_table: the couch stays.
        arms: of NMDID's two scans the one whose arms the joined CT has.
        keep_names: files are named after their source instead of by a hash.
    """

    spacing_mm: float | None = None
    keep_table: bool = False
    arms: str = "crossed"
    join: bool = True
    keep_names: bool = False


def convert(
    case: Case, name: str, settings: Settings, out: Path, secret: bytes, who: Demographics | None = None
) -> list[dict[str, Any]]:
    """Writes the CTs of a case to ``out``.

    Args:
        name: of the files, or empty for a hash of the voxels. secret: key of the hash that stands for a person.
        who: demographics from elsewhere; they go before the scan's own.

    Returns:
        For each CT ``{"state": "imported", "name", "person", ...}`` or ``{"state": "refused", "reason"}``; no source
        path and no patient identifier in it.
    """
    try:
        return _converted(case, name, settings, out, secret, who)
    except CarmError as error:
        return [_refused(case, error)]
    except MemoryError:
        return [_refused(case, CarmError("not enough memory to read it; want fewer workers, or a smaller CT"))]
    except Exception as error:  # one CT among thousands must not end the import
        return [_refused(case, CarmError(f"an error of the program ({type(error).__name__}); please report it"))]


def _converted(
    case: Case, name: str, settings: Settings, out: Path, secret: bytes, who: Demographics | None
) -> list[dict[str, Any]]:
    scans = _read(case, settings)
    results = []
    for number, (scan, person) in enumerate(scans, start=1):
        if isinstance(scan, CarmError):
            results.append(_refused(case, scan))
            continue
        own = f"{name}-{number}" if name and len(scans) > 1 else name
        try:
            results.append(_written(case, scan, _person(case, person, own, secret), own, settings, out, who))
        except CarmError as error:
            results.append(_refused(case, error))
    return results


def _read(case: Case, settings: Settings) -> list[tuple[Scan | CarmError, str]]:
    """The scans of a case, or why one is refused, each with what tells its person from others."""
    if case.kind == "pair":
        from carm_env.patient.nmdid.join import join_pair

        upper, torso = (read_scan(source) for source in case.sources)
        joined = join_pair(upper.volume, torso.volume, settings.arms)  # type: ignore[arg-type]
        meta = {"seam_mm": joined.seam_mm, "blend_mm": list(joined.blend_mm), "arms": settings.arms}
        notes = (*upper.notes, *torso.notes, *joined.notes)
        return [(Scan(joined.volume, upper.demographics, notes=notes, meta=meta), case.number)]
    if case.kind != "dicom":
        return [(read_scan(case.sources[0], labels=False), case.number)]
    from carm_env.patient.readers.dicom_series import find_series

    series = find_series(case.sources[0], recursive=False)
    if not series:
        raise CarmError(f"{case.sources[0]}: holds no DICOM image; want a CT series")
    return [(_series(one), case.number or one.patient_key) for one in series]


def _series(series: Any) -> Scan | CarmError:
    from carm_env.patient.readers.dicom import read_series

    try:
        return read_series(series)
    except CarmError as error:
        return error


def _written(
    case: Case, scan: Scan, person: str, name: str, settings: Settings, out: Path, who: Demographics | None
) -> dict[str, Any]:
    volume, notes = _prepared(scan.volume, settings)
    name = name or "scan-" + _voxel_hash(volume)
    person = person or name
    beside = sidecar_path(case.sources[0])
    sidecar = read_sidecar(beside) if case.kind in ("file", "segmented") and beside.exists() else Sidecar()
    if who is not None:
        known = {k: v for k, v in vars(who).items() if v is not None}
        sidecar = replace(sidecar, demographics=replace(sidecar.demographics, **known))
    split = split_of(f"person:{person}")
    scan = replace(scan, volume=volume, notes=(*scan.notes, *notes))
    patient = as_patient(scan, f"{name}.nii.gz", split, sidecar, beside)
    write_patient(patient, out, name)
    return {"state": "imported", "name": name, "person": person, **_summary(patient)}


def _prepared(volume: Volume, settings: Settings) -> tuple[Volume, list[str]]:
    if not volume.hu.flags.writeable:
        volume = Volume(np.array(volume.hu), volume.affine)
    volume, padding = clean_padding(volume)
    table = ""
    if not settings.keep_table:
        volume, table = remove_table(volume)
    if settings.spacing_mm is not None:
        volume = resample(volume, settings.spacing_mm)
    return volume, [note for note in (padding, table) if note]


def _summary(patient: Patient) -> dict[str, Any]:
    origin = patient.meta.get("origin", {})
    low, high = patient.volume.z_range_mm()
    return {
        "shape": list(patient.volume.hu.shape),
        "spacing_mm": [round(float(s), 4) for s in patient.volume.spacing_mm],
        "length_mm": round(high - low, 1),
        "landmarks": len(patient.landmarks),
        "estimated": sum(origin.get(n) == "estimated" for n in patient.landmarks),
        "sella": origin.get("sella", "given") if "sella" in patient.targets else None,
        "notes": patient.meta.get("notes", []),
    }


def _person(case: Case, key: str, name: str, secret: bytes) -> str:
    """What stands for a person: the public case number, a keyed hash of the record's identifiers, or nothing."""
    if case.number:
        return f"case-{case.number}"
    if not key:
        return name
    return "person-" + hashlib.blake2b(key.encode(errors="replace"), digest_size=6, key=secret).hexdigest()


def _voxel_hash(volume: Volume) -> str:
    digest = hashlib.blake2b(np.ascontiguousarray(volume.hu).data, digest_size=8)
    digest.update(np.round(volume.affine, 3).tobytes() + str(volume.hu.shape).encode())
    return digest.hexdigest()


def _refused(case: Case, error: CarmError) -> dict[str, Any]:
    return {"state": "refused", "reason": without_paths(str(error), case)}


def without_paths(text: str, case: Case) -> str:
    """A message with the case's paths replaced: names of files and folders may be names of people."""
    for source in case.sources:
        text = re.sub(re.escape(str(source)) + r"(/[^:]*)?", "CT", text)
        text = re.sub(re.escape(str(sidecar_path(source))), "landmark file", text)
        for part in {source.name, source.parent.name} - {""}:
            if len(part) >= 4:
                text = text.replace(part, "***")
    return text
