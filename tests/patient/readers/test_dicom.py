"""DICOM series: what is read, what is corrected with a note, and one clear line for all else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.readers.dicom import read_dicom, read_series
from carm_env.patient.readers.dicom_headers import scan_folder
from carm_env.patient.readers.dicom_privacy import redacted, tokens
from carm_env.patient.readers.dicom_series import find_series
from carm_env.patient.readers.source import read_scan
from tests.patient.readers import dicom_files as make
from tests.patient.readers.dicom_files import SECRET_TAGS, SECRETS, SYNTAXES, fresh, write_enhanced, write_series
from tests.patient.readers.test_nifti import FLIPS, ct, lps_affine, rotation, stored

QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=20, **QUICK)
@given(
    order=st.permutations(range(3)),
    flips=st.sampled_from(FLIPS),
    angles=st.tuples(*[st.floats(-15, 15)] * 3),
    seed=st.integers(0, 1000),
)
def test_any_orientation_and_slice_order_is_the_same_volume(tmp_path, order, flips, angles, seed) -> None:
    hu, affine = ct(), lps_affine()
    affine[:3, :3] = rotation(angles) @ affine[:3, :3]
    data, its_affine = stored(hu, affine, tuple(order), flips)
    shuffled = np.random.default_rng(seed).permutation(data.shape[2])
    write_series(fresh(tmp_path / "ct"), data, its_affine, keep=shuffled)
    scan = read_dicom(tmp_path / "ct")
    np.testing.assert_array_equal(scan.volume.hu, hu)
    np.testing.assert_allclose(scan.volume.affine, affine, atol=1e-3)
    assert scan.volume.hu.flags.c_contiguous
    assert scan.notes == ()


LARGER = ct((16, 18, 11))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("frames", [False, True])
def test_every_transfer_syntax_and_rescale_gives_the_same_hu(tmp_path, syntax, frames) -> None:
    rescale = ((1.0, -1024.0), (0.5, -1000.0), (1.0, 0.0))
    if frames:
        order = np.random.default_rng(3).permutation(11)
        write_enhanced(tmp_path / "a.dcm", LARGER, lps_affine(), order=order, syntax=syntax, rescale=rescale)
    else:
        write_series(tmp_path, LARGER, lps_affine(), syntax=syntax, rescale=rescale)
    volume = read_dicom(tmp_path).volume
    np.testing.assert_array_equal(volume.hu, LARGER)
    np.testing.assert_allclose(volume.affine, lps_affine(), atol=1e-6)


def test_an_enhanced_file_is_read_by_its_own_name(tmp_path) -> None:
    path = write_enhanced(tmp_path / "a.dcm", ct(), lps_affine(), order=range(10, -1, -1))
    np.testing.assert_array_equal(read_dicom(path).volume.hu, ct())


def test_jpeg_ls_is_decoded(tmp_path) -> None:
    samples = Path(pydicom.__file__).parent / "data" / "test_files"
    if not (samples / "MR_small_jpeg_ls_lossless.dcm").exists():
        pytest.skip("pydicom came without its samples")
    source = pydicom.dcmread(samples / "MR_small_jpeg_ls_lossless.dcm")
    pixels = pydicom.dcmread(samples / "MR_small.dcm").pixel_array
    for k in range(5):
        header = make.header_of(lps_affine(), np.array([0.0, 0, k]), "1.2.3.4")
        make.set_pixels(header, pixels, "explicit")
        header.PixelRepresentation = source.PixelRepresentation
        header.BitsStored, header.HighBit = source.BitsStored, source.HighBit
        header.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
        header.PixelData, header.RescaleSlope, header.RescaleIntercept = source.PixelData, "1", "-1024"
        make.save(header, tmp_path / f"{k}.dcm")
    want = np.clip(pixels.astype(int) - 1024, -1024, 32767)
    np.testing.assert_array_equal(read_dicom(tmp_path).volume.hu[:, :, 2].T, want)


def test_unsigned_and_twelve_bit_pixels(tmp_path) -> None:
    def twelve(header: pydicom.Dataset, k: int) -> None:
        make.set_pixels(header, (ct()[:, :, k].T + 1024).astype(np.uint16), "explicit")
        header.BitsStored, header.HighBit = 12, 11

    write_series(tmp_path, ct(), lps_affine(), edit=twelve)
    np.testing.assert_array_equal(read_dicom(tmp_path).volume.hu, ct())


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
@pytest.mark.parametrize(
    ("tags", "air"),
    [
        ({}, ()),
        ({"PixelPaddingValue": -2000}, (-2000,)),
        ({"PixelPaddingValue": 63536}, (-2000,)),
        ({"PixelPaddingValue": 1074, "PixelPaddingRangeLimit": 1064}, (1064, 1070, 1074)),
    ],
)
def test_pixel_padding_becomes_air(tmp_path, syntax, tags, air) -> None:
    marks = {-2000: -3024, 1064: 40, 1070: 46, 1074: 50, 1075: 51, 1063: 39}
    hu = ct().astype(int)
    for at, value in enumerate(marks.values()):
        hu[3, 2 + at, 5] = value

    def padded(header: pydicom.Dataset, k: int) -> None:
        for keyword, value in tags.items():
            header.add_new(keyword, "SS" if value < 0 else "US", value)

    write_series(tmp_path, hu, lps_affine(), syntax=syntax, edit=padded)
    read = read_dicom(tmp_path).volume.hu
    for at, (raw, value) in enumerate(marks.items()):
        expected = -1024 if raw in air or value < -1024 else value
        assert read[3, 2 + at, 5] == expected


def test_files_without_preamble_and_other_files_and_folders(tmp_path) -> None:
    paths = write_series(tmp_path / "deep" / "er", ct(), lps_affine(), syntax="implicit")
    for path in paths[::2]:
        header = pydicom.dcmread(path)
        del header.file_meta
        header.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    (tmp_path / "README.txt").write_text("hello")
    (tmp_path / "deep" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "deep" / "er" / "._slice").write_bytes(b"\x08\x00\x05\x00 junk")
    np.testing.assert_array_equal(read_dicom(tmp_path).volume.hu, ct())
    assert scan_folder(tmp_path).others == 1
    assert find_series(tmp_path, recursive=False) == []
    assert len(find_series(tmp_path / "deep" / "er", recursive=False)) == 1


def test_what_else_lies_in_the_folder_gets_a_note(tmp_path) -> None:
    write_series(tmp_path / "ct", ct(), lps_affine())
    write_series(tmp_path / "mr", ct(), lps_affine(), Modality="MR", SeriesDescription="T1\r\nvon Erika")
    assert read_dicom(tmp_path).notes == ("1 other series left out (2: T1 von *** (MR, axial), modality MR)",)


def test_a_description_that_runs_into_other_tags_is_left_out(tmp_path) -> None:
    spilled = {"SeriesDescription": "Thorax\x10\x00\x10\x00PN Juliane", "ConvolutionKernel": "B30\x10\x00Juliane"}
    write_series(tmp_path, ct(), lps_affine(), **spilled)
    assert find_series(tmp_path)[0].description == "no description (CT, axial)"


def test_names_that_break_lines_stay_in_one(tmp_path) -> None:
    folder = tmp_path / "a\nb\udcff"
    write_series(folder, ct()[:, :, :3], lps_affine())
    with pytest.raises(CarmError, match=r"a\?b\?: no CT series"):
        read_dicom(folder)


def test_demographics_are_read_and_absurd_ones_ignored(tmp_path) -> None:
    good = {"PatientSex": "F", "PatientAge": "018M", "PatientSize": "0.82", "PatientWeight": "11.5"}
    write_series(tmp_path / "good", ct(), lps_affine(), **good)
    who = read_dicom(tmp_path / "good").demographics
    assert (who.sex, who.age_years, who.height_cm, who.weight_kg) == ("F", 1.5, 82.0, 11.5)
    bad = {"PatientSex": "O", "PatientAge": "999Y", "PatientSize": "172", "PatientWeight": "700"}
    write_series(tmp_path / "bad", ct(), lps_affine(), **bad)
    who = read_dicom(tmp_path / "bad").demographics
    assert (who.sex, who.age_years, who.height_cm, who.weight_kg) == (None, None, None, None)


@pytest.mark.parametrize(("position", "lying"), [("HFP", "prone"), ("FFDR", "right side"), ("HFDL", "left side")])
def test_other_than_supine_gets_a_note(tmp_path, position, lying) -> None:
    write_series(tmp_path, ct(), lps_affine(), PatientPosition=position)
    scan = read_dicom(tmp_path)
    np.testing.assert_array_equal(scan.volume.hu, ct())
    assert lying in scan.notes[0] and position in scan.notes[0]


def test_missing_slices_are_filled_noted_and_recorded(tmp_path) -> None:
    hu = ct((7, 9, 20))
    write_series(tmp_path, hu, lps_affine(), keep=[k for k in range(20) if k not in (6, 7, 13)])
    scan = read_dicom(tmp_path)
    np.testing.assert_array_equal(np.delete(scan.volume.hu, (6, 7, 13), 2), np.delete(hu, (6, 7, 13), 2))
    between = np.rint((2 * hu[:, :, 5].astype(float) + hu[:, :, 8]) / 3)
    np.testing.assert_array_equal(scan.volume.hu[:, :, 6], between)
    assert scan.meta["filled_mm"] == [[-487.5, -480.0], [-470.0, -465.0]]
    assert "3 missing slices interpolated" in scan.notes[0]


def test_uneven_slices_are_resampled_linearly(tmp_path) -> None:
    hu = np.full((8, 8, 15), -1000, np.int16)
    heights = np.array([*np.arange(8) * 2.0, *(16 + np.arange(7) * 5.0)])
    hu[2:6, 2:6] = np.rint(heights * 4)
    write_series(tmp_path, hu, np.diag([1.0, 1, 1, 1]), heights_mm=heights.tolist())
    scan = read_dicom(tmp_path)
    assert scan.volume.spacing_mm[2] == pytest.approx(2.0)
    np.testing.assert_array_equal(scan.volume.hu[3, 3], np.arange(24) * 8)
    assert "resampled to 2 mm" in scan.notes[0]


def test_equal_doubles_are_left_out_and_different_ones_refused(tmp_path) -> None:
    write_series(tmp_path / "ct", ct(), lps_affine(), keep=[*range(11), 4, 4, 7])
    scan = read_dicom(tmp_path / "ct")
    np.testing.assert_array_equal(scan.volume.hu, ct())
    assert any("3 doubled images left out" in note for note in scan.notes)
    assert any("instance numbers occur again" in note for note in scan.notes)


def test_doubled_instance_numbers_at_different_places_get_a_note(tmp_path) -> None:
    write_series(tmp_path, ct(), lps_affine(), InstanceNumber=1)
    scan = read_dicom(tmp_path)
    np.testing.assert_array_equal(scan.volume.hu, ct())
    assert scan.notes == ("10 instance numbers occur again; positions decide",)


@pytest.mark.parametrize("tag", ["AcquisitionNumber", "ConvolutionKernel", "TemporalPositionIdentifier"])
def test_stacks_at_one_place_are_told_apart_by_a_tag(tmp_path, tag) -> None:
    other = np.where(ct() > -200, ct() + 40, ct())
    for number, hu in ((1, ct()), (2, other)):
        tags = {tag: str(number)}
        write_series(tmp_path, hu, lps_affine(), uid="1.2.3.4.5.6", prefix=f"n{number}", **tags)
    found = find_series(tmp_path)
    assert [series.problem for series in found] == [None, None]
    for series, hu in zip(found, (ct(), other), strict=True):
        np.testing.assert_array_equal(read_series(series).volume.hu, hu)
    with pytest.raises(CarmError, match=r"2 CT series .*1: .*1\), 11 slices of 2.5 mm; 2: .*2\).*FOLDER#2"):
        read_dicom(tmp_path)


def test_series_are_told_apart_and_localizers_set_aside(tmp_path) -> None:
    affine = lps_affine()
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    sagittal, its_affine = stored(ct(), affine, (1, 2, 0), (1, -1, 1))
    write_series(tmp_path, ct(), affine, uid="1.2.3.4.5.1", prefix="axial", SeriesNumber=2)
    write_series(tmp_path, sagittal, its_affine, uid="1.2.3.4.5.1", prefix="sagittal", SeriesNumber=2)
    write_series(tmp_path, sagittal[:, :, :1], its_affine, uid="1.2.3.4.5.1", prefix="scout", **scout)
    write_series(tmp_path / "mr", ct(), affine, Modality="MR", SeriesDescription="T1")
    write_series(tmp_path / "second", ct(), affine, SeriesDescription="of somebody else", PatientID="ZZ99")
    found = find_series(tmp_path)
    assert [series.number for series in found] == [1, 2, 3, 4, 5]
    text = [series.summary for series in found]
    assert text[0] == "1: Thorax 1.0 (CT, axial), 11 slices of 2.5 mm"
    assert text[1] == "2: Thorax 1.0 (CT, sagittal), 7 slices of 1.5 mm"
    assert text[2] == "3: of somebody else (CT, axial), 11 slices of 2.5 mm"
    assert {text[3].split(", ")[-1], text[4].split(", ")[-1]} == {"a localizer", "modality MR"}
    assert found[0].patient_key == found[1].patient_key != found[2].patient_key
    assert found[0].notes == ("1 image left out: a localizer",)
    np.testing.assert_array_equal(read_dicom(tmp_path, 2).volume.hu, ct())
    assert [s.summary for s in find_series(tmp_path)] == text
    with pytest.raises(CarmError, match=r"series 4: .*; want the complete slices of a CT"):
        read_dicom(tmp_path, 4)
    with pytest.raises(CarmError, match=r"no series 9 \(1: .*want one of them"):
        read_dicom(tmp_path, 9)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("syntax", ["explicit", "JPEG 2000"])
def test_a_tilted_gantry_leaves_objects_where_they_are(tmp_path, reverse, syntax) -> None:
    angle = np.radians(-18.0 if reverse else 18.0)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.2, 1.0, 1.0])
    affine[:3, 3] = (-30, -40, 900)
    step = np.array([0.0, 0.0, 1.5])
    hu = np.full((50, 60, 40), -1000, np.int16)
    at = np.moveaxis(np.indices(hu.shape), 0, -1)
    matrix = np.column_stack([affine[:3, 0], affine[:3, 1], step])
    lps = at @ matrix.T + affine[:3, 3]
    ball, rod = np.array([0.0, -10.0, 925.0]), np.array([12.0, -18.0])
    hu[np.linalg.norm(lps - ball, axis=-1) < 8] = 60
    hu[np.linalg.norm(lps[..., :2] - rod, axis=-1) < 3] = 900
    write_series(tmp_path, hu, affine, step_mm=step, syntax=syntax)
    scan = read_dicom(tmp_path)
    assert any("gantry tilted by 18.0 degrees" in note for note in scan.notes)
    volume = scan.volume
    assert volume.hu.shape[1] > 60
    where = volume.to_mm(np.moveaxis(np.indices(volume.hu.shape), 0, -1))
    share = np.clip((volume.hu + 1000.0) / 1060.0, 0, 1)
    near = np.linalg.norm(where - ball, axis=-1) < 11
    centre = (where[near] * share[near, None]).sum(0) / share[near].sum()
    np.testing.assert_allclose(centre, ball, atol=0.5)
    for z in (910.0, 930.0, 945.0):
        layer = (np.abs(where[..., 2] - z) < 3) & (volume.hu > -50) & (np.abs(where[..., 0] - 12) < 6)
        np.testing.assert_allclose(where[layer][:, :2].mean(0), rod, atol=0.5)
    assert (volume.hu[:, 0, 0] == -1024).all() or (volume.hu[:, -1, 0] == -1024).all()


def test_copies_and_links_inside_the_folder_count_once(tmp_path) -> None:
    paths = write_series(tmp_path / "ct", ct(), lps_affine())
    (tmp_path / "ct" / "again.dcm").symlink_to(paths[0])
    (tmp_path / "whole").symlink_to(tmp_path / "ct", target_is_directory=True)
    scan = read_dicom(tmp_path)
    np.testing.assert_array_equal(scan.volume.hu, ct())
    assert scan.notes == ()


def test_links_out_of_the_folder_are_not_followed(tmp_path) -> None:
    write_series(tmp_path / "elsewhere", ct(), lps_affine())
    write_series(tmp_path / "ct", ct(), lps_affine())
    (tmp_path / "ct" / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    scan = read_dicom(tmp_path / "ct")
    assert scan.notes == ("1 link out of the folder not followed",)


def test_identifiers_are_in_no_repr_note_or_meta(tmp_path, capfd) -> None:
    folder = tmp_path / "MUSTERMANN_erika" / "px4711" / "1.2.840.99999.1.2.3"
    names = {"SeriesDescription": "Thorax of Erika Mustermann PX-4711"}
    write_series(folder, ct(), lps_affine(), keep=[*range(4), *range(5, 11)], **SECRET_TAGS, **names)
    series = find_series(tmp_path)[0]
    scan = read_series(series)
    text = " ".join([repr(series), repr(series.slices[0]), repr(scan.notes), repr(scan.meta), series.summary])
    text += series.where + series.description + repr(scan.demographics)
    for secret in (*SECRETS, "1.2.840.99999", str(series.slices[0].series)):
        assert secret.lower() not in text.lower().replace(str(tmp_path).lower(), "")
    assert series.description == "Thorax of *** *** *** (CT, axial)"
    assert series.where == f"{tmp_path}/***_***/***/***"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("Doe^Jane", "/data/JANE-DOE/ct", "/data/***-***/ct"),
        ("Müller^Änne", "/data/muller_anne/x", "/data/***_***/x"),
        ("Müller^Änne", "/data/Mu\u0308ller", "/data/***"),
        ("Li^Bo", "/data/library", "/data/library"),
        ("A-1234-77", "/data/A123477", "/data/***"),
        ("", "/data/1.2.840.113619.2.55", "/data/***"),
    ],
)
def test_redaction_finds_names_in_paths(name, path, expected) -> None:
    assert redacted(path, tokens(name)) == expected


def test_a_folder_of_thousands_of_files_is_still_a_series(tmp_path) -> None:
    write_series(tmp_path, ct(), lps_affine())
    for i in range(2100):
        (tmp_path / f"note-{i:04d}.txt").touch()
    assert read_scan(tmp_path).volume.hu.shape == ct().shape
