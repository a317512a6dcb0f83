"""How the DeepDRR backend uses DeepDRR, as a package that stands in DeepDRR's place wrote down."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.geometry import cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render import deepdrr_pieces, deepdrr_renderer
from carm_env.render.deepdrr_renderer import SLICES_AT_ONCE, DeepDrrRenderer
from carm_env.render.registry import make_renderer
from tests.render.test_behaviour import ball
from tests.render.test_deepdrr import SIZE, pair

FLAT = Patient("flat", Volume(np.zeros((4, 4, 4), np.int16), np.zeros((4, 4))))


def test_a_pair_is_two_calls_of_one_projector(log: SimpleNamespace, body: Patient) -> None:
    renderer = DeepDrrRenderer(ct_energy_kev=68.0)
    for _ in range(3):
        renderer.render([body] * 2, pair(), SIZE)
    assert len(log.projectors) == log.initialized == 1 and not log.freed
    projector = log.projectors[0]
    assert log.calls == [(projector, 2, [0]), (projector, 2, [1])] * 3
    assert projector.spectrum.tolist() == [[68000.0, 1.0]] and np.log2(projector.step) % 1 == 0
    assert {volume.system for volume in projector.volumes} == {"LPS"}


def test_the_sensor_may_change_size(log: SimpleNamespace, body: Patient) -> None:
    renderer = DeepDrrRenderer()
    large = renderer.render([body] * 2, pair(), (25, 31))
    small = renderer.render([body] * 2, pair(), (5, 3))
    assert np.allclose(large[:, :, 10:15, 14:17], small, atol=2e-3) and small.any()
    assert len(log.projectors) == 1


def test_the_order_of_patients_changes_nothing(log: SimpleNamespace, body: Patient) -> None:
    renderer, other = DeepDrrRenderer(), ball((5.0, 0.0, 20.0))
    cameras = cone_beam(np.zeros((4, 3)), [0, 90, 20, -30], 10, 700, 1000, 8)
    images = renderer.render([body, other, other, body], cameras, SIZE)
    order = [3, 1, 0, 2]
    shuffled = renderer.render([(body, other, other, body)[i] for i in order], cameras[order], SIZE)
    assert np.array_equal(shuffled, images[order])
    assert len(log.projectors) == 2


def test_a_drive_along_the_body_rebuilds_once_in_many_slices(log: SimpleNamespace, body: Patient) -> None:
    renderer, end = DeepDrrRenderer(), body.volume.z_range_mm()[1]
    for z in np.arange(0, end + 100, 10.0):
        renderer.render([body] * 2, pair(z), SIZE)
    slices = [projector.volumes[0].data.shape[2] for projector in log.projectors]
    assert all((count - 100) % SLICES_AT_ONCE == 0 for count in slices) and slices == sorted(set(slices))
    assert len(log.projectors) == log.initialized <= 3 and log.freed == log.projectors[:-1]
    renderer.render([body] * 2, pair(0), SIZE)
    assert log.projectors[-1].volumes[0].data.shape[2] == slices[-1]


def test_the_least_recently_used_patients_are_freed_with_their_contexts(log: SimpleNamespace) -> None:
    renderer, patients = DeepDrrRenderer(patients_kept=2), [ball((x, 0.0, 0.0)) for x in (0.0, 5.0, 9.0)]
    camera = cone_beam([[0, 0, 0]], 0, 0, 785, 1100, 4)
    for which in (0, 1, 0, 2, 0):
        renderer.render([patients[which]], camera, SIZE)
    assert len(log.projectors) == 3 and log.freed == [log.projectors[1]] and log.contexts == ["context 1"]
    renderer.close()
    renderer.close()
    assert len(log.freed) == len(set(log.contexts)) == 3
    assert renderer.render([patients[0]], camera, SIZE).any()


def test_no_cameras_make_no_images(log: SimpleNamespace) -> None:
    assert DeepDrrRenderer().render([], cone_beam(np.zeros((0, 3)), 0, 0, 700, 1000, 5), SIZE).shape == (0, 2, *SIZE)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda body: DeepDrrRenderer(patients_kept=0), "0 patients; at least 1"),
        (lambda body: DeepDrrRenderer(ct_energy_kev=400.0), "400"),
        (lambda body: DeepDrrRenderer().render([body], pair(), SIZE), "1 patients for 2 cameras"),
        (lambda body: DeepDrrRenderer().render([body] * 2, pair(sid=(800, 0)), SIZE), "camera 1 lies in its detector"),
        (lambda body: DeepDrrRenderer().render([FLAT], pair()[0], SIZE), "patient flat: .*cannot be inverted"),
    ],
)
def test_impossible_requests_are_refused(log: SimpleNamespace, body: Patient, ask: Callable, words: str) -> None:
    with pytest.raises(CarmError, match=words):
        ask(body)


def test_a_machine_that_lacks_a_piece_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepdrr_renderer, "missing_piece", lambda: "no CUDA device")
    with pytest.raises(CarmError, match="renderer 'deepdrr' cannot run here: no CUDA device"):
        make_renderer("deepdrr")


def test_new_runtime_bindings_answer_to_the_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, package = SimpleNamespace(), SimpleNamespace()
    monkeypatch.delitem(sys.modules, "cuda.cudart", raising=False)
    for name, module in {"cuda.bindings.runtime": runtime, "deepdrr": package}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(deepdrr_pieces, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(bindings=SimpleNamespace(runtime=runtime)))
    monkeypatch.setitem(sys.modules, "cuda.bindings", SimpleNamespace(runtime=runtime))
    try:
        assert deepdrr_pieces.import_deepdrr() is package and sys.modules["cuda.cudart"] is runtime
    finally:
        sys.modules.pop("cuda.cudart", None)
