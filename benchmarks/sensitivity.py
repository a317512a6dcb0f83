"""What every estimate is worth: each is halved and doubled, and the dose of three policies is measured again.

``python -m benchmarks.sensitivity run`` (about half an hour on two cores) writes ``results/sensitivity.json``;
``python -m benchmarks.sensitivity page`` writes its table into ``docs/limits.md``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.estimates import FACTORS, Estimate, all_estimates, dose_config, env_settings, outlines, scaled, usual
from benchmarks.runner import RunSpec, run_episode
from benchmarks.throughput import describe_machine

POLICIES: tuple[str, ...] = ("step_and_shoot", "continuous", "oracle")
MEASURES: dict[str, str] = {
    "kap_gycm2": "KAP", "psd_mgy": "skin", "lens_mgy": "lens", "effective_usv": "E", "operator_usv": "operator",
}  # fmt: skip
"""Fields of a summary, and what the page calls them."""
SEEDS = range(10)
RESULT = Path(__file__).parent / "results" / "sensitivity.json"
PAGE = Path(__file__).parents[1] / "docs" / "limits.md"
BEGIN, END = "<!-- table of python -m benchmarks.sensitivity page: begin -->", "<!-- end -->"
CHANGED = 0.005
"""Relative change below which a mean counts as the same."""

Means = dict[str, dict[str, float]]


def measure(estimate: Estimate | None, factor: float, seeds: Sequence[int] = SEEDS) -> Means:
    """Means of each of ``MEASURES`` and the number of successes for each policy.

    Args:
        estimate: what to change by ``factor``; ``None``: nothing.
    """
    out: Means = {}
    with outlines(estimate, factor):
        for policy in POLICIES:
            settings = {**env_settings(estimate, factor), "dose": vars(dose_config(estimate, factor))}
            spec = RunSpec("CArm/PelvisToHead-v0", policy, settings)
            env = spec.make_env()
            rows = [_doses(run_episode(spec, seed, env, frames=False).summary) for seed in seeds]
            out[policy] = {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}
            out[policy]["successes"] = float(sum(row["successes"] for row in rows))
    return out


def _doses(summary: dict[str, Any]) -> dict[str, float]:
    lens = max(summary["lens_left_mgy"] or 0.0, summary["lens_right_mgy"] or 0.0)
    return {"lens_mgy": lens, "successes": float(summary["success"])} | {
        name: float(summary[name]) for name in MEASURES if name != "lens_mgy"
    }


def run(seeds: Sequence[int] = SEEDS, workers: int = 2) -> dict[str, Any]:
    """All estimates, halved and doubled, in processes."""
    jobs: list[tuple[Estimate | None, float]] = [(None, 1.0)]
    jobs += [(estimate, factor) for estimate in all_estimates() for factor in FACTORS]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting = [pool.submit(measure, estimate, factor, seeds) for estimate, factor in jobs]
        results = []
        for (estimate, factor), future in zip(jobs, waiting, strict=True):
            results.append(future.result())
            name = estimate.name if estimate else "as it is"
            print(f"{len(results)} of {len(jobs)}: {name} x {factor:g}", flush=True)
    rows = []
    for i, estimate in enumerate(all_estimates()):
        changed = {f"x{factor:g}": results[1 + len(FACTORS) * i + k] for k, factor in enumerate(FACTORS)}
        values = {f"x{factor:g}": scaled(estimate, factor) for factor in FACTORS}
        what = {"name": estimate.name, "used": estimate.used, "usual": usual(estimate), "values": values}
        rows.append({**what, **changed})
    return {
        "command": "python -m benchmarks.sensitivity run",
        "machine": describe_machine(),
        "episodes": len(seeds),
        "policies": POLICIES,
        "base": results[0],
        "estimates": rows,
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown: relative changes of the mean dose, most-changed measure of each row."""
    base, n = result["base"], result["episodes"]
    lines = [
        "| estimate | value | used for | dose | " + " | ".join(f"`{p}`" for p in POLICIES) + " | order |",
        "|---|---|---|---|" + "---|" * len(POLICIES) + "---|",
    ]
    for row in result["estimates"]:
        name = _most_changed(row, base)
        cells = [" / ".join(_change(row[f"x{f:g}"][p], base[p], name, n) for f in FACTORS) for p in POLICIES]
        kept = all(_order(row[f"x{f:g}"]) == _order(base) for f in FACTORS)
        what = [f"`{row['name']}`", _value(row["usual"]), row["used"], MEASURES[name]]
        lines.append("| " + " | ".join([*what, *cells, "kept" if kept else "**lost**"]) + " |")
    return "\n".join(lines)


def _most_changed(row: dict[str, Any], base: Means) -> str:
    """KAP where it changes, else the measure that changes most."""

    def change(name: str) -> float:
        ratios = [row[f"x{f:g}"][p][name] / base[p][name] - 1.0 for f in FACTORS for p in POLICIES if base[p][name] > 0]
        return float(np.abs(ratios).max())

    return "kap_gycm2" if change("kap_gycm2") > CHANGED else max(MEASURES, key=change)


def _change(now: dict[str, float], before: dict[str, float], name: str, episodes: int) -> str:
    if before[name] <= 0:
        return "-"
    change = now[name] / before[name] - 1.0
    text = "0" if abs(change) < CHANGED else f"{100 * change:+.0f} %"
    lost = now["successes"] - before["successes"]
    return text if lost == 0 else f"{text} ({now['successes']:g} of {episodes} arrive)"


def _order(means: Means) -> list[str]:
    return sorted(means, key=lambda policy: means[policy]["kap_gycm2"])


def _value(value: Any) -> str:
    return ", ".join(f"{v:.3g}" for v in value) if isinstance(value, list | tuple) else f"{value:.3g}"


def write_page(result: dict[str, Any], page: Path = PAGE) -> None:
    """Puts the table between its marks in the page."""
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{BEGIN}\n{table(result)}\n{END}", text), encoding="utf-8")


def main(argv: list[str]) -> int:
    if argv == ["run"]:
        RESULT.write_text(json.dumps(run(), indent=1) + "\n", encoding="utf-8")
        return 0
    if argv == ["page"]:
        write_page(json.loads(RESULT.read_text(encoding="utf-8")))
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
