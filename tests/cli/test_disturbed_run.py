"""`disturbance.*` on the command line: recorded with the run, replayed to the bit."""

import json
import shutil

import pytest

from tests.cli.conftest import BARE, carm

PLANAR = (*BARE, "task=pelvis_to_head_2d", "perception=noisy", "seed=1")
ERRORS = ("disturbance.bias_mm=[0,0,12]", "disturbance.noise_mm=2", "disturbance.dropout=0.2", "disturbance.delay=1")


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("disturbed") / "run"
    assert carm("run", *PLANAR, *ERRORS, f"out={out}") == 0
    return out


def test_a_disturbed_run_replays_bit_for_bit(disturbed, capsys):
    assert carm("replay", disturbed, "--verify") == 0
    assert "1 of 1 episodes agree bit for bit" in capsys.readouterr().out


def test_the_manifest_tells_the_errors_and_a_replay_without_them_differs(disturbed, tmp_path, capsys):
    path = shutil.copytree(disturbed, tmp_path / "run") / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["config"]["disturbance"]["delay"] == 1
    spec = json.loads(manifest["env_spec"])
    assert spec["kwargs"].pop("disturbance")["bias_mm"] == [0, 0, 12]
    path.write_text(json.dumps({**manifest, "env_spec": json.dumps(spec)}))
    assert carm("replay", path.parent, "--verify") == 1
    assert "episode 0 differs" in capsys.readouterr().out


def test_only_the_episode_changes_and_not_the_patient(disturbed, tmp_path):
    assert carm("run", *PLANAR, f"out={tmp_path}/o") == 0
    with_errors, without = (json.loads((p / "summary.json").read_text()) for p in (disturbed, tmp_path / "o"))
    assert with_errors["patient"] == without["patient"]
    assert with_errors["final_error_mm"] != without["final_error_mm"]


@pytest.mark.parametrize(
    "word", ["disturbance.bias_mm=[1,2]", "disturbance.dropout=2", "disturbance.delay=0.5", "disturbance.wind=1"]
)
def test_bad_errors_are_told_in_one_line(word, tmp_path, capsys):
    assert carm("run", *PLANAR, word, f"out={tmp_path}/o") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and word.partition("=")[0].split(".")[1] in told
    assert not (tmp_path / "o").exists()
