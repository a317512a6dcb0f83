"""The policies' table: ``python -m benchmarks.policies CT`` runs each over 100 phantoms and 20 placements of a CT.

It writes ``results/policies.json`` and prints the README's rows. About ten minutes on two cores.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.throughput import describe_machine
from carm_env.cli.compose import compose
from carm_env.cli.run import run
from carm_env.episode.store import read_run

POLICIES: tuple[str, ...] = ("step_and_shoot", "oracle", "continuous", "blind_check")
RESULT = Path(__file__).parent / "results" / "policies.json"
_LEFT_OUT = ("messages", "seed", "patient")


def measure(ct: str) -> dict[str, Any]:
    """All runs.

    Args:
        ct: path of the real CT; only its file name is told.
    """
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for patients, seeds in ((None, "0:100"), (ct, "0:20")):
            for policy in POLICIES:
                chosen = [f"seeds={seeds}", f"policy={policy}", "executor=processes"]
                shown = chosen if patients is None else [f"patient={Path(ct).name}", *chosen]
                given = chosen if patients is None else [f"patient={patients}", *chosen]
                out = Path(folder) / str(len(runs))
                run(compose([*given, "record.player=false", "record.video=false", f"out={out}"]))
                runs.append({"command": shlex.join(["carm", "run", *shown]), **_told(out)})
    return {"command": f"python -m benchmarks.policies {Path(ct).name}", "machine": describe_machine(), "runs": runs}


def _told(out: Path) -> dict[str, Any]:
    done = read_run(out)
    git = done.manifest.get("git") or {}
    made = {"commit": git.get("commit"), "changes": git.get("changes"), "packages": done.manifest["packages"]}
    return made | {name: value for name, value in done.summary.items() if name not in _LEFT_OUT}


def rows(result: dict[str, Any]) -> str:
    """The README's rows."""
    lines = []
    for r in result["runs"]:
        kap, (low, high) = r["means"]["kap_gycm2"], r["success_interval"]
        lines.append(
            f"| {'real CT' if 'patient=' in r['command'] else 'phantoms'} | `{r['policy']}` "
            f"| {r['successes']} of {r['episodes']} ({low:.2f} to {high:.2f}) | {r['exposures']:.1f} "
            f"| {1e3 * kap['value']:.1f} ({1e3 * kap['low']:.1f} to {1e3 * kap['high']:.1f}) "
            f"| {1e3 * r['kap_search_gycm2']:.1f} | {1e3 * r['psd_mgy']:.0f} | {r['effective_usv']:.2f} "
            f"| {r['time_s']:.1f} | {r['final_error_mm']:.1f} |"
        )
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    if len(argv) != 1 or argv[0].startswith("-"):
        print(__doc__)
        return 2
    result = measure(argv[0])
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(rows(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
