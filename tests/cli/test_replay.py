"""`carm replay`: agreement to the bit, the first difference named, nothing imported on a file's word."""

import json
import shutil
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perception.surrogate import SHIPPED
from tests.cli.conftest import BARE, carm


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One episode without player and video."""
    out = tmp_path_factory.mktemp("recorded") / "run"
    assert carm("run", *BARE, f"out={out}") == 0
    return out


@pytest.fixture
def copy(recorded, tmp_path):
    return shutil.copytree(recorded, tmp_path / "run")


def exposed_row(out) -> int:
    """A step in the middle at which plane A fires."""
    rows = np.flatnonzero(pq.read_table(out / "steps.parquet")["exposed_a"].to_numpy())
    return int(rows[len(rows) // 2])


def change(out, column: str, row: int, by) -> None:
    """Replaces one value in ``steps.parquet``."""
    path = out / "steps.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index(column)
    values = table.column(column).to_pylist()
    values[row] = by(values[row])
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type)), path)


def slower(action: list[float]) -> list[float]:
    return [0.5 * a for a in action[:3]] + action[3:]


def test_it_agrees_bit_for_bit(recorded, capsys):
    assert carm("replay", recorded, "--verify") == 0
    assert "1 of 1 episodes agree bit for bit" in capsys.readouterr().out


def test_a_run_with_a_table_beside_it_agrees_from_anywhere(tmp_path, monkeypatch, capsys):
    shutil.copy(SHIPPED, tmp_path / "table.json")
    monkeypatch.chdir(tmp_path)
    seeing = ["patient=phantom:0@8", "perception=surrogate", "perception.errors=table.json"]
    assert carm("run", *BARE[1:], *seeing, "out=run") == 0
    monkeypatch.chdir("/")
    assert carm("replay", tmp_path / "run", "--verify") == 0
    assert "1 of 1 episodes agree" in capsys.readouterr().out


def test_every_episode_of_a_run_is_checked(six, capsys):
    assert carm("replay", six, "--verify") == 0
    assert "6 of 6 episodes agree" in capsys.readouterr().out
    assert carm("replay", six, "--verify", "--episode", "4") == 0
    assert "1 of 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("column", "by", "stage"),
    [
        ("z_mm", lambda v: v + 1e-9, "machine"),
        ("kap_gycm2_a", lambda v: v * (1 + 1e-12), "exposure"),
        ("mas_a", lambda v: v * 1.01, "exposure"),
        ("frame_hash_a", lambda v: v ^ 1, "frame"),
        ("estimate_x_mm_a", lambda v: v + 0.001, "perception"),
        ("error_mm", lambda v: v - 1e-9, "task"),
        ("reward", lambda v: v + 1.0, "task"),
    ],
)
def test_a_changed_value_is_found_at_its_step_and_stage(column, by, stage, copy, capsys):
    row = exposed_row(copy)
    change(copy, column, row, by)
    assert carm("replay", copy, "--verify") == 1
    shown = capsys.readouterr().out
    assert f"step {row}, {stage}: {column}" in shown and "0 of 1" in shown


def test_a_changed_action_moves_the_machine_elsewhere(copy, capsys):
    change(copy, "action", 20, slower)
    assert carm("replay", copy, "--verify") == 1
    assert "step 20, machine" in capsys.readouterr().out


def test_another_seed_is_another_episode(copy, capsys):
    path = copy / "episodes.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("seed")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array([7], pa.int64())), path)
    assert carm("replay", copy, "--verify") == 1
    assert "step 0, machine" in capsys.readouterr().out


def tamper(out, **changes) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    spec = json.loads(manifest["env_spec"])
    kwargs = changes.pop("kwargs", {})
    spec.update(changes)
    spec["kwargs"].update(kwargs)
    (out / "manifest.json").write_text(json.dumps(manifest | {"env_spec": json.dumps(spec)}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entry_point": "spy_module:Env"}, "spy_module:Env"),
        ({"id": "spy_module:CartPole-v1"}, "spy_module:CartPole-v1"),
        ({"id": "CartPole-v1"}, "CartPole-v1"),
        ({"id": ["CArm/PelvisToHead-v0"]}, "environment"),
        ({"additional_wrappers": [{"name": "w", "entry_point": "spy_module:W", "kwargs": {}}]}, "spy_module:W"),
        ({"kwargs": {"perception": "spy_module:See"}}, "spy_module:See"),
        ({"kwargs": {"renderer": "spy_module:Render"}}, "spy_module:Render"),
        ({"kwargs": {"unheard_of": 1}}, "unheard_of"),
        ({"kwargs": {"device_overrides": 3}}, "env_spec"),
        ({"kwargs": {"patient": "nowhere.nii.gz"}}, "nowhere.nii.gz"),
        ({"kwargs": {"patient": "phantom:1"}}, "phantom-1"),
        ({"kwargs": {"task": "fly"}}, "fly"),
        ({"max_episode_steps": "many"}, "env_spec"),
    ],
)
def test_a_manifest_cannot_name_code(changes, words, copy, tmp_path, capsys, monkeypatch):
    (tmp_path / "spy_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    tamper(copy, **changes)
    assert carm("replay", copy, "--verify") == 2
    err = capsys.readouterr().err.strip()
    assert words in err and err.startswith("carm: ") and "\n" not in err
    assert "spy_module" not in sys.modules


def test_a_damaged_manifest_is_one_line(copy, capsys):
    manifest = json.loads((copy / "manifest.json").read_text())
    for damage in ("{", 5, None, json.dumps([1])):
        (copy / "manifest.json").write_text(json.dumps(manifest | {"env_spec": damage}))
        assert carm("replay", copy, "--verify") == 2
        assert "env_spec" in capsys.readouterr().err


def test_player_and_video_are_made_again(recorded, tmp_path):
    before = {p.name: p.stat().st_mtime_ns for p in recorded.iterdir()}
    out = tmp_path / "a new" / "folder"
    assert carm("replay", recorded, "--html", "--out", out) == 0
    assert [p.name for p in out.iterdir()] == ["index.html"]
    assert {p.name: p.stat().st_mtime_ns for p in recorded.iterdir()} == before


def test_without_a_3_d_renderer_the_video_is_drawn_and_a_line_says_so(recorded, tmp_path, capsys, monkeypatch):
    from carm_env.errors import CarmError
    from carm_env.view.solid import mesh

    def nothing():
        raise CarmError("VTK cannot render a 3-D scene here")

    monkeypatch.setattr(mesh, "off_screen", nothing)
    assert carm("replay", recorded, "--video", "--out", tmp_path) == 0
    err = capsys.readouterr().err
    assert "VTK cannot render" in err and err.count("\n") == 1
    assert (tmp_path / "episode.mp4").stat().st_size > 10_000


@pytest.mark.slow
def test_the_video_of_a_replay_shows_the_3_d_scene(recorded, tmp_path, capsys):
    import imageio_ffmpeg

    assert carm("replay", recorded, "--video", "--out", tmp_path) == 0
    assert capsys.readouterr().err == ""
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "episode.mp4"))
    assert next(reader)["size"] == (1280, 720)
    picture = np.frombuffer(next(reader), np.uint8).reshape(720, 1280, 3)
    between_drawn_views = picture[56 + 318, 632:1264]
    assert between_drawn_views.mean() > 25


def test_the_player_of_a_replay_shows_what_the_run_showed(demo, tmp_path):
    assert carm("replay", demo, "--html", "--out", tmp_path) == 0
    assert (tmp_path / "index.html").read_text() == (demo / "index.html").read_text()


def test_only_folders_that_can_be_written(recorded, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert carm("replay", recorded, "--html", "--out", out) == 2
        assert str(out) in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_dose_and_dicom_are_written_and_agree_with_the_summary(recorded, tmp_path):
    import pydicom
    from PIL import Image

    assert carm("replay", recorded, "--dose", "--dicom", "--out", tmp_path) == 0
    summary = json.loads((recorded / "summary.json").read_text())
    dose = json.loads((tmp_path / "dose.json").read_text())
    total, search = dose["parts"]["total"], dose["parts"]["search"]
    assert total["kap_gycm2"] == pytest.approx(summary["kap_gycm2"], rel=1e-9)
    assert search["kap_gycm2"] == pytest.approx(summary["kap_search_gycm2"], rel=1e-9)
    assert total["peak_skin_mgy"] == pytest.approx(summary["psd_mgy"], rel=1e-9)
    assert total["effective_usv"] == pytest.approx(summary["effective_usv"], rel=1e-9)
    assert dose["organs_mgy"]["total"]["brain"] > 0
    with Image.open(tmp_path / "skin.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 100
    report = pydicom.dcmread(tmp_path / "dose.dcm")
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.67"
    frames = [int(pydicom.dcmread(tmp_path / f"plane_{p}.dcm").NumberOfFrames) for p in "ab"]
    assert sum(frames) == summary["exposures"]


def test_an_episode_without_exposures_has_no_dicom_to_write(tmp_path, capsys):
    run = tmp_path / "run"
    assert carm("run", *BARE, "task.max_steps=1", f"out={run}", "policy=oracle") == 0
    assert carm("replay", run, "--dicom", "--out", tmp_path / "out") == 2
    assert "exposure" in capsys.readouterr().err


@pytest.mark.parametrize("renderer", ["cached", "nanodrr"])
def test_runs_with_another_renderer_are_executed_again(renderer, tmp_path):
    if renderer == "nanodrr":
        pytest.importorskip("nanodrr", reason="nanodrr is not installed: pip install 'carm[gpu]'")
    out = tmp_path / "run"
    assert carm("run", *BARE, f"renderer={renderer}", "policy=oracle", f"out={out}") == 0
    assert carm("replay", out, "--verify") == 0
