"""Lists of patients, split into train, validation and test by patient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError
from carm_env.patient.cohort_file import MAX_PATIENTS, SUFFIXES, read_entries
from carm_env.patient.names import Name, parse_name
from carm_env.patient.split import SPLITS, Split, split_of
from carm_env.patient.stamps import stamp

ALL = "all"
FOLDER_FILE = "cohort.json"
"""What an import writes into its folder."""
_FAMILY = re.compile(r"phantom-(\d{1,7})(@.*)?|warp-(\d{1,7}):(.+)", re.DOTALL)
_FORMS = "want phantom-N, warp-N:PATH, or the path of a cohort's JSON, YAML or CSV file"


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
    return _FAMILY.fullmatch(name) is not None or _file(name).name.lower().endswith(SUFFIXES)


def absolute(name: str) -> str:
    """The cohort's name with an absolute path in it."""
    match = _FAMILY.fullmatch(name)
    if match is None:
        return str(Path(name).absolute())
    return name if match[1] else f"warp-{match[3]}:{Path(match[4]).absolute()}"


def load_cohort(name: str) -> Cohort:
    """A cohort by name.

    ``phantom-N`` holds the phantoms of seeds 0 to N - 1 (``phantom-N@8``: in voxels of 8 mm) and ``warp-N:PATH`` that
    many warps of one CT. A JSON, YAML or CSV file (see ``cohort_file``) lists names as for ``patient=`` (paths relative
    to the file), each perhaps with a ``split`` and with ``patient``, the person; without a split the person's hash
    decides, or that of the name. Warps go with their CT. A folder stands for the ``cohort.json`` in it.

    Raises:
        CarmError: the name or the file is malformed.
    """
    if _FAMILY.fullmatch(name) is None:
        return _from_file(name, stamp(_file(name)))
    return _family(name)


@lru_cache(8)
def _family(name: str) -> Cohort:
    match = _FAMILY.fullmatch(name)
    assert match is not None
    count = int(match[1] or match[3])
    if not 1 <= count <= MAX_PATIENTS:
        raise CarmError(f"cohort {name[:80]!r} has {count} patients; want 1 to {MAX_PATIENTS}")
    family = parse_name(f"phantom{match[2] or ''}" if match[1] else f"warp:{match[4]}")
    if not family.is_family:
        raise CarmError(f"cohort {name[:80]!r} has a seed in it; {_FORMS}")
    patients = tuple(family.member(seed) for seed in range(count))
    return Cohort(name, patients, tuple(p.split for p in patients))


def _file(name: str) -> Path:
    path = Path(name)
    return path / FOLDER_FILE if (path / FOLDER_FILE).is_file() else path


@lru_cache(4)
def _from_file(name: str, version: str) -> Cohort:
    """The cohort of a file as it is now: ``version`` changes with the file."""
    path = _file(name)
    if path.suffix.lower() not in SUFFIXES:
        raise CarmError(f"cohort {name[:80]!r} is unknown; {_FORMS}")
    read = [_entry(entry, f"{path}: patients[{i}]", path.parent) for i, entry in enumerate(read_entries(path))]
    if len({str(patient) for patient, _, _ in read}) < len(read):
        raise CarmError(f"{path}: a patient stands in the list twice; want each once")
    _check_persons(read, path)
    return Cohort(name, tuple(p for p, _, _ in read), tuple(s for _, s, _ in read))


def _entry(given: dict[str, Any], where: str, folder: Path) -> tuple[Name, Split, str]:
    patient = parse_name(given["name"])
    if patient.is_family:
        raise CarmError(
            f"{where}: {given['name'][:80]!r} is a family; want one patient, e.g. {str(patient.member(3))!r}"
        )
    if patient.path:
        patient = Name(patient.kind, patient.seed, str(folder / patient.path))
    person = str(given.get("patient", ""))
    split = given.get("split", split_of(f"person:{person}") if person else patient.split)
    if split not in SPLITS:
        raise CarmError(f"{where}: split {str(split)[:40]!r} is unknown; want one of {', '.join(SPLITS)}")
    return patient, split, person


def _check_persons(read: list[tuple[Name, Split, str]], path: Path) -> None:
    """Refuses a list that puts one person into two splits."""
    seen: dict[str, Split] = {}
    for number, (_, split, person) in enumerate(read):
        if person and seen.setdefault(person, split) != split:
            raise CarmError(
                f"{path}: patients[{number}] is in {split}, another CT of the same person in {seen[person]}; "
                "want all CTs of a person in one split"
            )


def as_record(cohort: Cohort, patients: Sequence[Name]) -> dict[str, Any]:
    """The JSON record of some of a cohort's patients, each with its split."""
    split = dict(zip(cohort.patients, cohort.splits, strict=True))
    return {"schema": 1, "patients": [{"name": str(p), "split": split[p]} for p in patients]}
