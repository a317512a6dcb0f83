"""Shared by all tests: where real CTs are, and the patient that quick tests use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CARM_DATA_DIR", ROOT.parent / "shared" / "data"))


def pytest_configure() -> None:
    """A suite in a shell's background starts with Ctrl-C ignored, which the processes it interrupts would inherit."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def whole_body() -> Path:
    """The stitched whole-body CT of ACRIN-FLT-Breast_001."""
    path = DATA / "acrin-flt-breast-001" / "whole_body.nii.gz"
    if not path.exists():
        pytest.skip(f"no CT at {path.name}: set CARM_DATA_DIR")
    return path


@pytest.fixture(scope="session", autouse=True)
def generated_patients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Phantoms made by one test are shared with the others (and their processes), not with the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARM_CACHE_DIR", str(tmp_path_factory.mktemp("generated")))
        yield
