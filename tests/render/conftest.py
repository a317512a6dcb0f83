"""Small volumes and one renderer for the room."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from carm_env.patient.model import Patient, Volume
from carm_env.render import deepdrr_renderer
from carm_env.render.numba_renderer import NumbaRenderer
from carm_env.render.protocol import Renderer
from tests.render.deepdrr_stand_in import stand_in


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    """The CPU's, on the CT's own voxels whatever the pixels' size."""
    return NumbaRenderer(coarse_levels=False)


def centred(spacing: tuple[float, float, float], shape: tuple[int, ...]) -> np.ndarray:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -np.array(spacing) * (np.array(shape) - 1) / 2
    return affine


def patient(name: str, hu: np.ndarray, affine: np.ndarray) -> Patient:
    return Patient(name, Volume(np.round(hu).astype(np.int16), affine))


@pytest.fixture(scope="session")
def body() -> Patient:
    """An off-centre ellipse with lungs, a dense rod and noise, as smooth as a CT, 2 x 2 x 2.5 mm."""
    shape = (90, 70, 100)
    x, y, z = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    hu = np.where(np.hypot((x - 42) / 36, (y - 33) / 26) < 1, 40.0, -1024.0)
    hu[np.hypot(np.hypot((x - 28) / 10, (y - 30) / 14), (z - 60) / 30) < 1] = -800
    hu[np.hypot(x - 42 - 0.1 * z, y - 45) < 6] = 900
    hu += np.random.default_rng(0).normal(0, 60, shape) * (hu > -1000)
    return patient("test-body", gaussian_filter(hu, 1.0), centred((2, 2, 2.5), shape))


@pytest.fixture(scope="session")
def oblique(body: Patient) -> Patient:
    """The same voxels, rotated, anisotropic and with one index axis reversed."""
    a, b = np.radians(20), np.radians(-13)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([-1.7, 2.1, 2.9])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(body.volume.hu.shape) - 1) / 2)
    return Patient("test-oblique", Volume(body.volume.hu, affine))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What was asked of the package that stands in DeepDRR's place."""
    package, log = stand_in()
    log.contexts = []
    egl = SimpleNamespace(eglDestroyContext=lambda display, context: log.contexts.append(context))
    monkeypatch.setattr(deepdrr_renderer, "missing_piece", lambda: None)
    monkeypatch.setattr(deepdrr_renderer, "import_deepdrr", lambda: package)
    monkeypatch.setitem(sys.modules, "OpenGL", SimpleNamespace(EGL=egl))
    monkeypatch.setitem(sys.modules, "OpenGL.EGL", egl)
    return log
