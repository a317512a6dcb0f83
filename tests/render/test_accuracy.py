"""The fast renderer against exact lengths, the float64 reference and projections made by an independent program."""

import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render.protocol import Renderer
from carm_env.render.reference import line_integrals, render_reference
from carm_env.xray.materials import mixture
from tests.render.conftest import centred, patient

ANGLES = [(0, 0), (90, 0), (35, 25), (-60, -30), (0, 50), (10, 70), (0, 90), (180, -50)]
DATA = Path(os.environ.get("CARM_DATA_DIR", Path(__file__).parents[2] / "../shared/data"))
VIEWS = DATA.parent / "reference" / "views"
WHOLE_BODY = DATA / "acrin-flt-breast-001" / "whole_body.nii.gz"


def block(hu: int, sides: tuple[int, int, int], spacing: tuple[float, float, float] = (2, 2, 2)) -> Patient:
    """A block of ``hu`` in air, centred on the origin; along z the air is thick enough not to be continued."""
    volume = np.full([n + 20 for n in sides], -1000, np.int16)
    volume[10:-10, 10:-10, 10:-10] = hu
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -np.array(spacing) * (np.array(volume.shape) - 1) / 2
    return Patient(f"block-{hu}-{sides}-{spacing}", Volume(volume, affine))


def ray(source: list[float], target: list[float]) -> Cameras:
    """A camera whose single pixel ends at ``target``."""
    axis = np.subtract(target, source) / np.linalg.norm(np.subtract(target, source))
    u = np.cross(axis, [0.3, 0.5, -0.8])
    u /= np.linalg.norm(u)
    return Cameras(np.array([source]), np.array([target]), u[None], np.cross(axis, u)[None], np.ones(1))


