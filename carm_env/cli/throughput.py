"""`carm throughput`: how fast every stage is on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shlex import join

from carm_env.cli.options import check_writable, rounds_of, settings

HELP = """\
carm throughput [patient=phantom:0] [rounds=20] [out=FILE]     JSON: time per stage, steps per second

  patient   phantom:SEED or the path of a CT
  rounds    repetitions; stages are interleaved and medians are reported
  out       write the JSON there as well

Renderers against each other: carm bench suite=renderers
"""


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    chosen = settings(argv, {"patient": "phantom:0", "rounds": "20", "out": ""}, "rounds=20")
    rounds = rounds_of(chosen["rounds"])
    out = Path(chosen["out"]) if chosen["out"] else None
    if out is not None:
        check_writable(out)

    from benchmarks.throughput import measure
    from carm_env.patient.load import load_patient

    load_patient(chosen["patient"])
    print("measuring; the first run on a machine compiles for a while", file=sys.stderr)
    text = json.dumps({"command": join(["carm", "throughput", *argv]), **measure(chosen["patient"], rounds)}, indent=1)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0
