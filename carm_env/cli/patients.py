"""`carm patients`: looks at CTs."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite, nan

from carm_env.errors import CarmError

HELP = """\
carm patients check PATIENT [--target X,Y,Z] [--json]     what is there, and what a run would miss

  PATIENT   phantom:SEED, or the path of a NIfTI CT (.nii, .nii.gz); landmarks come from NAME.landmarks.json beside it
  --target  a target in patient LPS mm, where the CT has none
"""
MARKS = {"ok": "ok  ", "warning": "note", "missing": "MISS"}


def main(argv: list[str]) -> int:
    if not argv or "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    if argv[0] != "check":
        raise CarmError(f"unknown command `carm patients {argv[0]}`; there is: carm patients check PATIENT")
    return check(argv[1:])


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
