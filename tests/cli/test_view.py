"""`carm view`: a picture of a patient or of a moment of a run, or one line that says why not."""

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.view.solid.offscreen import off_screen
from tests.cli.conftest import BARE, carm


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("seen") / "run"
    assert carm("run", *BARE, "policy=oracle", f"out={out}") == 0
    return out


@pytest.fixture(scope="module")
def renders():
    try:
        off_screen()
    except CarmError as error:
        pytest.skip(str(error))


def pixels(path):
    from PIL import Image

    with Image.open(path) as image:
        assert image.format == "PNG" and image.size == (1440, 1080)
        return np.asarray(image).astype(int)


@pytest.mark.slow
@pytest.mark.usefixtures("renders")
def test_a_patient_is_seen_at_the_start_pose(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert carm("view", "phantom:0") == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == "written: runs/view/phantom-0.png" and shown.err == ""
    assert pixels(tmp_path / "runs" / "view" / "phantom-0.png").std() > 20


@pytest.mark.slow
@pytest.mark.usefixtures("renders")
def test_a_run_is_seen_at_its_end_and_at_a_time(run, tmp_path):
    assert carm("view", run, "--out", tmp_path / "end.png") == 0
    assert carm("view", run, "--time", "0", "--out", tmp_path / "start.png") == 0
    change = np.abs(pixels(tmp_path / "end.png") - pixels(tmp_path / "start.png")).max(axis=-1)
    assert (change > 30).mean() > 0.05


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "takes one patient or run"),
        (["phantom:0", "phantom:1"], "got 2"),
        (["phantom:0", "--size", "3"], "--size"),
        (["phantom:0", "--time", "3"], "--time is for a run"),
        (["phantom:zero"], "phantom:zero"),
        (["nowhere.nii.gz"], "nowhere.nii.gz"),
        (["phantom:0", "--out", "picture.jpg"], "picture.jpg"),
        (["phantom:0", "--out", "nowhere/picture.png"], "nowhere/picture.png"),
    ],
)
def test_bad_input_is_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert carm("view", *words) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--time", "1e9"], "it lasts from 0 to"),
        (["--time", "nan"], "it lasts from 0 to"),
        (["--time", "soon"], "soon"),
        (["--episode", "1"], "counted from 0"),
        (["--episode", "x"], "--episode"),
    ],
)
def test_a_moment_that_is_not_in_the_run_is_one_line(options, told, run, tmp_path, capsys):
    assert carm("view", run, *options, "--out", tmp_path / "x.png") == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())
