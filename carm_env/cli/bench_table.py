"""What `carm bench suite=core` says on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

COLUMNS = ("policy", "perception", "error", "success, 95 %", "false", "KAP", "search", "x oracle", "time s", "error mm")


def show(results: Mapping[str, Any]) -> None:
    """A line a cell; KAP in mGy cm2."""
    n, patients = results["episodes_a_cell"], results["patients"]
    table = Table(box=SIMPLE_HEAD, title=f"{n} episodes each over {patients} patients; means, KAP in mGy cm2",
                  title_justify="left", padding=(0, 0, 0, 1))  # fmt: skip
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[:3] else "right", no_wrap=True)
    for line in results["table"]:
        table.add_row(*_cells(line))
    console = Console(highlight=False, markup=False)
    Console(highlight=False, markup=False, width=max(console.width, 200)).print(table)
    for seen, policy in results["best_script"].items():
        if policy:
            console.print(f"compared with {policy} under {seen}, and with the oracle: see results.json")


def _cells(line: Mapping[str, Any]) -> list[str]:
    success, ratio = line["success"], line["kap_ratio"]
    mean = {name: both["mean"]["value"] for name, both in line["figures"].items()}
    return [
        line["policy"],
        line["perception"],
        f"{line['error']} {line['size']:g}" if line["error"] else "",
        f"{100 * success['value']:.1f} % ({100 * success['low']:.1f} to {100 * success['high']:.1f})",
        str(line["failures"]["false_arrival"]),
        f"{1000 * mean['kap_gycm2']:.1f}",
        f"{1000 * mean['kap_search_gycm2']:.1f}",
        f"{ratio['value']:.2f}" if ratio else "",
        f"{mean['time_s']:.1f}",
        f"{mean['final_error_mm']:.1f}",
    ]
