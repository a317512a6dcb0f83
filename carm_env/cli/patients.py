"""`carm patients`: looks at CTs, lists cohorts, writes generated patients to files; imports and fetches CTs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carm_env.cli.options import one, options
from carm_env.errors import CarmError

if TYPE_CHECKING:
    from carm_env.patient.names import Name

HELP = """\
carm patients check PATIENT [--target X,Y,Z] [--json]     what is there, and what a run would miss; a picture
carm patients import SRC --out FOLDER [...]               any CTs to canonical ones with landmarks (import --help)
carm patients fetch NAME [--out FOLDER]                   a public segmented CT: whole-body-male, whole-body-female
carm patients list COHORT [--split SPLIT] [--json]        its patients and their splits
carm patients make NAME [--split SPLIT] --out FOLDER      writes CTs, labels and landmarks as files

  PATIENT   phantom:SEED, a CT (NIfTI, NRRD or MHA file, DICOM folder, FOLDER#N for its N-th series, folder with
            ct.nii.gz and segmentations; NAME.landmarks.json beside it gives landmarks, else they are estimated), or
            warp:SEED:PATH, a seeded variation of that CT
  COHORT    phantom-N, warp-N:PATH, or a JSON, YAML or CSV list; NAME is a cohort or one patient
  SPLIT     all, train, validation or test: by a hash of the patient
  --target  a target in patient LPS mm, where the CT has none
  --preview FILE.png   where the picture from front and side goes (default runs/check/ID.png), or none
"""
MARKS = {"ok": "ok  ", "warning": "note", "missing": "MISS"}


def main(argv: list[str]) -> int:
    from carm_env.cli.patients_import import fetch, import_ct

    commands = {"check": check, "import": import_ct, "fetch": fetch, "list": list_patients, "make": make}
    if not argv or argv[0] in ("-h", "--help") or ("--help" in argv and argv[0] not in ("import", "fetch")):
        print(HELP)
        return 0
    if argv[0] not in commands:
        raise CarmError(f"unknown command `carm patients {argv[0]}`; there are: {', '.join(commands)}")
    return commands[argv[0]](argv[1:])


def list_patients(argv: list[str]) -> int:
    """Prints a cohort: a line a patient, or the JSON that ``cohort=FILE.json`` reads."""
    from carm_env.patient.cohort import as_record, load_cohort

    given, rest = options(argv, ("--split",), ("--json",))
    cohort = load_cohort(one(rest, "list", "a cohort, e.g. phantom-1000"))
    chosen = cohort.select(given.get("--split", "all"))
    record = as_record(cohort, chosen)
    if "--json" in given:
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

    given, rest = options(argv, ("--split", "--out"))
    name = one(rest, "make", "a cohort or a patient, e.g. phantom-10 or phantom:3")
    if "--out" not in given:
        raise CarmError("carm patients make needs a folder; want --out FOLDER")
    chosen = load_cohort(name).select(given.get("--split", "all")) if is_cohort(name) else (parse_name(name),)
    folder = Path(given["--out"])
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
    from carm_env.patient.check import Finding, check_patient
    from carm_env.patient.load import load_patient

    given, rest = options(argv, ("--target", "--preview"), ("--json",))
    target = _point(given["--target"]) if "--target" in given else None
    if len(rest) != 1:
        raise CarmError(f"carm patients check takes one patient, got {len(rest)}; want phantom:SEED or a path")
    findings = check_patient(rest[0], target)
    where = given.get("--preview", "")
    if where != "none":
        from carm_env.view.preview import save_preview

        patient = load_patient(rest[0])
        picture = save_preview(patient, where or Path("runs") / "check" / f"{patient.id}.png")
        findings.append(Finding("ok", "picture", str(picture)))
    if "--json" in given:
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


def _with_progress(items: Sequence[Any]) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    return track(items, "patients", console=Console(stderr=True), disable=len(items) < 2 or not sys.stderr.isatty())
