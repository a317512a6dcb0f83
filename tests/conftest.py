"""Shared by all tests: where real CTs are, and the patient that quick tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CARM_DATA_DIR", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def whole_body() -> Path:
    """The stitched whole-body CT of ACRIN-FLT-Breast_001."""
    path = DATA / "acrin-flt-breast-001" / "whole_body.nii.gz"
    if not path.exists():
        pytest.skip(f"no CT at {path.name}: set CARM_DATA_DIR")
    return path
