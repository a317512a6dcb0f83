"""Runs a plan shard by shard into its folder; what is there already is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.core.episodes import patient_rows
from benchmarks.core.plan import Cell
from benchmarks.core.shards import Store
from carm_env.workers import run_jobs

GROUP = 8
"""Cells that are run together over a block: a patient's CT is loaded and packed once for all of them."""
Progress = Callable[[int], None]


def run_missing(store: Store, executor: str, workers: int, progress: Progress) -> None:
    """Makes every shard that is not there. A killed run loses the shards of one block and at most ``GROUP`` cells.

    Args:
        executor, workers: as of ``run_jobs``.
        progress: told the number of episodes that have just been finished.
    """
    work = list(_work(store))
    jobs = [
        (number, index, [cell.spec_over(store.plan.patients[index]) for cell in cells])
        for number, (block, cells) in enumerate(work) for index in store.plan.blocks()[block]
    ]  # fmt: skip
    done: dict[int, dict[int, list[dict[str, Any]]]] = {}
    for number, index, rows in run_jobs(_job, jobs, executor, workers):
        progress(len(rows))
        block, cells = work[number]
        finished = done.setdefault(number, {})
        finished[index] = rows
        if len(finished) == len(store.plan.blocks()[block]):
            _keep(store, block, cells, done.pop(number))


def left(store: Store) -> int:
    """Episodes that are still to be run."""
    blocks = store.plan.blocks()
    return sum(len(blocks[block]) * len(cells) for block, cells in _work(store))


def _work(store: Store) -> Iterator[tuple[int, list[Cell]]]:
    """(block, cells): groups of missing shards, block by block, so that few patients are in use at a time."""
    for block in range(len(store.plan.blocks())):
        cells = store.missing(block)
        for first in range(0, len(cells), GROUP):
            yield block, cells[first : first + GROUP]


def _job(number: int, index: int, specs: list[Any]) -> tuple[int, int, list[dict[str, Any]]]:
    return number, index, patient_rows(specs, index)


def _keep(store: Store, block: int, cells: list[Cell], rows: dict[int, list[dict[str, Any]]]) -> None:
    for position, cell in enumerate(cells):
        shard = []
        for index in sorted(rows):
            patient = store.plan.patients[index]
            about = {"cell": cell.key, "patient_name": patient, "command": cell.command(patient, index)}
            shard.append(rows[index][position] | about)
        store.write(cell, block, shard)
