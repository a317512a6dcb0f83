"""Runs that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from carm_env.cli.main import main

BARE = ["patient=phantom:0", "record.player=false", "record.video=false"]


def carm(*argv: str | Path) -> int:
    return main([str(a) for a in argv])


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """`carm run` over a phantom, with player and video."""
    out = tmp_path_factory.mktemp("demo") / "run"
    assert carm("run", "patient=phantom:0", f"out={out}") == 0
    return out


@pytest.fixture(scope="session")
def six(tmp_path_factory) -> Path:
    """Six episodes, one after the other."""
    out = tmp_path_factory.mktemp("six") / "run"
    assert carm("run", *BARE, "seeds=0:6", f"out={out}") == 0
    return out
