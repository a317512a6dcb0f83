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
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.estimates import FACTORS, Estimate, all_estimates, env_settings, outlines, scaled, usual
from benchmarks.runner import RunSpec, run_episode
from benchmarks.throughput import describe_machine
from carm_env.env import CArmEnv
from carm_env.episode.dose import episode_dose

POLICIES: tuple[str, ...] = ("step_and_shoot", "continuous", "oracle")
MEASURES: dict[str, str] = {
    "kap_gycm2": "KAP", "psd_mgy": "skin", "lens_mgy": "lens", "effective_usv": "E", "operator_usv": "operator",
}  # fmt: skip
"""Fields of a summary, and what the page calls them."""
SEEDS = range(6)
TASK = "CArm/PelvisToHead-v0"
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
            spec = RunSpec(TASK, policy, env_settings(estimate, factor))
            env = spec.make_env()
            out[policy] = _means([run_episode(spec, seed, env, frames=False).summary for seed in seeds])
    return out


def measure_doses(changes: Sequence[tuple[Estimate, float]], seeds: Sequence[int] = SEEDS) -> list[Means]:
    """The same for estimates of the dose model, which changes no episode: each is run once."""
    out: list[Means] = [{} for _ in changes]
    for policy in POLICIES:
        spec = RunSpec(TASK, policy, env_settings(None, 1.0))
        env = spec.make_env()
        core = env.unwrapped
        assert isinstance(core, CArmEnv)
        rows: list[list[dict[str, Any]]] = [[] for _ in changes]
        for seed in seeds:
            record = run_episode(spec, seed, env, frames=False)
            setup = core.simulator.setups[0]
            assert setup is not None
            for row, (estimate, factor) in zip(rows, changes, strict=True):
                config = replace(core.simulator.config, dose=env_settings(estimate, factor)["dose"])
                dose = episode_dose(record, setup, config, core.simulator.device, organs=False)
                row.append(record.summary | dose.summary())
        for means, row in zip(out, rows, strict=True):
            means[policy] = _means(row)
    return out


def _means(summaries: Sequence[dict[str, Any]]) -> dict[str, float]:
    rows = [
        {**s, "lens_mgy": max(s["lens_left_mgy"] or 0.0, s["lens_right_mgy"] or 0.0), "successes": s["success"]}
        for s in summaries
    ]
    means = {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}
    return {**means, "successes": float(sum(row["successes"] for row in rows))}


def run(seeds: Sequence[int] = SEEDS, workers: int = 2) -> dict[str, Any]:
    """All estimates, halved and doubled, in processes."""
    changes = [(estimate, factor) for estimate in all_estimates() for factor in FACTORS]
    doses = [change for change in changes if change[0].group == "dose"]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        base = pool.submit(measure, None, 1.0, seeds)
        alone = {change: pool.submit(measure, *change, seeds) for change in changes if change not in doses}
        together = pool.submit(measure_doses, doses, seeds)
        found: dict[tuple[Estimate, float], Means] = {}
        for (estimate, factor), future in alone.items():
            found[estimate, factor] = future.result()
            print(f"{len(found)} of {len(changes)}: {estimate.name} x {factor:g}", flush=True)
        found |= zip(doses, together.result(), strict=True)
        rows = [_row(estimate, found) for estimate in all_estimates()]
        return {
            "command": "python -m benchmarks.sensitivity run",
            "machine": describe_machine(),
            "episodes": len(seeds),
            "policies": POLICIES,
            "base": base.result(),
            "estimates": rows,
        }


def _row(estimate: Estimate, found: dict[tuple[Estimate, float], Means]) -> dict[str, Any]:
    row = {"name": estimate.name, "used": estimate.used, "usual": usual(estimate)}
    row["values"] = {f"x{factor:g}": scaled(estimate, factor) for factor in FACTORS}
    return row | {f"x{factor:g}": found[estimate, factor] for factor in FACTORS}


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
    return ", ".join(f"{v:.4g}" for v in value) if isinstance(value, list | tuple) else f"{value:.4g}"


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
