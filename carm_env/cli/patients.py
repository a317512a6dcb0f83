"""`carm patients`: looks at CTs, lists cohorts, writes generated patients to files."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carm_env.errors import CarmError

if TYPE_CHECKING:
    from carm_env.patient.names import Name

HELP = """\
carm patients check PATIENT [--target X,Y,Z] [--json]     what is there, and what a run would miss
carm patients list COHORT [--split SPLIT] [--json]        its patients and their splits
carm patients make NAME [--split SPLIT] --out FOLDER      writes CTs, labels and landmarks as files

  PATIENT   phantom:SEED, the path of a NIfTI CT (.nii, .nii.gz; landmarks come from NAME.landmarks.json beside it), or
            warp:SEED:PATH, a seeded variation of that CT
  COHORT    phantom-N, warp-N:PATH, or a JSON list; NAME is a cohort or one patient
  SPLIT     all, train, validation or test: by a hash of the patient
  --target  a target in patient LPS mm, where the CT has none
"""
MARKS = {"ok": "ok  ", "warning": "note", "missing": "MISS"}


def main(argv: list[str]) -> int:
    if not argv or "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    commands = {"check": check, "list": list_patients, "make": make}
    if argv[0] not in commands:
        raise CarmError(f"unknown command `carm patients {argv[0]}`; there are: check, list, make")
    return commands[argv[0]](argv[1:])


def list_patients(argv: list[str]) -> int:
    """Prints a cohort: a line a patient, or the JSON that ``cohort=FILE.json`` reads."""
    from carm_env.patient.cohort import as_record, load_cohort

    as_json = "--json" in argv
    options, rest = _options([a for a in argv if a != "--json"], ("--split",))
    cohort = load_cohort(_one(rest, "list", "a cohort, e.g. phantom-1000"))
    chosen = cohort.select(options.get("--split", "all"))
    record = as_record(cohort, chosen)
    if as_json:
        print(json.dumps(record, indent=1))
        return 0
    for entry in record["patients"]:
        print(f"{entry['split']:<10}  {entry['name']}")
    print(f"{len(chosen)} patients; the cohort has " + ", ".join(f"{n} {s}" for s, n in cohort.counts().items()))
    return 0


def make(argv: list[str]) -> int:
    """Writes patients to a folder; what is already there is left as it is, so that a stopped call can go on."""
    from carm_env.patient.cohort import is_cohort, load_cohort
    from carm_env.patient.export import write_patient
    from carm_env.patient.load import load_patient
    from carm_env.patient.names import parse_name

    options, rest = _options(argv, ("--split", "--out"))
    name = _one(rest, "make", "a cohort or a patient, e.g. phantom-10 or phantom:3")
    if "--out" not in options:
        raise CarmError("carm patients make needs a folder; want --out FOLDER")
    chosen = load_cohort(name).select(options.get("--split", "all")) if is_cohort(name) else (parse_name(name),)
    folder = Path(options["--out"])
    stems = _stems(chosen)
    missing = [p for p in chosen if not (folder / f"{stems[p]}.nii.gz").exists()]
    for patient in _with_progress(missing):
        write_patient(load_patient(str(patient)), folder, stems[patient])
    print(f"{len(missing)} of {len(chosen)} written to {folder}; the others were there already")
    return 0


def _stems(patients: Sequence[Name]) -> dict[Name, str]:
    """File names without suffix, one per patient."""
    stems: dict[Name, str] = {}
    for patient in patients:
        parts = (patient.kind, "" if patient.seed is None else str(patient.seed), Path(patient.path).name.split(".")[0])
        stems[patient] = "-".join(part for part in parts if part)
    for stem, count in Counter(stems.values()).items():
        if count > 1:
            raise CarmError(f"{count} patients would be written as {stem}.nii.gz; want CTs with different file names")
    return stems


def check(argv: list[str]) -> int:
    """Prints the findings; 0 if a run would work, 1 if something that it needs is missing."""
    from carm_env.patient.check import check_patient

    as_json = "--json" in argv
    rest = [a for a in argv if a != "--json"]
    target = None
    if "--target" in rest:
        at = rest.index("--target")
        target = _point(rest[at + 1] if at + 1 < len(rest) else "")
        del rest[at : at + 2]
    if len(rest) != 1:
        raise CarmError(f"carm patients check takes one patient, got {len(rest)}; want phantom:SEED or a path")
    findings = check_patient(rest[0], target)
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        width = max(len(f.subject) for f in findings)
        for f in findings:
            print(f"{MARKS[f.level]}  {f.subject:<{width}}  {f.text}")
    return 1 if any(f.level == "missing" for f in findings) else 0


def _point(text: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(part) for part in text.strip("[]").split(","))
    except ValueError:
        x = y = z = nan
    if not all(map(isfinite, (x, y, z))):
        raise CarmError(f"--target {text!r} is not a point; want X,Y,Z in LPS mm")
    return x, y, z


def _options(argv: list[str], known: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """``--name value`` pairs, and the rest."""
    options, rest, words = {}, [], iter(argv)
    for word in words:
        if word in known:
            value = next(words, None)
            if value is None:
                raise CarmError(f"{word} needs a value")
            options[word] = value
        elif word.startswith("-"):
            raise CarmError(f"unknown option {word!r}; options: {', '.join(known)}")
        else:
            rest.append(word)
    return options, rest


def _one(rest: list[str], command: str, wanted: str) -> str:
    if len(rest) != 1:
        raise CarmError(f"carm patients {command} takes one name, got {len(rest)}; want {wanted}")
    return rest[0]


def _with_progress(items: Sequence[Any]) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    return track(items, "patients", console=Console(stderr=True), disable=len(items) < 2 or not sys.stderr.isatty())
