import numpy as np
import pydicom
import pytest

from carm_env.episode.dicom.study import image_of
from carm_env.episode.dicom.xa import write_xa, xa_image
from carm_env.episode.dicom.xa_geometry import patient_orientation
from carm_env.geometry import cone_beam
from tests.episode.dicom.shots import BIPLANE, CIOS, PIXELS, STUDY, images, shots

WAY = [(12.0, -110.0, -880.0), (8.0, -105.5, -500.25), (4.0, -95.0, -110.0)]


@pytest.fixture
def drive():
    return shots(*WAY)


def test_frames_come_back_as_they_were_shown(drive, tmp_path):
    shown = images(3)
    ds = pydicom.dcmread(write_xa(tmp_path / "a.dcm", shown, drive, BIPLANE, STUDY))
    np.testing.assert_array_equal(ds.pixel_array, shown)
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.12.1"
    assert (ds.PhotometricInterpretation, ds.BitsStored, ds.PixelIntensityRelationship) == ("MONOCHROME2", 8, "DISP")
    assert (ds.WindowCenter, ds.WindowWidth, ds.LossyImageCompression) == (128, 256, "00")


def test_an_odd_number_of_pixels_is_padded(drive, tmp_path):
    shown = images(3, 5)
    ds = pydicom.dcmread(write_xa(tmp_path / "a.dcm", shown, drive, BIPLANE, STUDY))
    assert len(ds.PixelData) == 76
    np.testing.assert_array_equal(ds.pixel_array, shown)


def test_times_stand_between_frames(drive):
    ds = xa_image(images(3), drive, BIPLANE, STUDY)
    assert ds.FrameIncrementPointer == 0x00181065
    assert [float(t) for t in ds.FrameTimeVector] == pytest.approx([0, 400 / 3, 400 / 3])
    assert (ds.ContentTime, ds.StudyTime) == ("093015.650000", "093015.250000")


def test_the_table_moves_as_told_from_its_side(drive):
    ds = xa_image(images(3), drive, BIPLANE, STUDY)
    assert (ds.PositionerMotion, ds.TableMotion) == ("STATIC", "DYNAMIC")
    assert "PositionerPrimaryAngleIncrement" not in ds
    assert ds.TableLateralIncrement == [0, -379.75, -770]
    assert ds.TableLongitudinalIncrement == [0, 4, 8]
    assert ds.TableVerticalIncrement == [0, -4.5, -15]


def test_the_positioner_turns_from_its_first_angles():
    turn = shots((0, -100, -500), (0, -100, -500), (0, -100, -500), primary=-10.0, secondary=5.0)
    turn.position[1:, 3] += [12.5, 40.0]
    turn.position[2, 4] -= 25.0
    ds = xa_image(images(3), turn, BIPLANE, STUDY)
    assert (ds.PositionerMotion, ds.TableMotion) == ("DYNAMIC", "STATIC")
    assert (ds.PositionerPrimaryAngle, ds.PositionerSecondaryAngle) == (-10, 5)
    assert ds.PositionerPrimaryAngleIncrement == [0, 12.5, 40]
    assert ds.PositionerSecondaryAngleIncrement == [0, 0, -25]
    assert "TableLateralIncrement" not in ds


def test_one_frame_is_an_image_that_nothing_moved_in():
    ds = xa_image(images(1), shots((0, -100, -500)), BIPLANE, STUDY)
    assert (ds.NumberOfFrames, ds.PositionerMotion, ds.TableMotion) == (1, "STATIC", "STATIC")
    assert ds.FrameTimeVector == 0


def test_geometry_and_technique_are_those_of_the_plane(drive):
    ds = xa_image(images(3), drive, BIPLANE, STUDY)
    assert (ds.DistanceSourceToPatient, ds.DistanceSourceToDetector) == (785, 1100)
    assert ds.EstimatedRadiographicMagnificationFactor == pytest.approx(1100 / 785)
    assert ds.ImagerPixelSpacing == [300 / PIXELS] * 2
    assert ds.FieldOfViewDimensions == [300, 300]
    assert (ds.KVP, ds.XRayTubeCurrent, ds.ExposureTime, ds.ExposureInuAs) == (80, 80, 20, 1560)
    assert (ds.AveragePulseWidth, ds.RadiationSetting, ds.RadiationMode) == (6.5, "SC", "PULSED")
    assert ds.ImageAndFluoroscopyAreaDoseProduct == pytest.approx(10 * drive.kap_gycm2.sum())
    assert ds.IrradiationEventUID == [STUDY.event_uid(step, 0) for step in drive.step]


def test_the_collimator_is_told_where_it_stands_still():
    ds = xa_image(images(2), shots(*WAY[:2], field_mm=100.0), BIPLANE, STUDY)
    edges = [ds[f"Collimator{e}Edge"].value for e in ("LeftVertical", "RightVertical")]
    edges += [ds[f"Collimator{e}Edge"].value for e in ("UpperHorizontal", "LowerHorizontal")]
    side = 100.0 * 1100 / 785 / (300 / PIXELS)
    assert edges[1] - edges[0] + 1 == pytest.approx(side, abs=1)
    assert edges[0] + edges[1] == edges[2] + edges[3] == PIXELS + 1
    opened = shots(*WAY[:2])
    opened.field_mm[1] += 1.0
    assert "CollimatorShape" not in xa_image(images(2), opened, BIPLANE, STUDY)


@pytest.mark.parametrize(
    ("angles", "letters"),
    [((0, 0), ["L", "F"]), ((90, 0), ["P", "F"]), ((30, 0), ["LP", "F"]), ((-30, 0), ["LA", "F"]),
     ((0, 20), ["L", "FA"]), ((0, -20), ["L", "FP"])],
)  # fmt: skip
def test_rows_and_columns_point_where_the_image_shows_it(angles, letters):
    assert patient_orientation(cone_beam((0, 0, 0), *angles, 785, 1100, 1)) == letters


def test_frames_that_look_elsewhere_have_no_common_orientation():
    assert patient_orientation(cone_beam(np.zeros((2, 3)), [0, 90], 0, 785, 1100, 1)) == ""


def test_a_mirrored_detector_shows_the_patient_as_any_other_and_says_so():
    ds = xa_image(images(1), shots((0, -100, -500), device=CIOS), CIOS, STUDY)
    assert ds.PositionerPrimaryAngle == 180
    assert ds.PatientOrientation == ["L", "F"]
    assert (ds.FieldOfViewHorizontalFlip, ds.FieldOfViewRotation) == ("YES", 0)
    assert "FieldOfViewHorizontalFlip" not in xa_image(images(1), shots((0, -100, -500)), BIPLANE, STUDY)


def test_the_planes_of_a_pair_refer_to_each_other():
    plane_a = xa_image(images(1), shots((0, -100, -500)), BIPLANE, STUDY, biplane=True)
    plane_b = xa_image(images(1), shots((0, -100, -500), plane=1), BIPLANE, STUDY, biplane=True)
    assert [ds.ImageType[2] for ds in (plane_a, plane_b)] == ["BIPLANE A", "BIPLANE B"]
    for ds, other in ((plane_a, plane_b), (plane_b, plane_a)):
        assert ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == other.SOPInstanceUID
    assert plane_a.SOPInstanceUID == image_of(STUDY, 0).instance
    assert plane_a.SeriesInstanceUID == plane_b.SeriesInstanceUID
    alone = xa_image(images(1), shots((0, -100, -500)), BIPLANE, STUDY)
    assert alone.ImageType[2] == "SINGLE PLANE"
    assert "ReferencedImageSequence" not in alone
