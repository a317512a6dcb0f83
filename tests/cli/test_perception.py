"""``carm perception``: bad input is told in one line, and leaves nothing behind."""

from __future__ import annotations

import pytest

from carm_env.cli.main import main
from tests.cli.test_bad_input import assert_one_line

BAD = [
    (["fly"], "unknown command 'fly'; carm perception has: data, train, eval"),
    (["data", "cohrt=phantom-3"], "unknown setting 'cohrt=phantom-3' (did you mean 'cohort'?)"),
    (["data", "quickly"], "unknown setting 'quickly'"),
    (["data", "workers=many"], "workers"),
    (["data", "workers=0"], "workers=0"),
    (["data", "workers=null"], "workers"),
    (["data", "grid_mm=1"], "grid_mm=1.0"),
    (["data", "landmark_views=-1"], "landmark_views=-1"),
    (["data", "landmark_views=0", "drive_views=0"], "all 0"),
    (["data", "pixels=12"], "pixels=12"),
    (["data", "seed=-1"], "seed=-1"),
    (["data", "cohort=phantoms"], "phantoms"),
    (["data", "cohort=nowhere.json"], "nowhere.json"),
    (["data", "split=exam"], "exam"),
    (["data", "cohort=phantom-1", "split=validation"], "no patient in split=validation"),
    (["data", "cohort=phantom-1", "device=artis"], "unknown device 'artis'"),
    (["data", "cohort=phantom-1", "renderer=numpy"], "'numpy' is unknown"),
    (["data", "cohort=phantom-1", "out=/proc/x"], "/proc/x"),
    (["train", "step=10"], "did you mean 'steps'?"),
    (["train", "steps=many"], "steps"),
    (["train", "rate=0"], "rate=0.0"),
    (["train", "data=nowhere"], "nowhere is no data set"),
    (["train", "net=resnet"], "network 'resnet' is unknown"),
    (["train", "start=nowhere.safetensors"], "nowhere.safetensors"),
    (["eval", "weight=x"], "did you mean 'weights'?"),
    (["eval", "weights=nowhere.safetensors"], "nowhere.safetensors"),
    (["eval", "weights=/dev/null"], "/dev/null"),
]


@pytest.mark.parametrize(("argv", "words"), BAD)
def test_bad_input(argv, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["perception", *argv]) == 2
    assert_one_line(capsys, words)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_else_stays_as_it_is(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("x")
    assert main(["perception", "data", "cohort=phantom-1", f"out={tmp_path}"]) == 2
    assert_one_line(capsys, "holds other files")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["train", "--help"]])
def test_help_names_every_command(argv, capsys):
    assert main(["perception", *argv]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {name} " in printed for name in ("data", "train", "eval"))
