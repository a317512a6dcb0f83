"""`carm throughput`: how fast every stage is on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shlex import join

from carm_env.errors import CarmError

HELP = """\
carm throughput [patient=phantom:0] [rounds=20] [peers=true] [out=FILE]     JSON: time per stage, steps per second

  patient   phantom:SEED or the path of a CT
  rounds    repetitions; stages are interleaved and medians are reported
  peers     also time nanodrr on the CPU in the same run, where it is installed
  out       write the JSON there as well
"""


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    settings = {"patient": "phantom:0", "rounds": "20", "peers": "true", "out": ""}
    for arg in argv:
        key, equals, value = arg.partition("=")
        if not equals or key not in settings:
            raise CarmError(f"unknown setting {arg!r}; settings: {', '.join(settings)}, as in rounds=20")
        settings[key] = value
    if not settings["rounds"].isdigit() or not 1 <= int(settings["rounds"]) <= 10_000:
        raise CarmError(f"rounds={settings['rounds']} is not a number from 1 to 10000")
    if settings["peers"] not in ("true", "false"):
        raise CarmError(f"peers={settings['peers']} is neither true nor false")
    out = Path(settings["out"]) if settings["out"] else None
    if out is not None:
        _check_writable(out)

    from benchmarks.throughput import measure
    from carm_env.patient.load import load_patient

    load_patient(settings["patient"])
    print("measuring; the first run on a machine compiles for a while", file=sys.stderr)
    report = measure(settings["patient"], int(settings["rounds"]), settings["peers"] == "true")
    text = json.dumps({"command": join(["carm", "throughput", *argv]), **report}, indent=1)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


def _check_writable(out: Path) -> None:
    """Refuses at once what could not be written in the end."""
    part = out.with_name(f".{out.name}.part")
    try:
        if out.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        part.touch()
        part.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CarmError(f"out={out} cannot be written: {reason}; want a file in a folder that exists") from None
