"""Phantoms and real CTs shared by the patient tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carm_env.patient.load import load_patient
from carm_env.patient.model import Patient
from carm_env.patient.phantom import make_phantom

DATA = Path(os.environ.get("CARM_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="session", params=[1, 4])
def phantom(request: pytest.FixtureRequest) -> Patient:
    """One with arms at the sides, one with arms raised."""
    return make_phantom(request.param)


@pytest.fixture(scope="session")
def whole_body() -> Patient:
    """The shared whole-body CT."""
    path = DATA / "acrin-flt-breast-001" / "whole_body.nii.gz"
    if not path.exists():
        pytest.skip(f"no real CT at {path}: set CARM_DATA_DIR")
    return load_patient(str(path))
