"""Weights on disk: what was written comes back, and whatever else is refused without being run."""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from carm_env.errors import CarmError
from carm_env.tensor_file import digest
from perception.nets.localizer import LocalizerSmall
from perception.nets.registry import NETS, make_net
from perception.weights import load, load_net, save, save_net

TINY = {"widths": [4, 4, 8, 8], "heat": 4}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.safetensors"


@pytest.fixture
def good(path):
    save_net(path, make_net("localizer-small", **TINY), {"calibration": {}})
    return path


def refusal(call, *args, **how):
    with pytest.raises(CarmError) as told:
        call(*args, **how)
    assert "\n" not in str(told.value)
    return str(told.value)


def record(path, **changes):
    """Rewrites the record of a file."""
    tensors, found = load(path)
    save(path, tensors, {**found, **changes})


class Bomb:
    """What a pickle could do."""

    def __reduce__(self):
        return Path.touch, (Path(self.where),)

    def __init__(self, where):
        self.where = str(where)


def test_a_network_comes_back_in_evaluation_mode(path):
    net = make_net("localizer-small", **TINY)
    save_net(path, net, {"note": [1, "two"]})
    again, found = load_net(path, want="localizer-small")
    assert not again.training
    assert found["note"] == [1, "two"]
    assert all(torch.equal(a, again.state_dict()[n]) for n, a in net.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64, torch.bool])
def test_tensors_come_back_bit_by_bit(path, dtype):
    tensors = {"a": torch.arange(12).reshape(3, 4).to(dtype), "t": torch.arange(12).reshape(3, 4).to(dtype).T}
    save(path, tensors, {"step": 3})
    found, told = load(path)
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == dtype for name in tensors)
    assert told["step"] == 3


@pytest.mark.parametrize("length", range(0, 264, 8))
def test_a_header_of_any_length_is_no_pickle(path, length):
    """A header whose length is 128 modulo 256 begins as a pickle does."""
    save(path, {"a": torch.zeros(2)}, {"pad": "x" * length})
    assert load(path)[1]["pad"] == "x" * length


def test_two_writes_give_the_same_bytes(good, tmp_path):
    tensors, found = load(good)
    save(tmp_path / "again.safetensors", tensors, found)
    assert digest(good) == digest(tmp_path / "again.safetensors")
    assert re.fullmatch("[0-9a-f]{32}", digest(good))


def test_an_interrupted_write_leaves_the_old_file(good, monkeypatch):
    import safetensors.numpy

    before = good.read_bytes()
    monkeypatch.setattr(safetensors.numpy, "save_file", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(good, {"a": torch.zeros(2)}, {})
    assert good.read_bytes() == before
    assert list(good.parent.iterdir()) == [good]


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_are_refused_and_not_run(path, tmp_path, protocol):
    path.write_bytes(pickle.dumps({"net": Bomb(tmp_path / "ran")}, protocol))
    assert "safetensors" in refusal(load, path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_are_refused_and_not_run(path, tmp_path, zipped):
    torch.save({"net": Bomb(tmp_path / "ran")}, path, _use_new_zipfile_serialization=zipped)
    assert "pickle" in refusal(load_net, path)
    assert not (tmp_path / "ran").exists()


def test_a_zip_is_refused(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("w.safetensors", "x")
    assert "zip" in refusal(load, path)


@pytest.mark.parametrize("share", [0.0, 1e-5, 1e-4, 0.05, 0.3, 0.9, 0.9999])
def test_truncated_files_are_refused(good, share):
    data = good.read_bytes()
    good.write_bytes(data[: int(share * len(data))])
    assert "w.safetensors" in refusal(load_net, good)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: len(b).to_bytes(8, "little") + b"{" + b))
def test_random_bytes_are_refused(path, data):
    path.write_bytes(data)
    refusal(load, path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_header_is_refused_or_means_the_same_tensors(path, data):
    save(path, {"a": torch.arange(6.0)}, {"net": "localizer-small"})
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 25))
    raw[at] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        tensors, _ = load(path)
    except CarmError:
        return
    assert sum(t.numel() for t in tensors.values()) <= 24


