"""The `carm` command: finds the subcommand, runs it, and tells bad input in one line (exit 2)."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from carm_env.errors import CarmError

COMMANDS = {
    "run": "drive the C-arm: one episode or several, with table, record, player and video",
    "replay": "a finished run again: --verify, --video or --html",
    "view": "the 3-D scene of a patient, or of a moment of a run, as a picture",
    "patients": "check a CT, list a cohort, write generated patients to files",
    "bench": "suites of measurements: policies, perception errors, renderers",
    "perception": "data, training and evaluation of networks",
    "train": "a policy learns: PPO or SAC, evaluated on unseen patients",
    "throughput": "steps and frames per second of every stage on this machine, as JSON",
    "doctor": "what works here and what is missing",
}


def usage() -> str:
    """The text of `carm --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  carm {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "carm: a simulator of driving a C-arm over a patient with little dose",
            "",
            *lines,
            "",
            "`carm COMMAND --help` tells more. To begin: `carm run`, then open runs/demo/index.html",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 done, 1 a check failed, 2 bad input, 130 interrupted."""
    args = sys.argv[1:] if argv is None else argv
    if not args or args[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if args[0] not in COMMANDS:
        return _refuse(f"unknown command {args[0]!r}; commands: {', '.join(COMMANDS)}")
    try:
        os.getcwd()
    except OSError:
        return _refuse("the current folder no longer exists; change to one that does")
    try:
        return import_module(f"carm_env.cli.{args[0]}").main(args[1:])
    except CarmError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        print("carm: interrupted; the same command goes on from the last finished episode", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _refuse(_file_trouble(error))


def _file_trouble(error: OSError) -> str:
    """A disk that is full, a folder taken away meanwhile."""
    what = os.strerror(error.errno) if error.errno else str(error)
    where = f" at {error.filename}" if error.filename else ""
    return f"{what}{where}; put that right and give the same command again"


def _refuse(message: str) -> int:
    print(f"carm: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
