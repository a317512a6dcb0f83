"""Training, calibration and measurement in one go: weights, card and figures."""

from __future__ import annotations

import json

import pytest

from carm_env.errors import CarmError
from carm_env.tensor_file import digest
from perception.network import NetworkLocaliser, card
from perception.train.localiser import TrainConfig, evaluate, train_localiser
from tests.sim.localisers.frames import make


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("localizer")
    config = TrainConfig(data=str(dataset), out=str(out), steps=2, batch=8)
    return train_localiser(config, "carm perception train steps=2"), out / "localizer-small.safetensors"


def no_nan(constant):
    raise AssertionError(f"{constant} in JSON")


def test_the_card_says_what_the_weights_are(trained):
    told, weights = trained
    assert card(weights) == told
    json.loads(weights.with_suffix(".json").read_text(), parse_constant=no_nan)
    assert told["blake2b"] == digest(weights)
    assert told["command"] == "carm perception train steps=2"
    assert told["data"]["patients"] == 1 and told["data"]["pixels"] == 32
    assert told["test"]["patients"] == 1
    assert "secret" not in json.dumps(told)


def test_the_weights_drive(trained):
    estimate = NetworkLocaliser(str(trained[1])).estimate(*make([[0.0, -150.0, -500.0]] * 2))
    assert len(estimate.valid) == 2


def test_evaluation_of_the_test_split_is_what_the_card_says(trained, dataset):
    told, weights = trained
    figures = evaluate(weights, dataset, "test")
    for name in ("views", "patients"):
        assert figures["all"][name] == told["test"][name]
    for name in ("in_field", "outside"):
        mine, theirs = (f["target"][name] for f in (figures["all"], told["test"]))
        assert mine["views"] == theirs["views"]
        assert mine["median_mm"] == pytest.approx(theirs["median_mm"], rel=0.01)
    assert list(figures["patients"]) == ["carl.nii.gz"]
    json.loads(json.dumps(figures), parse_constant=no_nan)


def test_the_same_call_again_does_no_step(trained, dataset):
    told, weights = trained
    before, steps = weights.read_bytes(), []
    config = TrainConfig(data=str(dataset), out=str(weights.parent), steps=2, batch=8)
    again = train_localiser(config, "carm perception train steps=2", lambda *a: steps.append(a))
    assert steps == [] and again == told
    assert weights.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "steps=0"), ({"batch": 0}, "batch=0"), ({"rate": 0.0}, "rate=0.0"),
        ({"threads": 0}, "threads=0"), ({"rate": float("nan")}, "rate=nan"), ({"seed": -1}, "seed=-1"),
        ({"net": "resnet"}, "'resnet'"), ({"net": "posenet"}, "posenet"), ({"data": "nowhere"}, "nowhere"),
        ({"start": "nowhere.safetensors"}, "nowhere"), ({"batch": 1000}, "too few"), ({"patients": 0}, "split=train"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_and_leave_nothing(change, words, dataset, tmp_path):
    config = TrainConfig(**{"data": str(dataset), "out": str(tmp_path / "out"), "steps": 2, "batch": 8, **change})
    with pytest.raises(CarmError, match=words):
        train_localiser(config, "x")
    assert not (tmp_path / "out").exists()


def test_a_split_that_is_missing_is_told_before_any_step(dataset, tmp_path):
    from shutil import copytree

    data = copytree(dataset, tmp_path / "set")
    (data / "bert.nii.gz.parquet").unlink()
    steps = []

    def count(done, terms):
        steps.append(done)

    with pytest.raises(CarmError, match="split=validation"):
        train_localiser(TrainConfig(data=str(data), out=str(tmp_path / "out"), steps=2, batch=8), "x", count)
    assert steps == []
    assert not (tmp_path / "out").exists()