@pytest.mark.parametrize("length", [0, 1, 2**22 + 8, 2**31, 2**63, 2**64 - 1])
def test_a_header_that_lies_about_its_length_is_refused(good, length):
    raw = bytearray(good.read_bytes())
    raw[:8] = length.to_bytes(8, "little")
    good.write_bytes(raw)
    refusal(load, good)


def test_what_is_no_file_is_refused(tmp_path):
    assert "nowhere" in refusal(load, tmp_path / "nowhere")
    assert str(tmp_path) in refusal(load, tmp_path)
    refusal(load, Path("a\0b"))


@pytest.mark.parametrize("text", [None, "null", "[]", "{", '"x"', '{"schema": 2}', "[" * 100_000])
def test_safetensors_without_our_record_are_refused(path, text):
    save_file({"a": torch.zeros(2)}, path, metadata=None if text is None else {"carm": text})
    refusal(load, path)


def test_another_architecture_is_refused(good, path):
    assert "want 'posenet'" in refusal(load_net, good, want="posenet")
    for name in ("no-such", None, 7, ["localizer-small"], "os:system", "torch.nn:Linear"):
        record(good, net=name)
        assert "unknown" in refusal(load_net, good)


@pytest.mark.parametrize(
    "bad",
    [
        [1], "x", 7, {"name": "posenet"}, {"widths": 5}, {"widths": [4, 4, 8]}, {"widths": ["a"] * 4, "heat": 4},
        {"heat": -1}, {"heat": "__import__('os')"}, {"heat": 10**30}, {"widths": [10**6] * 4, "heat": 10**6},
        {"widths": [2**40] * 4}, {"heat": None}, {"_target_": "os.system"}, {"heat": 1.5}, {"widths": None},
        {"heat": 0}, {"widths": [4, 4, 8, 8], "heat": 5}, {}, {"widths": {"a": 1, "b": 2, "c": 3, "d": 4}},
    ],
)  # fmt: skip
def test_hostile_settings_are_refused(good, bad):
    record(good, settings=bad)
    assert "localizer-small" in refusal(load_net, good)


@pytest.mark.parametrize("change", ["missing", "more", "shape", "flat", "none", "nan"])
def test_tensors_that_do_not_fit_are_refused(good, change):
    tensors, found = load(good)
    name = "body.0.weight"
    changes = {
        "missing": {k: v for k, v in tensors.items() if k != name},
        "more": {**tensors, "extra": torch.zeros(2)},
        "shape": {**tensors, name: tensors[name][:-1]},
        "flat": {**tensors, name: tensors[name].ravel()},
        "none": {},
        "nan": {**tensors, name: torch.full_like(tensors[name], torch.nan)},
    }
    save(good, changes[change], found)
    said = refusal(load_net, good)
    assert len(said) < 400
    assert change == "nan" or "do not fit localizer-small" in said


@pytest.mark.parametrize("name", sorted(NETS))
def test_every_network_comes_back_from_its_record(name, path):
    torch.manual_seed(0)
    net = make_net(name, **({} if name == "localizer-small" else {"outputs": 3})).eval()
    save_net(path, net, {})
    again, _ = load_net(path, want=name)
    pixels, context = torch.randn(2, 2, 128, 128), torch.randn(2, 18)
    with torch.inference_mode():
        a, b = net(pixels, context), again(pixels, context)
    assert torch.equal(*(x[0] if isinstance(x, tuple) else x for x in (a, b)))


@pytest.mark.parametrize(("name", "how"), [("localiser", {}), ("localizer-small", {"depth": 3}), ("", {})])
def test_networks_are_made_by_known_names_and_settings(name, how):
    assert repr(name)[1:-1] in refusal(make_net, name, **how)
    assert isinstance(make_net("localizer-small"), LocalizerSmall)


def test_a_record_is_plain_json(good):
    buffer = io.BytesIO(good.read_bytes())
    header = json.loads(buffer.read(8 + int.from_bytes(buffer.getbuffer()[:8], "little"))[8:])
    assert json.loads(header["__metadata__"]["carm"])["settings"] == TINY
