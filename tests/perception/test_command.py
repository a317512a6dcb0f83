"""``carm perception``: data, train and eval, one after the other."""

from __future__ import annotations

import json

from carm_env.cli.main import main
from carm_env.sim.localisers import make_localiser


def test_data_train_and_eval_work_on_each_other(cohort, tmp_path, here, capfd):
    data, out = tmp_path / "views", tmp_path / "net"
    words = ["drive_views=90", "landmark_views=1", "pixels=32", "workers=1"]
    assert main(["perception", "data", f"cohort={cohort}", f"out={data}", *words]) == 0
    assert main(["perception", "train", f"data={data}", f"out={out}", "steps=2", "batch=8"]) == 0
    weights = out / "localizer-small.safetensors"
    figures = tmp_path / "deep" / "figures.json"
    argv = ["perception", "eval", f"weights={weights}", f"data={data}", f"out={figures}"]
    assert main(argv) == 0
    printed = capfd.readouterr().out
    for words in (str(data), str(weights), str(figures), "nearest landmark, micro F1", "target outside"):
        assert words in printed
    told = json.loads(figures.read_text())
    assert told["command"].startswith("carm perception eval weights=")
    assert told["all"]["patients"] == 1
    assert sorted(p.name for p in out.iterdir()) == [
        "localizer-small.json", "localizer-small.safetensors", "state.safetensors",
    ]  # fmt: skip
    errors = tmp_path / "deep" / "errors.json"
    argv = ["perception", "surrogate", f"weights={weights}", f"data={data}", "split=all", f"out={errors}"]
    assert main(argv) == 0
    assert make_localiser("surrogate", errors=str(errors)).table.source["command"].endswith("errors.json")


def test_a_cohort_of_which_nothing_can_be_viewed_is_refused(cohort, tmp_path, here, capsys):
    gone = cohort.with_name("gone.json")
    gone.write_text('{"schema": 1, "patients": [{"name": "nobody.nii.gz"}]}')
    assert main(["perception", "data", f"cohort={gone}", f"out={tmp_path / 'x'}", "pixels=32"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("left out: ") and "nobody.nii.gz" in said[0]
    assert said[-1].startswith("carm: no patient")
