"""What a suite's episodes say: a row of figures with intervals for every cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agents.registry import POLICIES
from benchmarks.core.episodes import FAILURES
from benchmarks.core.plan import ORACLE
from benchmarks.statistics import bootstrap, interquartile_mean, paired_difference, ratio_of_means, wilson

Row = Mapping[str, Any]
FIGURES: tuple[str, ...] = (
    "kap_gycm2", "kap_search_gycm2", "kap_verification_gycm2", "time_s", "final_error_mm", "exposures", "effective_usv",
)  # fmt: skip
RATES: tuple[str, ...] = ("success", "success_5mm", "success_10mm", "success_20mm")
PAIRED: tuple[str, ...] = ("success", "kap_gycm2", "kap_search_gycm2", "time_s", "final_error_mm")
ABOUT = ("suite", "command", "git", "packages", "platform", "cts", "checkpoints")
METHOD: dict[str, str] = {
    "rates": "Wilson score intervals, 95 %",
    "figures": "mean and interquartile mean over all episodes, failed ones too; percentile bootstrap by patient, 95 %",
    "kap_verification_gycm2": "total less search: the mandatory exposures at the final pose",
    "kap_ratio": "mean KAP over the oracle policy's on the same episodes, bootstrap of pairs by patient, 95 %",
    "against": "this policy less the other on the same episodes, bootstrap of pairs by patient, 95 %",
    "best_script": "least mean KAP among the scripts whose success rate is at least the lower Wilson limit of the "
    "highest rate; the oracle is none",
    **{f"failure {name}": text for name, text in FAILURES.items()},
}


def results(manifest: Mapping[str, Any], rows: Sequence[Row], baseline: str | None = None) -> dict[str, Any]:
    """The table of a suite.

    Args:
        manifest: of its folder; rows: every episode.
        baseline: policy to compare with beside the oracle; the best script by default.
    """
    of_cell: dict[str, list[Row]] = {cell["key"]: [] for cell in manifest["cells"]}
    for row in rows:
        of_cell[row["cell"]].append(_with_verification(row))
    table = [_figures(cell, of_cell[cell["key"]]) for cell in manifest["cells"]]
    best = {seen: baseline or best_script(table, seen) for seen in dict.fromkeys(r["perception"] for r in table)}
    for line in table:
        _compare(line, table, of_cell, best[line["perception"]])
    about = {name: manifest[name] for name in ABOUT}
    n = len(manifest["patients"])
    seconds = sum(row["wall_s"] for row in rows) / len(rows)
    return {
        "format": "carm-bench-results", **about, "episodes_a_cell": n, "patients": len(set(manifest["patients"])),
        "episodes": len(rows), "mean_wall_s": seconds, "best_script": best, "method": METHOD, "table": table,
    }  # fmt: skip


def best_script(table: Sequence[Mapping[str, Any]], perception: str) -> str | None:
    """The best scripted policy without injected errors (see ``METHOD``); None without any."""
    scripts = [r for r in table if r["perception"] == perception and not r["error"] and _is_script(r["policy"])]
    if not scripts:
        return None
    top = max(scripts, key=lambda r: r["success"]["value"])
    good = [r for r in scripts if r["success"]["value"] >= top["success"]["low"]]
    return str(min(good, key=lambda r: r["figures"]["kap_gycm2"]["mean"]["value"])["policy"])


def _is_script(policy: str) -> bool:
    made = POLICIES.get(policy)
    return policy != ORACLE and made is not None and made.__module__.startswith("agents.scripted.")


def _with_verification(row: Row) -> dict[str, Any]:
    return {**row, "kap_verification_gycm2": row["kap_gycm2"] - row["kap_search_gycm2"]}


def _figures(cell: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    clusters = _clusters(rows)
    figures = {}
    for name in FIGURES:
        values = [float(row[name]) for row in rows]
        both = {"mean": bootstrap(values, clusters=clusters)}
        both["iqm"] = bootstrap(values, interquartile_mean, clusters)
        figures[name] = {kind: asdict(interval) for kind, interval in both.items()}
    kinds = Counter(row["failure"] for row in rows)
    rates = {name: asdict(wilson(sum(bool(row[name]) for row in rows), len(rows))) for name in RATES}
    return {
        **{name: cell[name] for name in ("key", "policy", "perception", "error", "size")}, "n": len(rows), **rates,
        "false_arrival": asdict(wilson(kinds["false_arrival"], len(rows))),
        "failures": {kind: kinds[kind] for kind in FAILURES}, "figures": figures,
    }  # fmt: skip


def _clusters(rows: Sequence[Row]) -> list[str] | None:
    """Patients as labels, where some but not all episodes share one: with a patient each, or with one patient only,
    episodes are drawn singly."""
    patients = [str(row["patient_name"]) for row in rows]
    return patients if 1 < len(set(patients)) < len(rows) else None


def _compare(
    line: dict[str, Any], table: Sequence[Mapping[str, Any]], of_cell: Mapping[str, Sequence[Row]], best: str | None
) -> None:
    """Adds the ratio to the oracle's dose, and the differences from the oracle and from the best script."""
    line["kap_ratio"], line["against"] = None, {}
    rows = of_cell[line["key"]]
    for other in dict.fromkeys((ORACLE, best)):
        key = _counterpart(line, table, other)
        if key is None or key == line["key"]:
            continue
        theirs = of_cell[key]
        line["against"][other] = {name: _difference(rows, theirs, name) for name in PAIRED}
        if other == ORACLE and any(row["kap_gycm2"] > 0 for row in theirs):
            mine, least = ([row["kap_gycm2"] for row in group] for group in (rows, theirs))
            line["kap_ratio"] = asdict(ratio_of_means(mine, least, _clusters(rows)))


def _counterpart(line: Mapping[str, Any], table: Sequence[Mapping[str, Any]], other: str | None) -> str | None:
    """The cell of another policy under the same perception and error; the oracle's has never an error."""
    wanted = (line["perception"], "", 0.0) if other == ORACLE else (line["perception"], line["error"], line["size"])
    found = [r["key"] for r in table if r["policy"] == other and (r["perception"], r["error"], r["size"]) == wanted]
    return found[0] if found else None


def _difference(rows: Sequence[Row], others: Sequence[Row], name: str) -> dict[str, Any]:
    a, b = ([float(row[name]) for row in group] for group in (rows, others))
    return asdict(paired_difference(a, b, clusters=_clusters(rows)))
