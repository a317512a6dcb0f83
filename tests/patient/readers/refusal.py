"""What every refusal of a file has in common."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carm_env.errors import CarmError

MOST_BYTES, MOST_SECONDS = 32 * 2**20, 3.0


def refusal(read: Callable[[Path], Any], path: Path, capfd: pytest.CaptureFixture[str], longest: int) -> str:
    """The message with which ``read`` refuses a file: one line of at most ``longest`` characters besides the path,
    soon, with little memory, and nothing printed."""
    capfd.readouterr()
    tracemalloc.start()
    started = time.perf_counter()
    try:
        with pytest.raises(CarmError) as caught:
            read(path)
        assert time.perf_counter() - started < MOST_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message
    assert "want" in message
    assert len(message) < longest + len(str(path))
    assert capfd.readouterr() == ("", "")
    return message
