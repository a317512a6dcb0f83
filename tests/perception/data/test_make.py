"""Data sets of cohorts: interrupted, killed and given again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pyarrow.parquet as pq
import pytest

from carm_env import workers
from carm_env.errors import CarmError
from carm_env.whole import PARTS
from perception.data import store
from perception.data.make import DataConfig, make_dataset
from perception.data.store import read_views
from tests.perception.conftest import SPLIT


def config(cohort, out, **other):
    return DataConfig(str(cohort), str(out), **{"landmark_views": 2, "drive_views": 80, "pixels": 32, **other})


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def done(folder):
    return list(folder.glob("[!.]*.parquet"))


def test_a_views_split_is_its_patients_in_the_cohort(dataset):
    for name, split in SPLIT.items():
        assert set(read_views(dataset, split).columns["patient"]) == {f"{name}.nii.gz"}


def test_no_folder_of_a_ct_is_told_in_any_file(dataset):
    assert all(b"secret" not in data for data in content(dataset).values())
    assert pq.read_table(dataset / "anna.nii.gz.parquet")["patient"][0].as_py() == "anna.nii.gz"


def test_one_split_alone_is_the_same_as_in_all(cohort, dataset, tmp_path, here):
    assert [done.patient.rsplit("/")[-1] for done in make_dataset(config(cohort, tmp_path, split="test"))] == [
        "carl.nii.gz"
    ]
    assert content(tmp_path).items() <= content(dataset).items()
    assert len(content(tmp_path)) == 3


def test_interrupted_and_given_again_is_as_if_uninterrupted(cohort, dataset, tmp_path, here, monkeypatch):
    written = pq.write_table

    def stops(rows, path, **how):
        path.write_bytes(b"PAR1 half")
        if done(tmp_path):
            raise KeyboardInterrupt
        written(rows, path, **how)

    monkeypatch.setattr(pq, "write_table", stops)
    with pytest.raises(KeyboardInterrupt):
        list(make_dataset(config(cohort, tmp_path)))
    assert not list(tmp_path.glob(PARTS))
    assert len(done(tmp_path)) == 1
    monkeypatch.setattr(pq, "write_table", written)
    assert len(list(make_dataset(config(cohort, tmp_path)))) == 2
    assert content(tmp_path) == content(dataset)


def test_what_a_killed_process_left_is_cleared(cohort, dataset, tmp_path, here):
    for name, data in content(dataset).items():
        if name != "bert.nii.gz.parquet":
            (tmp_path / name).write_bytes(data)
    (tmp_path / "bert.nii.gz.npy").write_bytes(b"old")
    (tmp_path / ".bert.77.part.nii.gz.parquet").write_bytes(b"PAR1 half")
    list(make_dataset(config(cohort, tmp_path)))
    assert content(tmp_path) == content(dataset)


@pytest.mark.slow
def test_killed_and_given_again_is_as_if_uninterrupted(cohort, dataset, tmp_path):
    words = ["data", f"cohort={cohort}", f"out={tmp_path}", "landmark_views=2", "drive_views=80", "pixels=32"]
    command = [sys.executable, "-m", "carm_env.cli.main", "perception", *words, "workers=1"]
    killed = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob("*.npy")) and killed.poll() is None:
        time.sleep(0.002)
    with suppress(ProcessLookupError):
        os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(done(tmp_path)) < 3
    subprocess.run(command, check=True, capture_output=True)
    assert content(tmp_path) == content(dataset)


def test_a_patient_that_cannot_be_viewed_is_left_out_by_name(cohort, tmp_path, here):
    cohort = cohort.with_name("four.json")
    cohort.write_text('{"schema": 1, "patients": [{"name": "anna.nii.gz"}, {"name": "gone.nii.gz"}]}')
    trouble = [done.trouble for done in make_dataset(config(cohort, tmp_path, drive_views=1))]
    assert len([t for t in trouble if "gone.nii.gz" in t]) == 1
    assert "anna.nii.gz.parquet" in content(tmp_path)
    assert not [name for name in content(tmp_path) if "gone" in name]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"workers": 0}, "workers=0"), ({"device": "artis"}, "artis"), ({"renderer": "numpy"}, "numpy"),
        ({"pixels": 8}, "8"), ({"pixels": 100}, "pixels=100"), ({"seed": -1}, "seed=-1"), ({"split": "exam"}, "exam"),
        ({"cohort": "phantoms"}, "phantoms"), ({"landmark_views": -1}, "landmark_views=-1"),
        ({"grid_mm": 1.0}, "grid_mm=1.0"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_and_leave_nothing(other, words, cohort, tmp_path, here):
    bad = config(cohort, tmp_path / "out", **other) if "cohort" not in other else config(other["cohort"], tmp_path)
    with pytest.raises(CarmError, match=words):
        list(make_dataset(bad))
    assert not list(tmp_path.iterdir())


def test_two_cts_of_one_file_name_are_refused(cohort, tmp_path, here):
    (cohort.parent / "b").mkdir(exist_ok=True)
    cohort = cohort.with_name("twins.json")
    cohort.write_text('{"schema": 1, "patients": [{"name": "anna.nii.gz"}, {"name": "b/anna.nii.gz"}]}')
    with pytest.raises(CarmError, match="one file name"):
        list(make_dataset(config(cohort, tmp_path / "out")))


def test_a_worker_that_was_killed_is_told(cohort, tmp_path, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    from tests.perception.conftest import Here

    class Broken(Here):
        def submit(self, call, *args):
            return super().submit(self.dies)

        def dies(self):
            raise BrokenProcessPool

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Broken)
    with pytest.raises(CarmError, match="killed"):
        list(make_dataset(config(cohort, tmp_path)))
    assert store.read_info(tmp_path)["pixels"] == 32
