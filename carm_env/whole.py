"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTS = ".*.part*"
"""How files that are not whole yet are named; whatever is found so when nothing writes was left by a killed process."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A hidden file beside ``path`` to write to, with the same suffixes. It takes the place of ``path`` in the end, or
    is removed where that was not reached."""
    stem, dot, suffixes = path.name.partition(".")
    part = path.with_name(f".{stem}.{os.getpid()}.part{dot}{suffixes}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
