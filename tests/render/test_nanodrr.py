"""nanodrr: gradients that lead back to a pose, classes of material, one patient on the device at a time."""

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.geometry import cone_beam
from carm_env.patient.model import Patient
from carm_env.render.material_classes import material_classes
from carm_env.render.reference import pixel_centres
from carm_env.xray.materials import mixture

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'carm[gpu]'")
pytest.importorskip("nanodrr", reason="nanodrr is not installed: pip install 'carm[gpu]'")

from carm_env.render.nanodrr_renderer import NanodrrRenderer  # noqa: E402
from carm_env.render.tensor_cameras import TensorCameras, tensor_cone_beam  # noqa: E402

SIZE = (20, 16)


def test_tensor_cameras_are_the_cameras() -> None:
    isocentres, primary, secondary = np.array([[1.0, -2, 30], [5, 6, 7]]), [20.0, -75], [-15.0, 40]
    plain = cone_beam(isocentres, primary, secondary, 785, 1200, 3)
    tensors = tensor_cone_beam(
        torch.tensor(isocentres, dtype=torch.float32), torch.tensor(primary), torch.tensor(secondary), 785, 1200, 3
    )
    again = tensors.to_cameras()
    for name in ("source_mm", "centre_mm", "u", "v", "pitch_mm"):
        assert np.allclose(getattr(again, name), getattr(plain, name), atol=1e-3), name
    assert np.allclose(TensorCameras.of(plain).pixels_mm(SIZE), pixel_centres(plain, SIZE).reshape(2, -1, 3), atol=1e-3)


@pytest.mark.parametrize("channel", [0, 1])
def test_gradients_are_the_slopes_of_the_image(body: Patient, channel: int) -> None:
    """Along each of isocentre's axes and both angles, against central differences."""
    renderer = NanodrrRenderer(device="cpu")
    weights = torch.linspace(-1, 1, SIZE[0] * SIZE[1]).reshape(SIZE)

    def loss(pose: torch.Tensor) -> torch.Tensor:
        cameras = tensor_cone_beam(pose[None, :3], pose[3:4], pose[4:5], 500, 800, 12)
        return (weights * renderer.line_integrals(body, cameras, SIZE, soft_labels=True)[0, channel]).sum()

    pose = torch.tensor([3.0, -4.0, 5.0, 20.0, 10.0], requires_grad=True)
    loss(pose).backward()
    assert pose.grad is not None
    for axis in range(5):
        step = torch.eye(5)[axis] * 0.05
        with torch.no_grad():
            slope = (loss(pose + step) - loss(pose - step)) / 0.1
        assert float(pose.grad[axis]) == pytest.approx(float(slope), rel=0.1, abs=0.05 * float(pose.grad.abs().max()))


def test_gradients_bring_a_displaced_pose_back(body: Patient) -> None:
    renderer = NanodrrRenderer(device="cpu")
    zero = torch.zeros(1)
    target = renderer.line_integrals(body, tensor_cone_beam(torch.zeros(1, 3), zero, zero, 500, 800, 12), SIZE)
    offset = torch.tensor([[6.0, 0.0, -5.0]], requires_grad=True)
    optimiser = torch.optim.Adam([offset], lr=0.7)
    for _ in range(40):
        optimiser.zero_grad()
        image = renderer.line_integrals(body, tensor_cone_beam(offset, zero, zero, 500, 800, 12), SIZE)
        (image - target).square().mean().backward()
        optimiser.step()
    assert offset[0, [0, 2]].abs().max() < 1.0


def test_rendering_in_parts_changes_nothing(body: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = cone_beam(np.zeros((2, 3)), [0, 70], 10, 500, 800, 12)
    whole = NanodrrRenderer(device="cpu").render([body] * 2, cameras, SIZE)
    monkeypatch.setattr("carm_env.render.nanodrr_renderer.CPU_SAMPLES", 5000)
    parts = NanodrrRenderer(device="cpu").render([body] * 2, cameras, SIZE)
    assert np.allclose(whole, parts, rtol=1e-5, atol=1e-5)


def test_patients_beyond_the_memory_are_dropped(body: Patient, oblique: Patient) -> None:
    cameras = cone_beam([[0, 0, 0]], 0, 0, 500, 800, 12)
    small = NanodrrRenderer(device="cpu", cache_bytes=1)
    images = [small.render([patient], cameras, SIZE) for patient in (body, oblique, body)]
    assert len(small._scenes) == 1 and np.array_equal(images[0], images[2])


def test_what_was_rendered_before_changes_no_bit(body: Patient) -> None:
    cameras = cone_beam([[0, 0, 0], [0, 0, 140], [0, 0, -300], [0, 0, 0]], [25, 0, 90, 0], [20, 0, 0, 50], 700, 1000, 8)
    used = NanodrrRenderer(device="cpu")
    together = used.render([body] * 4, cameras, SIZE)
    for row in range(4):
        fresh = NanodrrRenderer(device="cpu").render([body], cameras[[row]], SIZE)[0]
        assert np.allclose(fresh, together[row], rtol=1e-6, atol=1e-6)
        assert np.array_equal(fresh, used.render([body], cameras[[row]], SIZE)[0])


def test_devices_that_are_not_there_are_refused() -> None:
    with pytest.raises(CarmError, match="'abacus' cannot be used"):
        NanodrrRenderer(device="abacus")


def test_classes_keep_all_attenuation_and_all_bone() -> None:
    hu = np.random.default_rng(0).integers(-1100, 9000, (20, 20, 20)).astype(np.int16)
    classes, (soft, bone) = material_classes(hu, mixture()), mixture().densities(hu)
    weights = classes.weights[:, classes.labels]
    assert np.allclose(classes.total, soft + mixture().soft_per_bone * bone, rtol=1e-5)
    assert (weights[1] * classes.total).sum() == pytest.approx(bone.sum(), rel=1e-5)
    assert (weights[0] * classes.total).sum() == pytest.approx(soft.sum(), rel=1e-4)
    assert np.abs(weights[1] * classes.total - bone).max() < 0.1 * bone.max()


def test_soft_tissue_is_a_class_of_its_own() -> None:
    classes = material_classes(np.array([[[-1000, -200, 37]]], np.int16), mixture())
    assert not classes.labels.any() and np.allclose(classes.weights, [[1.0], [0.0]])