def errors(image: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean absolute error over mean, in percent: of the sum and of bone."""
    total = np.abs(image.sum(0) - truth.sum(0)).mean() / truth.sum(0).mean()
    return 100 * total, 100 * np.abs(image[1] - truth[1]).mean() / max(truth[1].mean(), 1e-9)


def test_air_is_empty(renderer: Renderer) -> None:
    image = renderer.render([block(-1000, (10, 10, 10))], cone_beam([[0, 0, 0]], 20, 10, 700, 1000, 5), (16, 16))
    assert image.shape == (1, 2, 16, 16) and image.dtype == np.float32 and not image.any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("spacing", [(2, 2, 2), (0.7, 1.3, 2.5)])
def test_rays_through_opposite_faces_have_the_exact_length(
    renderer: Renderer, axis: int, slope: float, spacing: tuple[float, float, float]
) -> None:
    sides = (24, 30, 20)
    direction = np.eye(3)[axis] * spacing[axis] + slope * np.eye(3)[axis - 1] * spacing[axis - 1]
    cm = 0.1 * sides[axis] * np.linalg.norm(direction)
    for sign in (-1, 1):
        source, target = (-300 * sign * direction).tolist(), (200 * sign * direction).tolist()
        soft, bone = renderer.render([block(0, sides, spacing)], ray(source, target), (1, 1))[0, :, 0, 0]
        assert soft == pytest.approx(cm * 1000 * mixture().soft_slope, rel=2e-5)
        assert bone == 0


@pytest.mark.parametrize("hu", [-500, 0, 400, 1559, 3071, 12000])
def test_uniform_blocks_hold_the_mixture_of_the_material_model(renderer: Renderer, hu: int) -> None:
    inner = ray([-11.3, 0.4, 0.2], [9.8, -0.4, 0.3])
    sums = renderer.render([block(hu, (20, 20, 20))], inner, (1, 1))[0, :, 0, 0]
    cm = 0.1 * np.linalg.norm(inner.centre_mm - inner.source_mm)
    assert sums == pytest.approx(cm * np.array(mixture().densities(hu)), rel=2e-5, abs=2e-5 * cm)


@pytest.mark.parametrize("target", [[5.1, 0.3, -0.7], [0.2, 6.4, 1.1], [0.6, -1.2, -7.9], [4.0, 4.0, 4.0]])
def test_rays_end_at_focal_spot_and_pixel(renderer: Renderer, target: list[float]) -> None:
    source = [-t for t in target]
    for one, two in ((source, target), (target, source), ([1.3, 0.2, 0.1], target)):
        soft = renderer.render([block(0, (20, 20, 20))], ray(one, two), (1, 1))[0, 0, 0, 0]
        cm = 0.1 * np.linalg.norm(np.subtract(one, two))
        assert soft == pytest.approx(cm * 1000 * mixture().soft_slope, rel=1e-4)


@pytest.mark.parametrize("name", ["body", "oblique"])
def test_any_angulation_agrees_with_float64(renderer: Renderer, name: str, request: pytest.FixtureRequest) -> None:
    patient = request.getfixturevalue(name)
    found = []
    for primary, secondary in ANGLES:
        cameras = cone_beam([[5.0, 3.0, 2.0]], primary, secondary, 500, 800, 12)
        truth = render_reference(patient.volume, cameras, (24, 24))[0]
        found.append(errors(renderer.render([patient], cameras, (24, 24))[0], truth))
    assert np.mean(found, axis=0)[0] <= 0.05
    assert np.max(found, axis=0)[0] <= 0.08 and np.max(found, axis=0)[1] <= 0.5


@pytest.mark.parametrize(("primary", "secondary"), [(0, 50), (45, 0), (45, 50), (-60, -45)])
def test_bone_of_a_grainy_ct_is_not_lost_in_steep_views(
    renderer: Renderer, primary: float, secondary: float
) -> None:
    grain = np.random.default_rng(1).normal(250, 250, (60, 60, 60))
    hu = np.full((80, 80, 80), -1000.0)
    hu[10:-10, 10:-10, 10:-10] = gaussian_filter(grain, 0.6)
    grainy = patient("grainy", hu, centred((2, 2, 2), hu.shape))
    cameras = cone_beam([[0.0, 0, 0]], primary, secondary, 500, 800, 12)
    truth = render_reference(grainy.volume, cameras, (16, 16), 0.2)[0, 1]
    bone = renderer.render([grainy], cameras, (16, 16))[0, 1]
    assert bone.mean() == pytest.approx(truth.mean(), rel=0.01)


@pytest.mark.parametrize(("sod", "sid", "pitch"), [(40, 500, 12), (500, 510, 8), (30, 40, 1)])
def test_source_and_detector_may_lie_inside_the_body(
    renderer: Renderer, body: Patient, sod: float, sid: float, pitch: float
) -> None:
    for secondary in (10, 80):
        cameras = cone_beam([[5.0, 3.0, 2.0]], 20, secondary, sod, sid, pitch)
        truth = render_reference(body.volume, cameras, (16, 16), 0.05)[0]
        assert errors(renderer.render([body], cameras, (16, 16))[0], truth)[0] <= 0.08


@settings(deadline=None, max_examples=150)
@example(primary=0.0, secondary=49.0, width=93.0, rows=20)
@given(primary=st.floats(-180, 180), secondary=st.floats(-60, 60), width=st.floats(20, 120), rows=st.integers(1, 20))
def test_pixels_many_degrees_wide_agree_with_float64(
    renderer: Renderer, body: Patient, primary: float, secondary: float, width: float, rows: int
) -> None:
    cameras = cone_beam([[5.0, 3.0, 2.0]], primary, secondary, 250, 400, width)
    truth = render_reference(body.volume, cameras, (rows, 12), 0.2)[0]
    assert np.abs(renderer.render([body], cameras, (rows, 12))[0].sum(0) - truth.sum(0)).max() <= 0.02 * truth.max()


def test_end_slices_continue(renderer: Renderer, body: Patient) -> None:
    size, ends = (24, 24), body.volume.z_range_mm()
    for end, beyond in ((ends[0], -150.0), (ends[1], 150.0)):
        cameras = cone_beam([[0, 0, end + beyond], [0, 0, end + 2 * beyond]], 15, 0, 500, 800, 8)
        near, far = renderer.render([body, body], cameras, size)
        assert near.sum() > 0 and np.allclose(near[:, 12], far[:, 12], rtol=1e-3, atol=1e-3)
    cameras = cone_beam([[5.0, 3.0, ends[1]]], 0, 55, 500, 800, 12)
    truth = render_reference(body.volume, cameras, size)[0]
    assert errors(renderer.render([body], cameras, size)[0], truth)[0] <= 0.08


def test_the_sides_are_air(renderer: Renderer) -> None:
    full = Patient("full", Volume(np.zeros((20, 20, 20), np.int16), np.diag([2.0, 2, 2, 1])))
    source, target = [19.0, -400.0, 19.0], [19.0, 400.0, 19.0]
    soft = renderer.render([full], ray(source, target), (1, 1))[0, 0, 0, 0]
    truth = line_integrals(full.volume, np.array([source]), np.array([target]), 0.01)[0, 0]
    assert soft == pytest.approx(truth, rel=2e-3) and soft == pytest.approx(4.0 * 1000 * mixture().soft_slope, rel=0.01)
    outside = renderer.render([full], ray([-30.0, -400.0, 19.0], [-30.0, 400.0, 19.0]), (1, 1))
    assert not outside.any()


def whole_body() -> Patient:
    image = nibabel.load(WHOLE_BODY)
    hu, affine = np.asarray(image.dataobj).astype(np.int16), np.diag([-1.0, -1, 1, 1]) @ image.affine
    for axis in range(3):
        if affine[axis, axis] < 0:
            affine[:, 3] += affine[:, axis] * (hu.shape[axis] - 1)
            affine[:, axis] *= -1
            hu = np.flip(hu, axis)
    return Patient("acrin-flt-breast-001", Volume(hu, affine))


@pytest.mark.skipif(not (WHOLE_BODY.exists() and VIEWS.exists()), reason=f"no shared CT or views at {DATA}")
def test_independent_projections_of_a_real_ct_are_reproduced(renderer: Renderer) -> None:
    layout = json.loads((VIEWS / "views.json").read_text())
    views, patient, size = layout["views"], whole_body(), (layout["pixels"],) * 2
    landmarks = json.loads(WHOLE_BODY.with_name("whole_body.landmarks.json").read_text())
    cameras = cone_beam(
        [v["isocentre_lps_mm"] for v in views.values()],
        [v["primary_deg"] for v in views.values()],
        [v["secondary_deg"] for v in views.values()],
        layout["sod_mm"],
        layout["sid_mm"],
        layout["pitch_mm"],
    )
    images = renderer.render([patient] * len(views), cameras, size)
    points = {**landmarks["landmarks"], **landmarks.get("targets", {})}
    found = []
    with np.load(VIEWS / "views.npz") as stored:
        for row, (name, view) in enumerate(views.items()):
            total, bone = errors(images[row], stored[name])
            assert total <= 0.07 and bone <= 0.8, name
            found.append(total)
            for landmark, pixel in view["landmark_column_row_px"].items():
                position = points[landmark]["position"]
                assert np.abs(cameras[row].project(position, size)[0, 0] - pixel).max() <= 0.1, (name, landmark)
    assert np.mean(found) <= 0.05
