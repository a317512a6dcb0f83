from dataclasses import replace
from datetime import timedelta

import numpy as np
import pydicom
import pytest

from carm_env.episode.dicom import export as module
from carm_env.episode.dicom.checks import MAX_FRAMES
from carm_env.episode.dicom.dose_report import dose_report
from carm_env.episode.dicom.export import export_dicom
from carm_env.episode.dicom.xa import xa_image
from carm_env.episode.recorder import EpisodeRecord, FrameLog
from carm_env.errors import CarmError
from carm_env.patient.model import Demographics, Patient
from tests.episode.dicom.shots import BIPLANE, CIOS, PATIENT, STARTED, STUDY, biplane_drive, images, record_of, shots


def export(folder, irradiations=None, record=None, started=STARTED, patient=PATIENT):
    irradiations = biplane_drive() if irradiations is None else irradiations
    record = record_of(irradiations) if record is None else record
    return export_dicom(folder, record, irradiations, BIPLANE, patient, "a-run", started)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_episode_becomes_a_study_of_a_report_and_the_planes_that_exposed(tmp_path):
    paths = export(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["dose.dcm", "plane_a.dcm", "plane_b.dcm"]
    report, plane_a, plane_b = (pydicom.dcmread(path) for path in paths)
    assert report.StudyInstanceUID == plane_a.StudyInstanceUID == plane_b.StudyInstanceUID
    assert report.PatientID == plane_a.PatientID == plane_b.PatientID == "phantom-7"
    assert plane_a.SeriesInstanceUID == plane_b.SeriesInstanceUID != report.SeriesInstanceUID
    assert len({ds.SOPInstanceUID for ds in (report, plane_a, plane_b)}) == 3
    assert (plane_a.NumberOfFrames, plane_b.NumberOfFrames) == (3, 1)


def test_frames_follow_the_irradiations_whatever_order_they_were_kept_in(tmp_path):
    irradiations = biplane_drive()
    record = record_of(irradiations)
    _, path_a, path_b = export(tmp_path, irradiations, record)
    kept = record.frames.image[::-1]
    np.testing.assert_array_equal(pydicom.dcmread(path_a).pixel_array, kept[:3])
    np.testing.assert_array_equal(pydicom.dcmread(path_b).pixel_array, kept[3])


def test_the_same_episode_gives_the_same_bytes(tmp_path):
    export(tmp_path / "one")
    export(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    export(tmp_path / "later", started=STARTED + timedelta(days=1))
    assert not set(contents(tmp_path / "one").values()) & set(contents(tmp_path / "later").values())


def test_an_earlier_export_is_replaced_and_leaves_no_plane_behind(tmp_path):
    export(tmp_path)
    export(tmp_path, shots((0, -100, -500)))
    assert sorted(contents(tmp_path)) == ["dose.dcm", "plane_a.dcm"]


def test_nothing_appears_where_one_file_fails(tmp_path, monkeypatch):
    def fail_late(ds, path):
        if path.name.startswith(".plane_b"):
            raise OSError(28, "No space left on device")
        ds.save_as(path, enforce_file_format=True)

    monkeypatch.setattr(module, "save", fail_late)
    with pytest.raises(CarmError, match="No space left"):
        export(tmp_path)
    assert contents(tmp_path) == {}


def test_what_the_record_does_not_know_of_the_patient_stays_empty(tmp_path):
    unknown = Patient("ct-0a1b2c", PATIENT.volume, demographics=Demographics())
    ds = pydicom.dcmread(export(tmp_path, patient=unknown)[0])
    assert (ds.PatientSex, ds.PatientAge, ds.PatientSize, ds.PatientWeight) == ("", "", None, None)
    assert ds.PatientBirthDate == ""


def test_an_episode_without_exposures_is_refused(tmp_path):
    nothing = EpisodeRecord({}, FrameLog.empty(), {"seed": 5})
    with pytest.raises(CarmError, match="exposed nothing"):
        export(tmp_path / "out", biplane_drive()[:0], nothing)
    assert not (tmp_path / "out").exists()


def test_a_record_without_frames_is_refused(tmp_path):
    with pytest.raises(CarmError, match="no frame of plane A at step 3"):
        export(tmp_path, record=EpisodeRecord({}, FrameLog.empty(), {"seed": 5}))


def test_a_frame_that_nothing_exposed_is_refused(tmp_path):
    irradiations = biplane_drive()
    with pytest.raises(CarmError, match="frame of plane B at step 5, which no irradiation made"):
        export(tmp_path, irradiations[:3], record_of(irradiations))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CarmError, match="cannot be written"):
        export(tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("plane", [0, 0, 0, 2], "plane holds 2: want 0 to 1"),
        ("preset", [4, 2, 2, 2], "preset holds 4"),
        ("kv", [80.0, np.nan, 80.0, 80.0], "kv holds nan: want numbers above 0"),
        ("ms", [0.0, 6.5, 6.5, 6.5], "ms holds 0.0"),
        ("cu_mm", [-0.1, 0.6, 0.6, 0.6], "cu_mm holds -0.1"),
        ("ka_r_mgy", [0.1, 0.1], r"ka_r_mgy has shape \[2\]: want \[4\]"),
        ("field_mm", np.ones((4, 3)), r"field_mm has shape \[4, 3\]: want \[4, 2\]"),
        ("position", np.full((4, 8), np.inf), "position holds inf: want numbers that are finite"),
        ("time_s", [0.4, 0.5, 0.2, 0.6], "from 0.5 back to 0.2 s"),
        ("step", [3, 3, 5, 5], "step 3, plane A twice"),
    ],
)
def test_irradiations_that_cannot_be_are_refused_by_name_and_value(name, values, told):
    with pytest.raises(CarmError, match=told):
        dose_report(replace(biplane_drive(), **{name: np.asarray(values)}), BIPLANE, STUDY)


def test_a_plane_that_the_machine_lacks_is_refused():
    with pytest.raises(CarmError, match="plane holds 1: want 0 to 0 with cios_spin"):
        dose_report(biplane_drive(), CIOS, STUDY)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (images(2), "2 frames for 1 irradiations"),
        (images(1)[0], r"uint8 \[32, 32\]: want uint8 \[K, H, W\]"),
        (images(1).astype(np.float32), "float32"),
        (images(1)[:, :0], r"\[1, 0, 32\]"),
        ([[1]], "frames are list"),
    ],
)
def test_frames_that_are_no_images_of_the_irradiations_are_refused(frames, told):
    with pytest.raises(CarmError, match=told):
        xa_image(frames, shots((0, -100, -500)), BIPLANE, STUDY)


def test_an_image_is_of_one_plane_and_of_limited_length():
    with pytest.raises(CarmError, match=r"planes \[0, 1\]"):
        xa_image(images(4), biplane_drive(), BIPLANE, STUDY)
    many = shots(*[(0, -100, -500)] * (MAX_FRAMES + 1))
    with pytest.raises(CarmError, match=f"at most {MAX_FRAMES}"):
        xa_image(images(len(many), 2), many, BIPLANE, STUDY)
    longest = xa_image(images(MAX_FRAMES, 2), many[:MAX_FRAMES], BIPLANE, STUDY)
    assert sum(len(uid) + 1 for uid in longest.IrradiationEventUID) < 2**16
