"""Lists of patients, split into train, validation and test by patient."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError
from carm_env.patient.names import Name, parse_name
from carm_env.patient.split import SPLITS, Split

ALL = "all"
MAX_PATIENTS = 1_000_000
_MAX_FILE_BYTES = 64 * 2**20
_FAMILY = re.compile(r"phantom-(\d{1,7})|warp-(\d{1,7}):(.+)", re.DOTALL)
_FORMS = "want phantom-N, warp-N:PATH, or the path of a cohort's JSON file"


@dataclass(frozen=True)
class Cohort:
    """Patients in a fixed order, each with its split."""

    name: str
    patients: tuple[Name, ...]
    splits: tuple[Split, ...]

    def select(self, split: str) -> tuple[Name, ...]:
        """The patients of a split, or of ``all``.

        Raises:
            CarmError: the split is unknown or has no patient.
        """
        check_split(split)
        chosen = tuple(p for p, s in zip(self.patients, self.splits, strict=True) if split in (ALL, s))
        if not chosen:
            raise CarmError(f"cohort {self.name} has no patient in split={split}; it has {self.counts()}")
        return chosen

    def counts(self) -> dict[str, int]:
        """Patients in each split."""
        return {split: self.splits.count(split) for split in SPLITS}


def check_split(split: str) -> None:
    """Refuses a split that does not exist."""
    if split not in (ALL, *SPLITS):
        raise CarmError(f"split={split!r} is unknown; want one of {', '.join((ALL, *SPLITS))}")


def is_cohort(name: str) -> bool:
    """Whether a name has the form of a cohort's."""
    return _FAMILY.fullmatch(name) is not None or name.lower().endswith(".json")


def absolute(name: str) -> str:
    """The cohort's name with an absolute path in it."""
    match = _FAMILY.fullmatch(name)
    if match is None:
        return str(Path(name).absolute())
    return name if match[1] else f"warp-{match[2]}:{Path(match[3]).absolute()}"


def load_cohort(name: str) -> Cohort:
    """A cohort by name.

    ``phantom-N`` holds the phantoms of seeds 0 to N - 1 and ``warp-N:PATH`` that many warps of one CT. A JSON file
    holds ``{"schema": 1, "patients": [...]}``: names as for ``patient=`` (paths relative to the file), or objects
    ``{"name": ..., "split": "train" | "validation" | "test"}``; without a split the patient's hash decides. Warps go
    with their CT.

    Raises:
        CarmError: the name or the file is malformed.
    """
    if _FAMILY.fullmatch(name) is None:
        return _from_file(name)
    return _family(name)


@lru_cache(8)
def _family(name: str) -> Cohort:
    match = _FAMILY.fullmatch(name)
    assert match is not None
    count = int(match[1] or match[2])
    if not 1 <= count <= MAX_PATIENTS:
        raise CarmError(f"cohort {name[:80]!r} has {count} patients; want 1 to {MAX_PATIENTS}")
    family = parse_name("phantom" if match[1] else f"warp:{match[3]}")
    if not family.is_family:
        raise CarmError(f"cohort {name[:80]!r} has a seed in it; {_FORMS}")
    patients = tuple(family.member(seed) for seed in range(count))
    return Cohort(name, patients, tuple(p.split for p in patients))


def _from_file(name: str) -> Cohort:
    path = Path(name)
    if path.suffix.lower() != ".json":
        raise CarmError(f"cohort {name[:80]!r} is unknown; {_FORMS}")
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise CarmError(f"{path}: the cohort's file has more than {_MAX_FILE_BYTES} bytes")
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CarmError(f"{path}: not a readable JSON file ({type(error).__name__}); {_FORMS}") from None
    entries = record.get("patients") if isinstance(record, dict) else None
    if not isinstance(entries, list) or record.get("schema") != 1 or not 1 <= len(entries) <= MAX_PATIENTS:
        raise CarmError(
            f'{path}: not a cohort; want {{"schema": 1, "patients": [...]}} with 1 to {MAX_PATIENTS} patients'
        )
    read = [_entry(entry, i, path) for i, entry in enumerate(entries)]
    if len({str(patient) for patient, _ in read}) < len(read):
        raise CarmError(f"{path}: a patient stands in the list twice; want each once")
    return Cohort(name, tuple(p for p, _ in read), tuple(s for _, s in read))


def _entry(entry: Any, index: int, path: Path) -> tuple[Name, Split]:
    where = f"{path}: patients[{index}]"
    given = entry if isinstance(entry, dict) else {"name": entry}
    if not isinstance(given.get("name"), str) or set(given) - {"name", "split"}:
        raise CarmError(f'{where} is not a patient; want a name or {{"name": ..., "split": ...}}')
    patient = parse_name(given["name"])
    if patient.is_family:
        raise CarmError(
            f"{where}: {given['name'][:80]!r} is a family; want one patient, e.g. {str(patient.member(3))!r}"
        )
    if patient.path:
        patient = Name(patient.kind, patient.seed, str(path.parent / patient.path))
    split = given.get("split", patient.split)
    if split not in SPLITS:
        raise CarmError(f"{where}: split {str(split)[:40]!r} is unknown; want one of {', '.join(SPLITS)}")
    return patient, split


def as_record(cohort: Cohort, patients: Sequence[Name]) -> dict[str, Any]:
    """The JSON record of some of a cohort's patients, each with its split."""
    split = dict(zip(cohort.patients, cohort.splits, strict=True))
    return {"schema": 1, "patients": [{"name": str(p), "split": split[p]} for p in patients]}
