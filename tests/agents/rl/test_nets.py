"""Decision networks on disk: what was written comes back, whatever else is refused."""

import pickle
from dataclasses import asdict

import numpy as np
import pytest
import torch

from agents.rl.features import NAMES
from agents.rl.nets import DecisionNet, Shape, load_policy, save_policy
from agents.rl.orders import CHOICES
from carm_env.errors import CarmError
from carm_env.tensor_file import load_arrays, save_arrays

PLAIN = Shape("pelvis_to_head", "choices", (8,))
SEEING = Shape("pelvis_to_head", "bins", (8, 4), "relu", 40, 2)
COUNTS = np.array(list(CHOICES.values()))


@pytest.fixture
def good(tmp_path):
    torch.manual_seed(0)
    save_policy(tmp_path / "p.safetensors", DecisionNet(PLAIN), {"course": {"seed": 0}})
    return tmp_path / "p.safetensors"


def changed(path, arrays=None, **record):
    old, told = load_arrays(path)
    save_arrays(path, old if arrays is None else arrays, {**told, **record})


def refusal(path):
    with pytest.raises(CarmError) as told:
        load_policy(path)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize("shape", [PLAIN, SEEING])
def test_a_policy_comes_back_and_decides_the_same(tmp_path, shape):
    net = DecisionNet(shape).eval()
    save_policy(tmp_path / "p.safetensors", net, {})
    again, record = load_policy(tmp_path / "p.safetensors")
    features, image = torch.randn(5, len(NAMES)), torch.randint(0, 256, (5, 2, 40, 40), dtype=torch.uint8)
    with torch.inference_mode():
        first, second = (n.choices(features, image if shape.image_pixels else None) for n in (net, again))
    assert (first == second).all()
    assert ((first >= 0) & (first < COUNTS)).all()
    assert record["shape"] == asdict(shape) | {"hidden": list(shape.hidden)}


def test_another_kind_of_weights_is_refused(good):
    changed(good, policy=None)
    assert "carm train" in refusal(good)


@pytest.mark.parametrize("name", ["features", "choices"])
def test_policies_of_other_features_or_decisions_are_refused(good, name):
    changed(good, **{name: ["something else"]})
    assert name in refusal(good)


@pytest.mark.parametrize(
    "shape",
    [
        None, {}, "x", [1], {**asdict(PLAIN), "hidden": [10**9]}, {**asdict(PLAIN), "hidden": [8] * 9},
        {**asdict(PLAIN), "head": "eval"}, {**asdict(PLAIN), "activation": "os"}, {**asdict(PLAIN), "more": 1},
        {**asdict(PLAIN), "image_pixels": 1e9},
    ],
)  # fmt: skip
def test_hostile_shapes_are_refused(good, shape):
    changed(good, shape=shape)
    assert "shape" in refusal(good)


def test_tensors_that_do_not_fit_or_are_not_finite_are_refused(good):
    arrays, _ = load_arrays(good)
    changed(good, {**arrays, "head.bias": arrays["head.bias"][:-1]})
    assert "head.bias" in refusal(good)
    changed(good, {**arrays, "head.bias": arrays["head.bias"] * np.nan})
    assert "finite" in refusal(good)


@pytest.mark.parametrize("content", [b"", b"x", pickle.dumps({}), b"PK\x03\x04zip", b"\xff" * 100])
def test_what_is_no_safetensors_is_refused(tmp_path, content):
    (tmp_path / "p.safetensors").write_bytes(content)
    refusal(tmp_path / "p.safetensors")


def test_a_truncated_file_is_refused(good):
    good.write_bytes(good.read_bytes()[:-100])
    refusal(good)
