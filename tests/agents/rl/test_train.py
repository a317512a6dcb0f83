"""Training: it learns, goes on where it was, and refuses what it cannot do."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from agents.rl.learned import Learned
from agents.rl.nets import load_policy
from agents.rl.progress import CARD, POLICY, PROGRESS, STATE
from agents.rl.train import TrainConfig, train
from carm_env.errors import CarmError


def config(cohort, out, **how):
    small = {"steps": 128, "lanes": 4, "evaluate_every": 64, "episodes": 2, "cohort": cohort, "out": str(out)}
    return TrainConfig(**{**small, **how})


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def trained(cohort, tmp_path_factory):
    out = tmp_path_factory.mktemp("train")
    return config(cohort, out), train(config(cohort, out), "carm train", quiet), out


def test_a_training_leaves_policy_card_progress_and_logs(trained):
    _, card, out = trained
    progress = json.loads((out / PROGRESS).read_text())
    assert [e["decisions_done"] for e in progress["evaluations"]][-1] >= 128
    assert card["validation"]["reward"] == max(e["reward"] for e in progress["evaluations"])
    assert card["command"] == "carm train"
    assert list((out / "tensorboard").glob("events*"))
    assert Learned(str(out / POLICY)).record["course"]["agent"] == "ppo"


def test_a_finished_training_is_not_done_again(trained):
    same, card, out = trained
    before = (out / PROGRESS).read_bytes()
    assert train(same, "carm train", quiet) == card
    assert (out / PROGRESS).read_bytes() == before


def test_more_decisions_go_on_from_the_state(cohort, tmp_path):
    train(config(cohort, tmp_path), "carm train", quiet)
    told = []
    train(config(cohort, tmp_path, steps=192), "carm train", lambda done, said: told.append(done))
    assert told[0] > 128
    rows = json.loads((tmp_path / PROGRESS).read_text())["evaluations"]
    assert rows[-1]["decisions_done"] >= 192
    assert np.all(np.diff([row["wall_s"] for row in rows]) > 0)


def test_a_training_begins_from_another_ones_policy(trained, cohort, tmp_path):
    _, _, out = trained
    card = train(config(cohort, tmp_path, start=str(out / POLICY), rate=1e-9), "carm train", quiet)
    assert card["course"]["start"] == str(out / POLICY)
    want, found = (load_policy(folder / POLICY)[0].state_dict() for folder in (out, tmp_path))
    assert all(np.allclose(want[name], found[name], atol=1e-5) for name in want)


@pytest.mark.parametrize("how", [{"agent": "sac"}, {"observation": "image", "image_pixels": 40}, {"start": "none"}])
def test_a_policy_of_another_shape_starts_nothing(trained, cohort, tmp_path, how):
    with pytest.raises(CarmError, match=r"cannot start|No such file"):
        train(config(cohort, tmp_path, **{"start": str(trained[2] / POLICY), **how}), "carm train", quiet)


def test_another_training_in_the_same_folder_is_refused(trained):
    same, _, out = trained
    with pytest.raises(CarmError, match="seed differ"):
        train(config(same.cohort, out, seed=5), "carm train", quiet)


def test_a_state_that_was_swapped_is_not_read(cohort, tmp_path):
    train(config(cohort, tmp_path), "carm train", quiet)
    (tmp_path / STATE).write_bytes(b"PK something else")
    with pytest.raises(CarmError, match="not the state"):
        train(config(cohort, tmp_path, steps=256), "carm train", quiet)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"course": 1, "state": 2, "evaluations": 3}'])
def test_damaged_progress_is_refused(cohort, tmp_path, content):
    (tmp_path / PROGRESS).write_text(content)
    with pytest.raises(CarmError, match="damaged"):
        train(config(cohort, tmp_path), "carm train", quiet)


def test_a_diverging_training_stops_and_keeps_the_best(cohort, tmp_path, monkeypatch):
    train(config(cohort, tmp_path), "carm train", quiet)
    kept = (tmp_path / POLICY).read_bytes()

    def spoil(watch):
        with torch.no_grad():
            watch.model.policy.action_net.bias.fill_(float("nan"))
        return True

    monkeypatch.setattr("agents.rl.watch.Watch._on_step", spoil)
    with pytest.raises(CarmError, match="diverged"):
        train(config(cohort, tmp_path, steps=256), "carm train", quiet)
    assert (tmp_path / POLICY).read_bytes() == kept


def test_sac_learns_from_images(cohort, tmp_path):
    seen = config(
        cohort, tmp_path, agent="sac", observation="image", image_pixels=40, lanes=2, steps=12, evaluate_every=12,
        episodes=1,
    )  # fmt: skip
    card = train(seen, "carm train", quiet)
    assert card["validation"]["episodes"] == 1
    assert Learned(str(tmp_path / POLICY)).wants_image


@pytest.mark.parametrize(
    ("name", "value"),
    [("agent", "dqn"), ("observation", "radar"), ("task", "x"), ("steps", 0), ("lanes", -1), ("rate", 0.0)],
)
def test_settings_out_of_range_are_told(name, value):
    with pytest.raises(CarmError, match=name):
        TrainConfig(**{name: value})


def test_a_killed_training_goes_on(cohort, tmp_path):
    words = ["steps=2000000", "lanes=4", "evaluate_every=64", "episodes=1", f"cohort={cohort}", f"out={tmp_path}"]
    command = [sys.executable, "-m", "carm_env.cli.main", "train", *words]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / PROGRESS).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = json.loads((tmp_path / PROGRESS).read_text())["evaluations"][-1]["decisions_done"]
    assert (tmp_path / CARD).exists()
    again = config(cohort, tmp_path, steps=done + 64, episodes=1)
    train(again, "carm train", quiet)
    assert json.loads((tmp_path / PROGRESS).read_text())["evaluations"][-1]["decisions_done"] > done
