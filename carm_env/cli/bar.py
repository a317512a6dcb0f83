"""The progress bar of long work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_S = 60.0
"""Time between two lines where no bar can be drawn."""


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[..., None]]:
    """A function that is told (done, note). A log that is no terminal gets a line a minute."""
    if not sys.stderr.isatty():
        yield _lines(what, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done, note="": progress.update(task, completed=done, description=f"{what} {note}".strip())


def _lines(what: str, total: int) -> Callable[..., None]:
    last_s = time.monotonic()

    def tell(done: int, note: str = "") -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= LINE_S:
            last_s = time.monotonic()
            print(f"{done} of {total} {what} {note}".rstrip(), file=sys.stderr, flush=True)

    return tell
