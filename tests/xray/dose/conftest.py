"""Bodies that several tests share."""

from __future__ import annotations

import pytest

from carm_env.patient.model import Patient
from carm_env.patient.phantom import make_phantom


@pytest.fixture(scope="session")
def phantom() -> Patient:
    """A woman with her arms at her sides, on a coarse grid."""
    return make_phantom(2, 4.0)
