"""`carm bench suite=core`, `smoke` and `perception_errors`: policies in closed loop over unseen patients."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carm_env.cli.bench_table import show
from carm_env.errors import CarmError

if TYPE_CHECKING:
    from benchmarks.core.plan import Plan
    from benchmarks.core.shards import Store

HELP = """\
carm bench suite=core|smoke|perception_errors [KEY=VALUE ...]

  policies     comma-separated; every registered one but random by default, the oracle always beside them
  perceptions  comma-separated; network where it can be made, else noisy
  patients     how many of the cohort's split, each once ({patients})
  cohort       phantom-2000 by default (or another, see `carm run`); split=test by default
  ct           PATH of one CT instead of a cohort; placements=20 of it
  errors       of perception_errors: {errors}; all by default
  baseline     policy to compare with beside the oracle; the best script by default
  executor     processes or serial; workers=2
  out          folder: manifest.json, shards/*.parquet, results.json, report.html (runs/bench-SUITE by default)

Whatever else is given goes to `carm run` (task=pelvis_to_head_2d, device=cios_spin, exposure.control=lagged, ...).
Episode i is seed i over the i-th patient, for every policy. The same command goes on where it was stopped.
"""
COUNTS = {"core": 200, "smoke": 2, "perception_errors": 20}
OWN = (
    "suite", "policies", "perceptions", "patients", "cohort", "split", "ct", "placements", "errors", "baseline",
    "executor", "workers", "out",
)  # fmt: skip
TAKEN = ("policy", "perception", "patient", "seed", "seeds", "compare", "disturbance")


def main(argv: list[str]) -> int:
    """Runs a suite, prints its table and writes its page."""
    from benchmarks.core.plan import ERRORS

    if "-h" in argv or "--help" in argv:
        counts = ", ".join(f"{n} in {suite}" for suite, n in COUNTS.items())
        print(HELP.format(patients=counts, errors=",".join(ERRORS)))
        return 0
    chosen, words = _split(argv)
    suite = chosen["suite"]
    plan = _plan(suite, chosen, words)
    executor, workers = chosen.get("executor", "processes"), _count(chosen, "workers", 2)
    _check_plan(plan, chosen.get("baseline"), executor, workers)
    return _run(plan, Path(chosen.get("out", f"runs/bench-{suite}")), executor, workers, chosen.get("baseline"), argv)


def _run(plan: Plan, out: Path, executor: str, workers: int, baseline: str | None, argv: list[str]) -> int:
    from benchmarks.core.report.page import write_report
    from benchmarks.core.results import results
    from benchmarks.core.shards import RESULTS, Store
    from carm_env.episode.folder import write_json

    with Store(out, plan, shlex.join(["carm", "bench", *argv])) as store:
        _run_episodes(store, executor, workers)
        rows = store.rows()
        found = results(store.manifest, rows, baseline)
        write_json(store.out / RESULTS, found)
        show(found)
        page = write_report(store.out / "report.html", found, rows, {cell.key: cell for cell in plan.cells})
    print(f"written to {out}: {RESULTS}, {page.name} ({page.stat().st_size / 1e6:.1f} MB); open {page} in a browser")
    return 0


def _split(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    """The suite's own settings, and the words for `carm run`."""
    own: dict[str, str] = {}
    words = []
    for word in argv:
        key, equals, value = word.partition("=")
        if not equals or key.split(".")[0] in TAKEN:
            raise CarmError(f"{word!r} cannot be given to a suite; settings: {', '.join(OWN)}, and those of `carm run`")
        if key in OWN:
            own[key] = value
        else:
            words.append(word)
    return own, words


def _plan(suite: str, chosen: dict[str, str], words: list[str]) -> Plan:
    from benchmarks.core.plan import ERRORS, Plan, core_cells, default_perceptions, default_policies, error_cells

    if "errors" in chosen and suite != "perception_errors":
        raise CarmError(f"errors={chosen['errors']} is for suite=perception_errors only")
    policies = _list(chosen, "policies") or (["step_and_shoot"] if suite == "smoke" else default_policies())
    perceptions = _list(chosen, "perceptions") or (["noisy"] if suite == "smoke" else default_perceptions())
    if suite == "perception_errors":
        cells = error_cells(policies, perceptions, words, _list(chosen, "errors") or list(ERRORS))
    else:
        cells = core_cells(policies, perceptions, words)
    return Plan(suite, cells, _patients(suite, chosen))


def _patients(suite: str, chosen: dict[str, str]) -> tuple[str, ...]:
    from benchmarks.core.plan import unseen_patients

    if "ct" in chosen:
        mixed = [key for key in ("patients", "cohort", "split") if key in chosen]
        if mixed:
            raise CarmError(f"ct={chosen['ct']} and {mixed[0]}={chosen[mixed[0]]} both name patients; want one of them")
        return (str(Path(chosen["ct"]).absolute()),) * _count(chosen, "placements", 20)
    if "placements" in chosen:
        raise CarmError(f"placements={chosen['placements']} needs a CT; want ct=PATH beside it")
    cohort, split = chosen.get("cohort", "phantom-2000"), chosen.get("split", "test")
    return unseen_patients(cohort, split, _count(chosen, "patients", COUNTS[suite]))


def _check_plan(plan: Plan, baseline: str | None, executor: str, workers: int) -> None:
    """Refuses what would fail later: names, settings, a patient without the target.

    Raises:
        CarmError: so.
    """
    from carm_env.cli.spec import check_start
    from carm_env.workers import check_executor

    check_executor(executor, workers)
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    policies = list(dict.fromkeys(cell.policy for cell in plan.cells))
    if baseline is not None and baseline not in policies:
        raise CarmError(f"baseline={baseline} is not among the policies; want one of {', '.join(policies)}")
    for cell in plan.cells:
        cell.spec.make_env().close()
        cell.spec.make_policy()
    check_start(plan.cells[0].spec_over(plan.patients[0]), 0)


def _run_episodes(store: Store, executor: str, workers: int) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from benchmarks.core.run import left, run_missing

    plan, total = store.plan, left(store)
    print(f"{plan.suite}: {len(plan.cells)} cells of {len(plan.patients)} episodes, {total} episodes to run")
    columns: tuple[Any, ...] = (TextColumn("episodes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=total)
        run_missing(store, executor, workers, lambda n: bar.advance(task, n))


def _list(chosen: dict[str, str], key: str) -> list[str]:
    names = [name for name in chosen.get(key, "").split(",") if name]
    if key in chosen and not names:
        raise CarmError(f"{key}= names nothing; want a comma-separated list")
    return names


def _count(chosen: dict[str, str], key: str, usual: int) -> int:
    text = chosen.get(key, str(usual))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100_000):
        raise CarmError(f"{key}={text} is not a number from 1 to 100000")
    return int(text)
