"""`carm bench suite=renderers`: renderers measured, as JSON and a picture."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from shlex import join

from carm_env.cli.options import check_writable, rounds_of, settings
from carm_env.errors import CarmError

HELP = """\
carm bench [suite=renderers] [patients=phantom:0] [rounds=20] [out=runs/bench]

  suite     renderers: every renderer that runs here, against each other and a float64 reference: line integrals,
            correlation, landmark shift, time a pair and a batch, memory; and what was aimed at
  patients  comma-separated CTs for the agreement: phantom:SEED or paths; the first is pictured
  rounds    repetitions of what is timed, taken in turns; medians are reported
  out       folder of renderers.json and renderers.png

With 20 rounds about ten minutes on two cores. nanodrr and itk-rtk are timed where they are installed: pip install
'carm[gpu,peers]'.
"""


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    defaults = {"suite": "renderers", "patients": "phantom:0", "rounds": "20", "out": "runs/bench"}
    chosen = settings(argv, defaults, "rounds=20")
    patients, rounds, out = chosen["patients"].split(","), rounds_of(chosen["rounds"]), Path(chosen["out"])
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CarmError(f"out={out} cannot be made: {error.strerror}; want a folder") from None
    target = out / "renderers.json"
    check_writable(target)

    from benchmarks.renderers.suite import run
    from carm_env.patient.load import load_patient
    from carm_env.whole import whole

    for patient in patients:
        load_patient(patient)
    report = run(patients, rounds, out, lambda what: print(f"measuring: {what}", file=sys.stderr))
    words = [f"patients={','.join(os.path.basename(name) for name in patients)}" if w.startswith("patients=") else w
             for w in argv]  # fmt: skip
    text = json.dumps({"command": join(["carm", "bench", *words]), **report}, indent=1)
    with whole(target) as part:
        part.write_text(text + "\n", encoding="utf-8")
    _print_marks(report["marks"])
    print(target)
    return 0


def _print_marks(rows: list[dict[str, object]]) -> None:
    words = {True: "met", False: "MISSED", None: ""}
    width = max(len(str(row["what"])) for row in rows)
    for row in rows:
        met = row["met"] if isinstance(row["met"], bool) else None
        print(f"{row['what']!s:<{width}}  {row['mark']!s:<13} {row['measured']!s:<13} {words[met]}")
