"""Modules that image and dose report share (PS3.3 C.7.1 to C.7.5, C.12.1), and how a file is saved."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from carm_env import __version__
from carm_env.episode.dicom.study import MANUFACTURER, Reference, Study, model_name
from carm_env.episode.dicom.values import date, decimal, offset, time
from carm_env.machine.presets import DevicePreset


def new_file(study: Study, device: DevicePreset, reference: Reference, created: datetime) -> FileDataset:
    """A file with the SOP Common, Patient, Patient Study, General Study and General Equipment modules.

    Args:
        created: when its content was complete.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(reference.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(reference.instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = reference.sop_class
    ds.SOPInstanceUID = reference.instance
    ds.SeriesInstanceUID = reference.series
    ds.InstanceCreationDate, ds.InstanceCreationTime = date(created), time(created)
    if offset(created):
        ds.TimezoneOffsetFromUTC = offset(created)
    _patient(ds, study)
    _study(ds, study)
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = model_name(device)
    ds.DeviceSerialNumber = "simulated"
    ds.SoftwareVersions = __version__
    return ds


def _patient(ds: Dataset, study: Study) -> None:
    """Patient (C.7.1.1) and Patient Study (C.7.2.2); what the record does not know stays empty."""
    recorded = study.demographics
    ds.PatientName = f"Simulated^{study.patient_id}"
    ds.PatientID = study.patient_id
    ds.PatientBirthDate = ""
    ds.PatientSex = recorded.sex or ""
    ds.PatientAge = "" if recorded.age_years is None else f"{int(recorded.age_years):03d}Y"
    ds.PatientSize = "" if recorded.height_cm is None else decimal(recorded.height_cm / 100.0)
    ds.PatientWeight = "" if recorded.weight_kg is None else decimal(recorded.weight_kg)


def _study(ds: Dataset, study: Study) -> None:
    """General Study (C.7.2.1)."""
    ds.StudyInstanceUID = study.study_uid
    ds.StudyDate, ds.StudyTime = date(study.started), time(study.started)
    ds.StudyID = str(study.seed)[-16:]
    ds.StudyDescription = "Simulated C-arm drive"
    ds.ReferringPhysicianName = ""
    ds.AccessionNumber = ""


def sop_item(reference: Reference, frame: int | None = None) -> Dataset:
    """An item of a sequence that refers to an instance, or to one of its frames (counted from 1)."""
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class
    item.ReferencedSOPInstanceUID = reference.instance
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def items(*datasets: Dataset) -> Sequence:
    """A sequence of items."""
    return Sequence(list(datasets))


def save(ds: FileDataset, path: Path) -> None:
    """Writes a Part 10 file; the same content gives the same bytes."""
    ds.save_as(path, enforce_file_format=True)
