"""The cache of generated patients: made once, shared, bounded, and never trusted when damaged."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient import cache
from carm_env.patient.model import Demographics, Patient, Volume


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CARM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    def __init__(self, value: int = 7, megabytes: int = 1) -> None:
        self.value, self.calls, self.megabytes = value, 0, megabytes

    def __call__(self) -> Patient:
        self.calls += 1
        hu = np.full((64, 128, 64 * self.megabytes), self.value, np.int16)
        labels = np.ones(hu.shape, np.uint8)
        points = {"T1": np.array([1.0, 2.0, 0.1 + 0.2])}
        who = Demographics("F", 61.0, 163.2, None)
        return Patient(
            f"p-{self.value}", Volume(hu, np.diag([2.0, 2.0, 2.0, 1.0])), points, {}, who, {"arms": "raised"}, labels
        )


def entries(folder) -> list:
    return [p for p in folder.iterdir() if p.is_dir()]


def test_a_patient_is_made_once_and_read_back_exactly(folder) -> None:
    maker = Maker()
    first, second = cache.cached("a", maker), cache.cached("a", maker)
    assert maker.calls == 1
    made = Maker()()
    for patient in (first, second):
        np.testing.assert_array_equal(patient.volume.hu, made.volume.hu)
        np.testing.assert_array_equal(patient.labels, made.labels)
        np.testing.assert_array_equal(patient.landmarks["T1"], made.landmarks["T1"])
        assert (patient.id, patient.demographics, patient.meta) == (made.id, made.demographics, made.meta)
        assert isinstance(patient.volume.hu, np.memmap)
        assert not patient.volume.hu.flags.writeable


def test_recipes_and_code_decide_the_key(folder, monkeypatch) -> None:
    cache.cached("a", Maker(1))
    assert cache.cached("b", Maker(2)).id == "p-2"
    monkeypatch.setattr(cache, "_fingerprint", lambda code: "changed")
    assert cache.cached("a", Maker(3)).id == "p-3"


@pytest.mark.parametrize("damage", ["truncate", "flip", "record", "gone", "pickle"])
def test_a_damaged_entry_is_made_again(folder, damage) -> None:
    cache.cached("a", Maker())
    (entry,) = entries(folder)
    voxels, record = entry / "hu.npy", entry / "record.json"
    if damage == "truncate":
        voxels.write_bytes(voxels.read_bytes()[:5000])
    elif damage == "flip":
        data = bytearray(voxels.read_bytes())
        data[-100] ^= 1
        voxels.write_bytes(data)
    elif damage == "record":
        record.write_text('{"id": 3')
    elif damage == "gone":
        (entry / "labels.npy").unlink()
    else:
        np.save(voxels, np.array([{}], object), allow_pickle=True)
    maker = Maker()
    assert cache.cached("a", maker).volume.hu[0, 0, 0] == 7
    assert maker.calls == 1
    cache.cached("a", maker)
    assert maker.calls == 1


def test_what_was_used_longest_ago_goes_first(folder, monkeypatch) -> None:
    import os

    monkeypatch.setenv("CARM_CACHE_GB", str(4.0 / 1024))
    for i, recipe in enumerate("ab"):
        cache.cached(recipe, Maker(i))
        for entry in entries(folder):
            os.utime(entry, ns=(entry.stat().st_atime_ns, entry.stat().st_mtime_ns - 10**10))
    held = cache.cached("a", Maker(0))
    cache.cached("c", Maker(2))
    kept, lost = Maker(0), Maker(1)
    cache.cached("a", kept)
    cache.cached("b", lost)
    assert (kept.calls, lost.calls) == (0, 1)
    assert sum(f.stat().st_size for e in entries(folder) for f in e.iterdir()) <= 4 * 2**20
    assert held.volume.hu.sum() == 0


def test_a_patient_larger_than_the_cache_still_works(folder, monkeypatch) -> None:
    monkeypatch.setenv("CARM_CACHE_GB", "0.0001")
    assert cache.cached("a", Maker()).volume.hu[1, 1, 1] == 7


def test_nothing_is_kept_at_zero_or_where_it_cannot_be_written(folder, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CARM_CACHE_GB", "0")
    assert cache.cached("a", Maker()).id == "p-7"
    assert not folder.exists()
    monkeypatch.delenv("CARM_CACHE_GB")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CARM_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert cache.cached("a", Maker()).id == "p-7"


@pytest.mark.parametrize("size", ["ten", "-1", "nan", "inf", "1e9"])
def test_a_bad_size_gets_one_line(monkeypatch, size) -> None:
    monkeypatch.setenv("CARM_CACHE_GB", size)
    with pytest.raises(CarmError, match="CARM_CACHE_GB"):
        cache.cached("a", Maker())


def test_an_error_while_making_leaves_nothing(folder) -> None:
    def fail() -> Patient:
        raise CarmError("no")

    with pytest.raises(CarmError, match="no"):
        cache.cached("a", fail)
    assert entries(folder) == []
