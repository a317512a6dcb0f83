"""The cross-check of the renderers measures what it says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.renderers import accuracy, scenes
from benchmarks.renderers.cuda import measure_on
from benchmarks.renderers.joseph_pairs import pack_pairs, project_pairs
from benchmarks.renderers.marks import marks
from benchmarks.renderers.peers import peers
from benchmarks.renderers.picture import draw
from benchmarks.renderers.suite import run
from benchmarks.timing import in_turns
from carm_env.patient.model import Patient, Volume
from carm_env.render.numba_renderer import NumbaRenderer


@pytest.fixture(scope="module")
def coarse() -> Patient:
    return scenes.body(4.0, 900.0)


@pytest.fixture(scope="module")
def scene(coarse: Patient) -> scenes.Scene:
    found = scenes.regions_of(coarse)
    return replace(found, patient=replace(coarse, landmarks={"T12": np.array([10.0, 30.0, 20.0])}))


@pytest.fixture(scope="module")
def images(scene: scenes.Scene) -> np.ndarray:
    return NumbaRenderer(coarse_levels=False).render([scene.patient] * 4, scene.cameras, scenes.SIZE)


def test_a_ct_without_landmarks_is_seen_in_its_middle(coarse: Patient) -> None:
    found = scenes.regions_of(coarse)
    assert found.names == tuple(f"middle, {look}" for look in scenes.LOOKS) and len(found.cameras) == 4


def test_images_agree_with_themselves(scene: scenes.Scene, images: np.ndarray) -> None:
    found = accuracy.agreement(images, images)
    assert found["total_error_percent"] == found["bone_error_percent"] == 0 and found["least_correlation"] == 1
    assert set(accuracy.largest_shifts_px({"a": images, "b": images}, scene).values()) == {0.0}


@pytest.mark.parametrize(("down", "right"), [(0.2, 0.0), (0.0, -0.2), (0.15, 0.15)])
def test_a_moved_image_has_moved_by_so_many_pixels(
    scene: scenes.Scene, images: np.ndarray, down: float, right: float
) -> None:
    cameras = scene.cameras
    offset = -cameras.pitch_mm[:, None] * (down * cameras.v + right * cameras.u)
    moved = NumbaRenderer(coarse_levels=False).render(
        [scene.patient] * 4, replace(cameras, centre_mm=cameras.centre_mm + offset), scenes.SIZE
    )
    shift = accuracy.largest_shifts_px({"a": images, "b": moved}, scene)["a and b"]
    assert shift == pytest.approx(np.hypot(down, right), abs=0.08)


def test_peers_see_the_same_body(coarse: Patient) -> None:
    cameras = scenes.pair()
    ours = accuracy.attenuation(NumbaRenderer(coarse_levels=False).render([coarse] * 2, cameras, scenes.SIZE))
    for name, peer in peers(coarse, cameras, scenes.SIZE).items():
        assert accuracy.percent(peer(), ours) < 1.0, name


def test_the_prototype_knows_the_length_of_a_cube() -> None:
    hu = np.full((40, 40, 40), -1000, np.int16)
    hu[10:30, 10:30] = 0
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -39
    volume = Volume(hu, affine)
    image = project_pairs(pack_pairs(volume), volume, scenes.pair(9, (0.0, 0.0)), (9, 9))
    assert image[0, 4, 4] == pytest.approx(4000 / np.cos(np.radians(12)), rel=0.02)


def test_what_is_timed_is_called_in_turns() -> None:
    called: list[str] = []
    times = in_turns({name: lambda name=name: called.append(name) for name in "ab"}, 3)
    assert "".join(called) == "abababab" and times["a"]["best_ms"] <= times["a"]["median_ms"]


def test_what_was_not_measured_is_no_mark_met(coarse: Patient) -> None:
    report = {
        "speed": {
            "pair of 128": {"numba": {"error_percent": 0.01}, "itk-rtk": {"numba_is_faster_by": 2.9}},
            "numba, tilted": {"frontal, 50": {"over_untilted": 1.4}, "pair, 50": {"over_untilted": 1.6}},
        },
        "level": {"level": {"total_error_percent": 0.31}},
        "memory_bytes_a_voxel": {"all": 4.0},
        "agreement": {"ct": {"largest_landmark_shift_px": {"a and b": 0.05}}},
        "cuda": "not measured",
    }
    rows = marks(report)
    assert [row["met"] for row in rows] == [None, False, True, None, True, False, False, True, True, None, None]
    assert all((row["met"] is None) == (row["measured"] == "not measured") for row in rows)


def test_the_gpus_measurement_runs_on_any_device_of_torch(coarse: Patient) -> None:
    pytest.importorskip("nanodrr")
    report = measure_on(coarse, 1, "cpu", pixels=6, samples=20)
    assert report["batch of 64"]["rate_over_single_material"] > 0
    assert json.loads(json.dumps(report)) == report


def test_the_picture_shows_every_renderer_and_its_difference(
    scene: scenes.Scene, images: np.ndarray, tmp_path: Path
) -> None:
    wrong = images.copy()
    wrong[:, :, 60:70] *= 1.05
    draw(tmp_path / "x.png", scene, images.astype(float), {"ours": images, "wrong": wrong}, (0, 1))
    sheet = np.asarray(Image.open(tmp_path / "x.png")).astype(int)
    coloured = np.abs(sheet[..., 0] - sheet[..., 2]) > 60
    assert coloured.any() and sheet.shape[0] > 5 * 256
    assert coloured[14 + 4 * 256 :].sum() == coloured.sum(), "only the wrong one differs"


@pytest.mark.slow
def test_the_suite_meets_its_marks_on_the_cpu(tmp_path: Path) -> None:
    report = run(["phantom:0"], 3, tmp_path, lambda _: None)
    assert json.loads(json.dumps(report)) == report and (tmp_path / "renderers.png").exists()
    missed = {row["what"]: row["measured"] for row in report["marks"] if row["met"] is False}
    assert all("steepest" in what for what in missed), missed
