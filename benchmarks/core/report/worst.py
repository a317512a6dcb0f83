"""The worst episodes of the best policies, run again from their seeds and played."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.core.plan import Cell
from benchmarks.core.report.pareto import good_enough
from benchmarks.runner import run_episode
from carm_env.cli.media import PLAYER, write_media
from carm_env.cli.spec import simulator_settings

EPISODES = 3
POLICIES = 2
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Played:
    """One episode: its row and the page that plays it."""

    row: Row
    page: str


def worst_rows(results: Mapping[str, Any], rows: Sequence[Row], episodes: int = EPISODES) -> list[Row]:
    """Of the two best policies of each perception without injected errors (``best_policies``) the worst episodes:
    failures before successes, far misses first, then what cost most dose."""
    chosen = []
    for seen in dict.fromkeys(line["perception"] for line in results["table"]):
        lines = [line for line in results["table"] if line["perception"] == seen and not line["error"]]
        for key in best_policies(lines):
            mine = [row for row in rows if row["cell"] == key]
            chosen += sorted(mine, key=_merit)[:episodes]
    return chosen


def best_policies(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys of the cells with the least dose among those that succeed (``good_enough``)."""
    ranked = sorted(good_enough(lines), key=lambda line: line["figures"]["kap_gycm2"]["mean"]["value"])
    return [line["key"] for line in ranked[:POLICIES]]


def _merit(row: Row) -> tuple[bool, float]:
    return bool(row["success"]), -float(row["kap_gycm2"] if row["success"] else row["final_error_mm"])


def play(rows: Sequence[Row], cells: Mapping[str, Cell]) -> list[Played]:
    """Runs episodes again and makes their pages; those of cells that are not given are left out.

    Args:
        cells: by key.
    """
    return [Played(row, _page(row, cells[row["cell"]])) for row in rows if row["cell"] in cells]


def _page(row: Row, cell: Cell) -> str:
    spec = cell.spec_over(row["patient_name"])
    env = spec.make_env()
    try:
        record = run_episode(spec, int(row["seed"]), env)
    finally:
        env.close()
    with tempfile.TemporaryDirectory() as folder:
        write_media(Path(folder), record, *simulator_settings(spec), player=True, video=False)
        return (Path(folder) / PLAYER).read_text(encoding="utf-8")
