import json

import pytest

from agents.rl.practice import PracticeEnv

CONFIG = {"patient": "phantom:3@8", "perception": "surrogate", "image_pixels": 16}
"""One coarse body in many placements."""


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    """Two coarse bodies, one to learn on and one to be judged on."""
    path = tmp_path_factory.mktemp("cohort") / "two.json"
    patients = [{"name": "phantom:3@8", "split": "train"}, {"name": "phantom:5@8", "split": "validation"}]
    path.write_text(json.dumps({"schema": 1, "patients": patients}))
    return str(path)


@pytest.fixture
def practice():
    def make(lanes=3, **how):
        return PracticeEnv(lanes, **{**CONFIG, **how})

    return make
