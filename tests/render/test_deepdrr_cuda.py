"""DeepDRR itself on CUDA: conformance with the float64 reference. Skipped with the piece that is missing.

Without open3d, pyvista and vtk: see cuda_stand_ins/README.md.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient
from carm_env.render import deepdrr_renderer
from carm_env.render.deepdrr_pieces import missing_piece
from carm_env.render.deepdrr_renderer import DeepDrrRenderer
from carm_env.render.reference import render_reference
from carm_env.xray.materials import mixture
from tests.render.test_accuracy import block, errors, ray
from tests.render.test_behaviour import SIZE, ball, centroid, seen


def stood_in() -> tuple[str, ...]:
    """Pieces that are not needed where the folder ``cuda_stand_ins`` is on the path."""
    spec = find_spec("open3d")
    here = Path(__file__).parent / "cuda_stand_ins" / "open3d.py"
    return ("numpy", "others") if spec and spec.origin and Path(spec.origin).samefile(here) else ()


MISSING = missing_piece(but_for=stood_in())
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


def reshape(array: Any, shape: Any = None, order: Any = "C", *, newshape: Any = None) -> Any:
    """``numpy.reshape`` with the argument's name that numpy 2.4 dropped."""
    return np.asarray(array).reshape(newshape if shape is None else shape, order=order)


@pytest.fixture(scope="module")
def deepdrr() -> Iterator[DeepDrrRenderer]:
    with pytest.MonkeyPatch.context() as patch:
        if stood_in():
            patch.setattr(deepdrr_renderer, "missing_piece", lambda: None)
            patch.setattr(np, "reshape", reshape)
        renderer = DeepDrrRenderer(patients_kept=3)
        yield renderer
        renderer.close()


def test_air_is_empty(deepdrr: DeepDrrRenderer) -> None:
    air = block(-1000, (10, 10, 10))
    assert not deepdrr.render([air], cone_beam([[0, 0, 0]], 20, 10, 700, 1000, 5), (16, 16)).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("spacing", [(2, 2, 2), (0.7, 1.3, 2.5)])
def test_a_cube_has_its_path_length(deepdrr: DeepDrrRenderer, axis: int, spacing: tuple[float, float, float]) -> None:
    sides = (24, 30, 20)
    direction = np.eye(3)[axis] * spacing[axis]
    cm = 0.1 * sides[axis] * spacing[axis]
    for sign in (-1, 1):
        camera = ray((-300 * sign * direction).tolist(), (200 * sign * direction).tolist())
        soft, bone = deepdrr.render([block(0, sides, spacing)], camera, (1, 1))[0, :, 0, 0]
        assert soft == pytest.approx(cm * 1000 * mixture().soft_slope, rel=0.01) and bone == pytest.approx(0, abs=1e-4)


def test_both_planes_show_the_body_the_right_way_round(deepdrr: DeepDrrRenderer) -> None:
    left, posterior, head = (40.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 0.0, 40.0)
    assert seen(deepdrr, left, 0, 0)[0] > 10 and seen(deepdrr, head, 0, 0)[1] < -10
    assert seen(deepdrr, posterior, 90, 0)[0] > 10 and seen(deepdrr, head, 90, 0)[1] < -10
    assert seen(deepdrr, (0.0, -40.0, 0.0), 30, 0)[0] < -5, "LAO: anterior goes to the patient's right"


@pytest.mark.parametrize("size", [SIZE, (48, 63), (65, 40)])
def test_fiducials_show_where_the_camera_projects_them(deepdrr: DeepDrrRenderer, size: tuple[int, int]) -> None:
    for point in ((17.0, -11.0, 3.0), (-5.0, 8.0, -2.0)):
        angles, flip = ([0, 90, 40, 180], [0, 0, -30, 10]), [False, False, False, True]
        cameras = cone_beam(np.zeros((4, 3)), *angles, 785, 1100, 4, flip)
        images = deepdrr.render([ball(point)] * 4, cameras, size)
        for row in range(4):
            shift = centroid(images[row].sum(0)) - cameras[row].project(point, size)[0, 0]
            assert np.abs(shift).max() < 0.1, (point, row)


@pytest.mark.parametrize("name", ["body", "oblique"])
def test_any_angulation_agrees_with_float64(
    deepdrr: DeepDrrRenderer, name: str, request: pytest.FixtureRequest
) -> None:
    patient = request.getfixturevalue(name)
    cameras = views([(0, 0), (90, 0), (35, 25), (-60, -30), (0, 50), (180, -50)])
    images = deepdrr.render([patient] * len(cameras), cameras, (24, 20))
    for image, truth in zip(images, render_reference(patient.volume, cameras, (24, 20)), strict=True):
        total, bone = errors(image, truth)
        assert total <= 1.0 and bone <= 5.0


def views(angles: list[tuple[float, float]], z_mm: float = 2.0) -> Cameras:
    primary, secondary = np.transpose(angles)
    return cone_beam(np.tile([5.0, 3.0, z_mm], (len(angles), 1)), primary, secondary, 500, 800, 12)


def test_end_slices_continue(deepdrr: DeepDrrRenderer, body: Patient) -> None:
    for end, tilt in zip(body.volume.z_range_mm(), (-40, 40), strict=True):
        cameras = views([(0, tilt), (90, 0)], end)
        images = deepdrr.render([body] * 2, cameras, (24, 20))
        for image, truth in zip(images, render_reference(body.volume, cameras, (24, 20)), strict=True):
            assert errors(image, truth)[0] <= 1.0


def test_metal_has_a_negative_amount_of_soft_tissue(deepdrr: DeepDrrRenderer) -> None:
    patient, camera = block(6000, (20, 20, 20)), cone_beam([[0, 0, 0]], 0, 0, 500, 800, 0.5)
    image = deepdrr.render([patient], camera, (3, 3))[0]
    truth = render_reference(patient.volume, camera, (3, 3))[0]
    assert (image[0] < 0).all() and np.allclose(image, truth, rtol=0.05)


def test_the_batch_and_freed_patients_change_no_bit(deepdrr: DeepDrrRenderer, body: Patient) -> None:
    """Eight patients where three are kept: contexts and textures of the others stay whole."""
    patients = [body, *(ball((float(x), 0.0, 0.0)) for x in range(7))]
    cameras, renderer = views([(0, 0), (90, 0)] * 4), DeepDrrRenderer(patients_kept=3)
    together = renderer.render(patients, cameras, SIZE)
    for row in (0, 7, 3, 0):
        assert np.array_equal(renderer.render([patients[row]], cameras[row], SIZE)[0], together[row])
    renderer.close()


def test_repeating_more_end_slices_changes_images_by_rounding_only(deepdrr: DeepDrrRenderer, body: Patient) -> None:
    renderer = DeepDrrRenderer()
    images = []
    for tilt in (0, 45, 0):
        images.append(renderer.render([body], views([(0, tilt)]), SIZE))
    assert np.allclose(images[0], images[2], atol=2e-3)
    renderer.close()
