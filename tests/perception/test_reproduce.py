"""The seed paper's comparisons: what they start from, and that a run goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from carm_env.errors import CarmError
from perception import reproduce as module
from perception.reproduce import PRESETS, Preset, ReproduceConfig, centred, reproduce, runs
from perception.train.seed_tasks import SeedRun, adopt, start_net
from perception.weights import load_net, save_net

SMALL = Preset("", 60.0, 4, 10.0, 32, 1, 1, 1)


def test_every_run_comes_after_the_one_that_it_starts_from():
    for preset in PRESETS.values():
        done = []
        for name, spec in runs(preset, 0).items():
            assert spec.start is None or str(spec.start) in done
            done.append(name)


def test_the_pretexts_weights_are_taken_over_but_for_the_last_layer(tmp_path):
    place = start_net(SeedRun("posenet", "place", 1, seed=1))
    save_net(tmp_path / "place.safetensors", place, {})
    classify = start_net(SeedRun("posenet", "classify", 1, seed=2, start=tmp_path / "place.safetensors"))
    mine, theirs = classify.state_dict(), place.state_dict()
    assert {n for n in mine if not torch.equal(mine[n], theirs[n])} == {"head.6.weight", "head.6.bias"}


def test_weights_of_another_network_are_not_taken_over(tmp_path):
    save_net(tmp_path / "a.safetensors", start_net(SeedRun("posenet", "place", 1)), {})
    with pytest.raises(CarmError, match="belong to network 'posenet'; want 'resnet34'"):
        adopt(start_net(SeedRun("resnet34", "classify", 1)), tmp_path / "a.safetensors")


def test_an_unknown_preset_is_refused(tmp_path):
    with pytest.raises(CarmError, match="preset='slow' is unknown; presets: quick, tiny"):
        reproduce(ReproduceConfig(preset="slow", out=str(tmp_path)), print)


def test_a_view_is_centred_if_its_own_landmark_is_within_the_jitter_across_the_beam():
    points = np.zeros((4, 21, 3), np.float32)
    points[:, 5] = [[10, -10, 300], [10.5, 0, 0], [0, -11, 0], [0, 0, 0]]
    points[3, 6] = [50, 0, 0]
    assert centred(points, np.array([5, 5, 5, 6]), 10.0).tolist() == [True, False, False, False]
    assert centred(points, np.array([4, 4, 4, 4]), 10.0).all()


@pytest.mark.slow
def test_a_run_writes_a_row_a_comparison_and_goes_on_where_it_was(here, cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(module.PRESETS, "tiny", Preset(str(cohort), *list(vars(SMALL).values())[1:]))
    config = ReproduceConfig(preset="tiny", out=str(tmp_path / "out"), workers=1)
    first = reproduce(config, lambda what: None)
    assert set(first["rows"]) == set(runs(SMALL, 0))
    assert json.loads((tmp_path / "out" / "reproduce.json").read_text()) == json.loads(json.dumps(first))
    dependent = [name for name, row in first["rows"].items() if row["batch_dependent"]]
    assert dependent == ["place-paper", "classify-paper-pretext"]
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("weights.safetensors")}
    (tmp_path / "out" / "probe2-tokens-random" / "weights.safetensors").unlink()
    second = reproduce(config, lambda what: None)
    assert second["rows"] == first["rows"]
    changed = [f.parent.name for f, when in kept.items() if f.stat().st_mtime_ns != when]
    assert changed == ["probe2-tokens-random"]
    assert load_net(tmp_path / "out" / "place-paper" / "weights.safetensors")[0].batch_dependent
