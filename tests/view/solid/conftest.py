"""The scene of a dummy patient on the table, small enough to be rendered in no time."""

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.geometry import Rigid
from carm_env.machine.presets import PRESETS
from carm_env.view.moment import Moment
from carm_env.view.solid.offscreen import off_screen
from carm_env.view.solid.panel import SolidPanel
from tests.view.conftest import OFFSET_MM, dummy_volume

ARTIS = PRESETS["artis_biplane"]
SIZE = (320, 300)
TARGET_MM = np.array([0.0, -110.0, -120.0])


def pose(deploy=90.0, a=(0.0, 0.0), b=(90.0, 0.0)):
    return np.array([0.0, -110.0, -300.0, *a, *b, deploy])


def moment(position=None, exposed=(False, False), estimate=None, target_mm=TARGET_MM):
    where = pose() if position is None else position
    believed = np.full(6, np.nan) if estimate is None else np.asarray(estimate, float)
    return Moment(where, exposed, (190.0, 190.0), np.asarray(target_mm, float), believed, where[None, :3])


@pytest.fixture(scope="session")
def renders():
    """Skips where VTK cannot render."""
    try:
        off_screen()
    except CarmError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def panel(renders):
    placed = Rigid.yaw(0.0, OFFSET_MM)
    shown = SolidPanel(dummy_volume(), placed, np.full((20, 3), np.nan), ARTIS, 2, pose(), SIZE)
    yield shown
    shown.close()


def picture(panel, **what):
    return np.asarray(panel.draw(moment(**what))).astype(int)
