"""`carm patients import` and `fetch`: CTs from elsewhere into a folder of canonical ones."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from carm_env.cli.options import number, one, options
from carm_env.errors import CarmError

HELP = """\
carm patients import SRC --out FOLDER     any CTs to canonical ones: NAME.nii.gz and NAME.landmarks.json

  SRC                a CT (NIfTI, NRRD, MHA), a DICOM folder, a TotalSegmentator case, or a tree of them (NMDID: the two
                     scans of a case are joined into one body)
  --spacing MM       cubes of this size instead of the CT's own voxels
  --arms WHICH       of NMDID's pairs: crossed (from the head-and-arms scan, default) or raised (from the torso scan)
  --apart            NMDID's pairs stay two CTs
  --demographics CSV NMDID's table of age, sex, weight and length by case
  --keep-table       the CT couch stays
  --keep-names       files are named after their sources; else after public pseudonyms or a hash
  --workers N        processes (default 2)
  --json             the report as JSON

  The same command goes on where it was stopped. FOLDER/import.json says what was imported and what was refused and
  why, FOLDER/cohort.json is for `carm run cohort=FOLDER`; FOLDER/private says which source is which: keep it to you.
"""
FETCH = """\
carm patients fetch NAME [--out FOLDER]     a public CT with 117 masks, through PyVista (needs a network)

  NAME       whole-body-male or whole-body-female (subjects of TotalSegmentator's data set, CC BY 4.0)
  --out      default data/NAME; then: carm run patient=FOLDER
"""
_SHOWN = 8


def import_ct(argv: list[str]) -> int:
    """Imports; prints a short report, or all of it as JSON."""
    from carm_env.patient.intake.convert import Settings
    from carm_env.patient.intake.importer import run_import

    if not argv or "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    valued = ("--out", "--spacing", "--arms", "--demographics", "--workers")
    given, rest = options(argv, valued, ("--keep-table", "--apart", "--keep-names", "--json"))
    src = one(rest, "import", "a CT or a folder of CTs")
    if "--out" not in given:
        raise CarmError("carm patients import needs a folder; want --out FOLDER")
    settings = Settings(
        spacing_mm=number(given["--spacing"], "--spacing", float) if "--spacing" in given else None,
        keep_table="--keep-table" in given,
        arms=given.get("--arms", "crossed"),
        join="--apart" not in given,
        keep_names="--keep-names" in given,
    )
    workers, out = int(number(given.get("--workers", "2"), "--workers", int)), Path(given["--out"])
    new = not out.exists()
    with _Progress() as progress:
        report = run_import(src, out, settings, workers, given.get("--demographics"), progress)
    if not report["imported"]:
        if new:
            shutil.rmtree(out)
        raise CarmError(_nothing(report))
    print(json.dumps(report, indent=1) if "--json" in given else _text(report, out))
    return 0


def fetch(argv: list[str]) -> int:
    """Fetches a public CT with its masks."""
    from carm_env.patient.segmented.fetch import fetch as fetch_layout

    if not argv or "-h" in argv or "--help" in argv:
        print(FETCH)
        return 0
    given, rest = options(argv, ("--out",))
    name = one(rest, "fetch", "whole-body-male or whole-body-female")
    folder = fetch_layout(name, Path(given.get("--out", str(Path("data") / name))))
    print(f"{folder} is there; next: carm patients check {folder}")
    return 0


def _nothing(report: dict[str, Any]) -> str:
    from carm_env.patient.intake.importer import reasons

    if len(report["refused"]) == 1:
        return str(report["refused"][0]["reason"])
    often = "; ".join(f"{count} times: {reason}" for reason, count in reasons(report).most_common(3))
    return f"nothing imported, {len(report['refused'])} refused: {often}"


def _text(report: dict[str, Any], out: Path) -> str:
    from carm_env.patient.intake.importer import reasons

    counts, lines = report["counts"], []
    for entry in report["imported"][:_SHOWN]:
        shape = " x ".join(map(str, entry["shape"]))
        marks = f"{entry['landmarks']} landmarks, {entry['estimated']} of them estimated"
        lines.append(f"{entry['name']}  {shape} voxels, {entry['length_mm']:.0f} mm long, {marks}")
    if counts["imported"] > _SHOWN:
        lines.append(f"... and {counts['imported'] - _SHOWN} more")
    for reason, count in reasons(report).most_common(_SHOWN):
        lines.append(f"refused {count}: {reason}")
    lines.append(
        f"{counts['imported']} imported, {counts['refused']} refused, {counts['doubled']} doubled; report: "
        f"{out}/import.json; next: carm run cohort={out}"
    )
    return "\n".join(lines)


class _Progress:
    """A bar on stderr where that is a terminal; called with (done, total)."""

    def __enter__(self) -> _Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("CTs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("CTs", total=None)
        self._bar.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
