from types import SimpleNamespace

import numpy as np
import pytest

from carm_env.geometry import Rigid
from carm_env.machine.presets import PRESETS
from carm_env.patient.model import Volume
from carm_env.view.scene import body_on_table
from tests.episode.synthetic import drive
from tests.episode.test_recorder import record_of

OFFSET_MM = (0.0, -110.0, -40.0)


def dummy_volume() -> Volume:
    """A torso and a head of water with a dense point on the patient's left, LPS."""
    x, y, z = np.meshgrid(np.arange(-240, 241, 8), np.arange(-160, 161, 8), np.arange(-900, 41, 8), indexing="ij")
    torso = (x / 190) ** 2 + (y / 105) ** 2 + ((z + 560) / 400) ** 4 < 1
    head = (x / 75) ** 2 + (y / 95) ** 2 + ((z + 80) / 110) ** 2 < 1
    hu = np.where(torso | head, 40, -1000).astype(np.int16)
    hu[(np.abs(x - 120) < 20) & (np.abs(y - 40) < 20) & (np.abs(z + 500) < 20)] = 3000
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    affine[:3, 3] = -240, -160, -900
    return Volume(hu, affine)


def scene_of(steps: int = 60, planes: int = 2) -> SimpleNamespace:
    record = record_of(drive(steps, planes), policy="step_and_shoot", patient="dummy", steps_per_s=30.0)
    preset = PRESETS["artis_biplane" if planes == 2 else "cios_spin"]
    return SimpleNamespace(record=record, body=body_on_table(dummy_volume(), Rigid.yaw(0.0, OFFSET_MM)), preset=preset)


@pytest.fixture(scope="session")
def scene():
    return scene_of()
