"""A data set on disk: what is refused, in one line."""

from __future__ import annotations

import json
from shutil import copytree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carm_env.errors import CarmError
from perception.data.shoot import known_as
from perception.data.store import INFO, add, begin, is_done, read_info, read_views, stem_of
from perception.data.views import DRIVE, LANDMARK, ViewCounts
from tests.perception.conftest import FEW


def refusal(call, *args):
    with pytest.raises(CarmError) as told:
        call(*args)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.fixture
def set_(dataset, tmp_path):
    """A copy of the data set that may be spoilt."""
    return copytree(dataset, tmp_path / "set")


def anna(folder, suffix):
    return folder / f"anna.nii.gz{suffix}"


def rewritten(folder, **columns):
    path = anna(folder, ".parquet")
    rows = pq.read_table(path)
    for name, values in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values(rows.num_rows)))
    pq.write_table(rows, path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("phantom:17", "phantom:17"),
        ("/home/dr-secret/scans/ct.nii.gz", "ct.nii.gz"),
        ("/home/dr-secret/series/", "series"),
        ("warp:3:/home/dr-secret/ct.nii.gz", "warp:3:ct.nii.gz"),
        ("warp:3:/home/a:b/ct.nii.gz", "warp:3:ct.nii.gz"),
    ],
)
def test_no_folder_of_a_ct_is_told(name, told):
    assert known_as(name) == told
    assert "secret" not in stem_of(name)


def test_warps_of_one_ct_have_files_of_their_own():
    assert len({stem_of(f"warp:{i}:/home/ct.nii.gz") for i in range(5)}) == 5


def test_the_cohorts_folder_is_not_told(tmp_path):
    for i, cohort in enumerate(("warp-3:/dr-secret/ct.nii.gz", "/dr-secret/three.json", "phantom-9")):
        begin(tmp_path / str(i), cohort, FEW)
        assert read_info(tmp_path / str(i))["cohort"] == cohort.replace("/dr-secret/", "")


def test_what_was_added_is_read_again(shot, tmp_path):
    images, rows = shot
    begin(tmp_path, "phantom-1", FEW)
    assert not is_done(tmp_path, "phantom:0")
    add(tmp_path, "phantom:0", images, rows)
    assert is_done(tmp_path, "phantom:0")
    views = read_views(tmp_path, "train")
    assert all((views.image(i) == images[i]).all() for i in range(len(images)))
    assert views.columns["landmarks_mm"] == pytest.approx(np.array(rows["landmarks_mm"].to_pylist()), nan_ok=True)
    assert views.columns["visible"].tolist() == rows["visible"].to_pylist()


def test_views_can_be_chosen_by_kind_and_number_of_patients(dataset):
    everything = read_views(dataset, "all")
    drive = read_views(dataset, "all", (DRIVE,))
    assert len(drive) == (everything.columns["kind"] == DRIVE).sum()
    assert len(drive) + len(read_views(dataset, "all", (LANDMARK,))) == len(everything)
    rows = np.flatnonzero(everything.columns["kind"] == DRIVE)
    assert all((drive.image(i) == everything.image(row)).all() for i, row in enumerate(rows))
    assert len(set(read_views(dataset, "all", patients=2).columns["patient"])) == 2


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (FEW.__class__(ViewCounts(0.0, 1, 21), pixels=32), "counts="),
        (FEW.__class__(FEW.counts, pixels=40), "pixels=32"),
        (FEW.__class__(FEW.counts, pixels=32, seed=1), "seed=0"),
    ],
)
def test_other_settings_are_refused(other, words, tmp_path):
    begin(tmp_path, "phantom-3", FEW)
    begin(tmp_path, "phantom-3", FEW)
    assert words in refusal(begin, tmp_path, "phantom-3", other)
    assert "cohort=" in refusal(begin, tmp_path, "phantom-4", FEW)


def test_a_foreign_folder_is_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    assert "other files" in refusal(begin, tmp_path, "phantom-3", FEW)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_in_which_a_killed_process_left_only_a_part_is_gone_on_with(tmp_path):
    (tmp_path / ".dataset.123.part.json").write_text("{")
    begin(tmp_path, "phantom-3", FEW)
    assert read_info(tmp_path)["pixels"] == 32


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"schema": 2}', "\x00", "[" * 100_000])
def test_another_schema_is_refused(text, set_):
    (set_ / INFO).write_text(text)
    assert INFO in refusal(read_views, set_, "train")
    assert INFO in refusal(begin, set_, "phantom-3", FEW)


def test_a_folder_without_data_set_is_refused(tmp_path):
    assert "no data set" in refusal(read_views, tmp_path, "train")
    assert "no data set" in refusal(read_views, tmp_path / "nowhere", "train")
    begin(tmp_path, "phantom-3", FEW)
    assert "no views with split=train" in refusal(read_views, tmp_path, "train")


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
@pytest.mark.parametrize("share", [0.0, 1e-3, 0.02, 0.5, 0.999])
def test_truncated_files_are_refused(suffix, share, set_):
    path = anna(set_, suffix)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "anna" in refusal(read_views, set_, "train")


@pytest.mark.parametrize("what", ["gone", "zip", "pickle", "floats", "fewer", "flat"])
def test_images_that_are_something_else_are_refused(what, set_):
    path = anna(set_, ".npy")
    images = np.load(path)
    path.unlink()
    with path.open("wb") as file:
        if what == "zip":
            np.savez(file, images)
        elif what == "pickle":
            np.save(file, np.array([{}, images], object), allow_pickle=True)
        else:
            np.save(file, {"floats": images.astype(float), "fewer": images[1:]}.get(what, images[0]))
    if what == "gone":
        path.unlink()
    assert "anna" in refusal(read_views, set_, "train")


def test_a_patient_in_two_splits_is_refused(set_):
    rewritten(set_, patient=lambda n: ["bert.nii.gz"] * n)
    assert "'train'" in refusal(read_views, set_, "all")


@pytest.mark.parametrize(
    "columns",
    [
        {"patient": lambda n: ["anna"] * (n - 1) + ["carl"]},
        {"split": lambda n: ["train"] * (n - 1) + ["test"]},
        {"split": lambda n: ["exam"] * n},
        {"plane": lambda n: ["B"] * n},
    ],
)
def test_rows_that_mix_or_mean_something_else_are_refused(columns, set_):
    rewritten(set_, **columns)
    assert ".nii.gz.parquet" in refusal(read_views, set_, "all")


def test_rows_of_other_columns_are_refused(set_):
    path = anna(set_, ".parquet")
    pq.write_table(pq.read_table(path).drop_columns(["pitch_mm"]), path)
    assert "other columns" in refusal(read_views, set_, "train")


def test_what_is_being_written_is_not_read(set_):
    (set_ / ".dora.77.part.nii.gz.parquet").write_bytes(b"PAR1 half")
    assert len(set(read_views(set_, "all").columns["patient"])) == 3


def test_an_info_of_any_length_is_not_read(set_):
    (set_ / INFO).write_text(json.dumps({"schema": 1, "x": "y" * 2**21}))
    assert "too long" in refusal(read_info, set_)
