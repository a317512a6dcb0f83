"""The frames of a plane as a multi-frame X-Ray Angiographic image (SOP class 1.2.840.10008.5.1.4.1.1.12.1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from highdicom.sr.coding import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from carm_env.episode.dicom.checks import check_frames, check_irradiations
from carm_env.episode.dicom.codes import DCM
from carm_env.episode.dicom.modules import items, new_file, save, sop_item
from carm_env.episode.dicom.study import Study, image_of, plane_name
from carm_env.episode.dicom.values import date, decimals, time
from carm_env.episode.dicom.xa_acquisition import add_acquisition, add_collimator, add_detector
from carm_env.episode.dicom.xa_geometry import add_positioner, add_table, patient_orientation
from carm_env.machine.presets import DevicePreset
from carm_env.whole import whole
from carm_env.xray.dose.irradiation import Irradiations

_FRAME_TIME_VECTOR = 0x00181065


def write_xa(
    path: Path,
    frames: NDArray[np.uint8],
    irradiations: Irradiations,
    device: DevicePreset,
    study: Study,
    biplane: bool = False,
) -> Path:
    """Writes the frames of one plane; the file appears whole or not at all.

    Args:
        frames: display images, uint8 [K, H, W], over the full detector format.
        irradiations: of that plane, one a frame, in the order of time.
        biplane: the other plane's image is written too, for this one to refer to.

    Returns:
        ``path``.

    Raises:
        CarmError: what ``checks.check_irradiations`` and ``checks.check_frames`` refuse.
    """
    ds = xa_image(frames, irradiations, device, study, biplane)
    with whole(path) as part:
        save(ds, part)
    return path


def xa_image(
    frames: NDArray[np.uint8], irradiations: Irradiations, device: DevicePreset, study: Study, biplane: bool = False
) -> FileDataset:
    """The image as a dataset; see ``write_xa``."""
    check_irradiations(irradiations, device)
    check_frames(frames, irradiations)
    plane = int(irradiations.plane[0])
    started = study.moment(float(irradiations.time_s[0]))
    ds = new_file(study, device, image_of(study, plane), study.moment(float(irradiations.time_s[-1])))
    ds.Modality = "XA"
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 1, plane + 1, plane + 1
    ds.SeriesDescription = "Fluoroscopy"
    ds.SeriesDate, ds.SeriesTime = date(study.started), time(study.started)
    ds.ContentDate, ds.ContentTime = date(started), time(started)
    ds.AcquisitionDate, ds.AcquisitionTime = date(started), time(started)
    ds.PatientPosition = "HFS"
    ds.BodyPartExamined = "WHOLEBODY"
    ds.PatientOrientation = patient_orientation(irradiations.cameras)
    ds.IrradiationEventUID = [study.event_uid(step, plane) for step in irradiations.step.tolist()]
    ds.ImageComments = "Simulated image, not for clinical use"
    _image_type(ds, device, study, plane, biplane)
    _cine(ds, irradiations)
    add_acquisition(ds, irradiations)
    add_detector(ds, irradiations, device.planes[plane])
    add_collimator(ds, irradiations, (frames.shape[1], frames.shape[2]))
    add_positioner(ds, irradiations, plane)
    add_table(ds, irradiations)
    _pixels(ds, frames)
    return ds


def _image_type(ds: Dataset, device: DevicePreset, study: Study, plane: int, biplane: bool) -> None:
    """X-Ray Image module (C.8.7.1): an original image, of a biplane pair where there is one."""
    kind = plane_name(device, plane).replace("Plane", "BIPLANE") if biplane else "SINGLE PLANE"
    ds.ImageType = ["ORIGINAL", "PRIMARY", kind]
    ds.PixelIntensityRelationship = "DISP"
    if biplane:
        other = sop_item(image_of(study, 1 - plane))
        other.PurposeOfReferenceCodeSequence = items(CodedConcept.from_code(DCM.OtherImageOfBiplanePair))
        ds.ReferencedImageSequence = items(other)


def _cine(ds: Dataset, irradiations: Irradiations) -> None:
    """Cine and Multi-frame modules (C.7.6.5, C.7.6.6): milliseconds from each frame to the next."""
    ds.NumberOfFrames = len(irradiations)
    ds.FrameIncrementPointer = _FRAME_TIME_VECTOR
    ds.FrameTimeVector = decimals(np.round(np.diff(irradiations.time_s, prepend=irradiations.time_s[0]) * 1000.0, 6))
    ds.PreferredPlaybackSequencing = 0


def _pixels(ds: Dataset, frames: NDArray[np.uint8]) -> None:
    """Image Pixel and VOI LUT modules (C.7.6.3, C.11.2): all 256 greys, shown as they are."""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = frames.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.WindowCenter, ds.WindowWidth = 128, 256
    ds.LossyImageCompression = "00"
    ds.BurnedInAnnotation = "NO"
    pixels = np.ascontiguousarray(frames).tobytes()
    ds.PixelData = pixels + bytes(len(pixels) % 2)
