"""What long work tells where no bar can be drawn."""

from __future__ import annotations

import io
import sys

import pytest

from carm_env.cli import bar


@pytest.mark.parametrize(("line_s", "said"), [(0.0, "1 of 9 steps\n5 of 9 steps loss 0.2\n"), (60.0, "")])
def test_a_log_gets_a_line_now_and_then(line_s, said, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(bar, "LINE_S", line_s)
    with bar.progress_bar("steps", 9) as tell:
        tell(1)
        tell(5, "loss 0.2")
    assert log.getvalue() == said
