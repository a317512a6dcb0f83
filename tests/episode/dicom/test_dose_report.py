from dataclasses import replace

import pydicom
import pytest

from carm_env.episode.dicom.dose_report import dose_report, write_dose_report
from carm_env.episode.dicom.study import image_of, uid
from carm_env.machine.presets import IRP_TO_ISOCENTRE_MM
from tests.episode.dicom.shots import BIPLANE, CIOS, STUDY, biplane_drive, shots

PLANES = {0: "113620", 1: "113621"}


def children(item, code):
    """The content items below one whose concept has this code."""
    return [child for child in item.ContentSequence if child.ConceptNameCodeSequence[0].CodeValue == code]


def value(item, code):
    """Value of the only child with this code: a number, a code's value, a text, a UID or a moment."""
    (child,) = children(item, code)
    if child.ValueType == "NUM":
        return float(child.MeasuredValueSequence[0].NumericValue)
    if child.ValueType == "CODE":
        return child.ConceptCodeSequence[0].CodeValue
    return next(child[key].value for key in ("TextValue", "UID", "DateTime") if key in child)


def unit(item, code):
    return children(item, code)[0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue


@pytest.fixture
def drive():
    return biplane_drive()


@pytest.fixture
def report(drive, tmp_path):
    return pydicom.dcmread(write_dose_report(tmp_path / "dose.dcm", drive, BIPLANE, STUDY, images=[0, 1]))


def test_it_is_a_dose_report_of_a_simulated_patient_and_machine(report):
    assert report.SOPClassUID == report.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.88.67"
    assert report.ConceptNameCodeSequence[0].CodeValue == "113701"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "10001"
    assert (report.PatientName, report.PatientID, report.PatientSex) == ("Simulated^phantom-7", "phantom-7", "F")
    assert (report.PatientAge, report.PatientSize, report.PatientWeight) == ("064Y", 1.68, 71.5)
    assert (report.Manufacturer, report.ManufacturerModelName) == ("carm", "artis_biplane (simulated)")
    assert (report.StudyDate, report.StudyTime) == ("20260304", "093015.250000")
    assert report.TimezoneOffsetFromUTC == "+0000"
    assert value(report, "113705") == "113014"
    assert value(children(report, "113705")[0], "110180") == report.StudyInstanceUID == STUDY.study_uid
    assert value(report, "121012") == uid("device", "artis_biplane")
    assert value(report, "113854") == "113940"
    assert value(children(report, "121058")[0], "363703001") == "363675004"


def test_a_start_without_a_time_zone_claims_none():
    naive = dose_report(biplane_drive(), BIPLANE, replace(STUDY, started=STUDY.started.replace(tzinfo=None)))
    assert "TimezoneOffsetFromUTC" not in naive
    assert str(value(children(naive, "113706")[0], "111526")) == "20260304093015.650000"


def test_an_event_tells_what_was_irradiated(drive, report):
    events = children(report, "113706")
    assert len(events) == len(drive)
    for row, event in enumerate(events):
        plane = int(drive.plane[row])
        assert value(event, "113764") == PLANES[plane]
        assert value(event, "113769") == STUDY.event_uid(drive.step[row], plane)
        assert value(event, "113721") == "44491008"
        assert value(event, "113780") == "113860"
        assert value(event, "113738") == pytest.approx(drive.ka_r_mgy[row] / 1000, rel=1e-9)
        assert value(event, "122130") == pytest.approx(drive.kap_gycm2[row] / 1e4, rel=1e-9)
        assert (unit(event, "113738"), unit(event, "122130")) == ("Gy", "Gy.m2")
        assert (value(event, "113733"), value(event, "113734"), value(event, "113793")) == (80, 80, 6.5)
        assert (value(event, "113768"), value(event, "113791")) == (1, pytest.approx(7.5))
        assert (value(event, "113824"), value(event, "113736"), value(event, "113766")) == (6.5, 520, 0.6)
        height, width = drive.field_mm[row]
        assert value(event, "113790") == pytest.approx(height * width / 1e6)
        assert (value(event, "113788"), value(event, "113789")) == (pytest.approx(height), pytest.approx(width))
        assert (value(event, "113750"), value(event, "113748")) == (1100, drive.sod_mm[row])
        assert value(event, "113737") == drive.sod_mm[row] - IRP_TO_ISOCENTRE_MM
        assert (value(event, "112011"), value(event, "112012")) == ((0, 0), (90, 0))[plane]
        assert (value(event, "113745"), value(event, "113743")) == ("102540008", "102538003")
        assert value(event, "123014") == "38266002"


def test_dose_area_product_and_reference_kerma_agree_over_the_field(drive, report):
    for row, event in enumerate(children(report, "113706")):
        shrink = (value(event, "113737") / value(event, "113750")) ** 2
        assert value(event, "122130") == pytest.approx(value(event, "113738") * value(event, "113790") * shrink)
        assert value(event, "122130") * 1e4 == pytest.approx(drive.kap_gycm2[row])


def test_lateral_is_towards_the_head_and_longitudinal_to_the_left(report):
    first = children(report, "113706")[0]
    assert [value(first, code) for code in ("113751", "113752", "113753")] == [-12, 880, 110]
    assert [value(first, code) for code in ("128766", "128767", "128768")] == [-12, 110, 880]


def test_search_and_verification_are_told_apart(report):
    comments = [value(event, "121106") for event in children(report, "113706")]
    assert comments == ["search, step 3", "search, step 4", "verification, step 5", "verification, step 5"]


def test_totals_are_sums_of_each_plane(drive, report):
    totals = children(report, "113702")
    assert [value(total, "113764") for total in totals] == list(PLANES.values())
    for plane, total in enumerate(totals):
        mine = [e for e in children(report, "113706") if value(e, "113764") == PLANES[plane]]
        for whole, part in (("113722", "122130"), ("113725", "113738"), ("113726", "122130"), ("113728", "113738")):
            assert value(total, whole) == pytest.approx(sum(value(e, part) for e in mine), rel=1e-9)
        assert value(total, "113730") == pytest.approx(sum(value(e, "113742") for e in mine))
        assert [value(total, code) for code in ("113727", "113729", "113855")] == [0, 0, 0]


def test_a_plane_that_stayed_parked_has_totals_of_zero():
    report = dose_report(shots((0, -100, -500)), BIPLANE, STUDY)
    assert [value(total, "113725") for total in children(report, "113702")] == [pytest.approx(4e-6), 0]


def test_a_machine_with_one_plane_has_no_plane_a():
    report = dose_report(shots((0, -100, -500), device=CIOS, primary=190.0), CIOS, STUDY)
    (total,), (event,) = children(report, "113702"), children(report, "113706")
    assert value(total, "113764") == value(event, "113764") == "113622"
    assert value(event, "112011") == -170


def test_events_point_at_their_frames_where_there_are_images(drive, report):
    images = [children(event, "113795")[0].ReferencedSOPSequence[0] for event in children(report, "113706")]
    assert [image.ReferencedFrameNumber for image in images] == [1, 2, 3, 1]
    assert [image.ReferencedSOPInstanceUID for image in images] == [image_of(STUDY, p).instance for p in drive.plane]
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    named = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert {item.ReferencedSOPInstanceUID for item in named} == {image.ReferencedSOPInstanceUID for image in images}
    bare = dose_report(drive, BIPLANE, STUDY)
    assert "CurrentRequestedProcedureEvidenceSequence" not in bare
    assert not any(children(event, "113795") for event in children(bare, "113706"))


def test_each_filter_material_has_its_own_container():
    report = dose_report(shots((0, -100, -500), cu_mm=0.4, al_mm=1.0), BIPLANE, STUDY)
    copper, aluminium = children(children(report, "113706")[0], "113771")
    assert [value(copper, code) for code in ("113757", "113758", "113773")] == ["105837005", 0.4, 0.4]
    assert [value(aluminium, code) for code in ("113757", "113758", "113773")] == ["105830007", 1, 1]
    bare = dose_report(shots((0, -100, -500), cu_mm=0.0), BIPLANE, STUDY)
    (none,) = children(children(bare, "113706")[0], "113771")
    assert value(none, "113772") == "111609"


def test_digits_that_a_decimal_string_loses_are_kept_beside_it(tmp_path):
    tiny = shots((0.1, -100.123456789, -500 / 3), ka_r_mgy=1.0 / 3.0e5)
    path = write_dose_report(tmp_path / "dose.dcm", tiny, BIPLANE, STUDY)
    (event,) = children(pydicom.dcmread(path), "113706")
    measured = children(event, "113738")[0].MeasuredValueSequence[0]
    assert len(str(measured.NumericValue)) <= 16
    assert float(measured.NumericValue) == pytest.approx(tiny.ka_r_mgy[0] / 1000, rel=1e-9)
    assert measured.FloatingPointValue == tiny.ka_r_mgy[0] * 1e-3
    assert "FloatingPointValue" not in children(event, "113733")[0].MeasuredValueSequence[0]
