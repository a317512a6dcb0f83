"""Synthetic CT series as DICOM files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = CT_IMAGE + ".1"
SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big endian": "1.2.840.10008.1.2.2",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "RLE": "1.2.840.10008.1.2.5",
}
SECRETS = ("Mustermann", "Erika", "PX-4711", "4711", "19500203", "ACC998877")
"""What no message may contain; the first four are in every file."""
SECRET_TAGS = {"PatientBirthDate": "19500203", "AccessionNumber": "ACC998877"}
_CODECS = {"JPEG lossless": "JPEG", "JPEG 2000": "JPEG2000"}

Edit = Callable[[Dataset, int], None]
"""Changes the header of slice k before it is written."""


def write_series(
    folder: Path,
    hu: np.ndarray,
    affine: np.ndarray,
    *,
    keep: Iterable[int] | None = None,
    syntax: str = "explicit",
    rescale: Sequence[tuple[float, float]] = ((1.0, -1024.0),),
    step_mm: np.ndarray | None = None,
    heights_mm: Sequence[float] | None = None,
    edit: Edit | None = None,
    uid: str | None = None,
    prefix: str = "slice",
    **tags: Any,
) -> list[Path]:
    """Writes slices ``hu[:, :, k]`` and returns their files.

    Args:
        hu: [columns, rows, slices]; affine: [4, 4], (column, row, slice) to LPS mm.
        keep: which slices, in the order of file names; all by default.
        rescale: (slope, intercept) for slice k modulo their number.
        step_mm: [3] from slice to slice instead of the affine's (a tilted gantry).
        heights_mm: multiplies the unit step for slice k instead of even steps.
        edit: changes single headers. tags: same for all slices.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uid = uid or generate_uid()
    step = affine[:3, 2] if step_mm is None else np.asarray(step_mm, float)
    paths = []
    for name, k in enumerate(range(hu.shape[2]) if keep is None else keep):
        along = k * step if heights_mm is None else heights_mm[k] * step / np.linalg.norm(step)
        slope, intercept = rescale[k % len(rescale)]
        header = header_of(affine, affine[:3, 3] + along, uid)
        header.InstanceNumber = k + 1
        header.RescaleSlope, header.RescaleIntercept = slope, intercept
        set_pixels(header, np.rint((hu[:, :, k].T - intercept) / slope).astype(np.int16), syntax)
        for keyword, value in tags.items():
            setattr(header, keyword, value)
        if edit:
            edit(header, k)
        paths.append(save(header, folder / f"{prefix}_{name:03d}.dcm"))
    return paths


def fresh(path: Path) -> Path:
    """An empty folder for one example of a property."""
    shutil.rmtree(path, ignore_errors=True)
    return path


def header_of(affine: np.ndarray, position: np.ndarray, uid: str) -> Dataset:
    """The header of one axial CT image, without pixels."""
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = CT_IMAGE, generate_uid()
    header.SeriesInstanceUID, header.Modality = uid, "CT"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.PatientName, header.PatientID, header.PatientPosition = "Mustermann^Erika", "PX-4711", "HFS"
    header.SeriesDescription, header.SeriesNumber, header.AcquisitionNumber = "Thorax 1.0", 3, 1
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    axes = affine[:3, :3] / spacing
    header.ImagePositionPatient = decimals(position)
    header.ImageOrientationPatient = decimals([*axes[:, 0], *axes[:, 1]])
    header.PixelSpacing = decimals([spacing[1], spacing[0]])
    header.SliceThickness = decimals([spacing[2]])[0]
    return header


def decimals(values: Iterable[float]) -> list[str]:
    """Decimal strings as DICOM allows them: at most 16 characters."""
    return [f"{value:.8f}"[:16] for value in values]


def set_pixels(header: Dataset, stored: np.ndarray, syntax: str) -> None:
    """Pixels [rows, columns] (or [frames, rows, columns]) of 16 bits, signed or not as their type says."""
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.Rows, header.Columns = stored.shape[-2:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation = int(stored.dtype.kind == "i")
    order = ">" if syntax == "big endian" else "<"
    frames = stored.reshape(-1, *stored.shape[-2:])
    if syntax in _CODECS:
        header.PixelData = encapsulate([encoded(frame, _CODECS[syntax]) for frame in frames])
        return
    header.PixelData = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    if syntax == "RLE":
        header.file_meta.TransferSyntaxUID = SYNTAXES["explicit"]
        header.compress(SYNTAXES["RLE"], generate_instance_uid=False)


def encoded(stored: np.ndarray, codec: str) -> bytes:
    """One compressed frame, made by GDCM."""
    import SimpleITK

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "encoded.dcm")
        writer = SimpleITK.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor(codec)
        writer.SetFileName(path)
        writer.Execute(SimpleITK.GetImageFromArray(stored[None]))
        fragments = pydicom.encaps.generate_fragments(pydicom.dcmread(path).PixelData)
        return b"".join(list(fragments)[1:])


def save(header: Dataset, path: Path) -> Path:
    """Writes a header with whatever values it has."""
    with pydicom.config.disable_value_validation():
        header.save_as(path, enforce_file_format=True)
    return path


def edited(path: Path, **tags: Any) -> Path:
    """Changes tags of a written file; ``None`` deletes."""
    with pydicom.config.disable_value_validation():
        header = pydicom.dcmread(path)
        for keyword, value in tags.items():
            if value is None:
                delattr(header, keyword)
            else:
                setattr(header, keyword, value)
        header.save_as(path, enforce_file_format=True)
    return path


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def write_enhanced(
    path: Path,
    hu: np.ndarray,
    affine: np.ndarray,
    *,
    order: Sequence[int] | None = None,
    syntax: str = "explicit",
    rescale: Sequence[tuple[float, float]] = ((1.0, -1024.0),),
    **tags: Any,
) -> Path:
    """One multi-frame file; ``order``: which slices, in the order of frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = range(hu.shape[2]) if order is None else order
    header = header_of(affine, affine[:3, 3], generate_uid())
    header.SOPClassUID = ENHANCED_CT
    frames, groups = [], []
    for k in order:
        slope, intercept = rescale[k % len(rescale)]
        frames.append(np.rint((hu[:, :, k].T - intercept) / slope))
        position = decimals(affine[:3, 3] + k * affine[:3, 2])
        values = _item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU")
        place = _item(ImagePositionPatient=position)
        groups.append(_item(PlanePositionSequence=[place], PixelValueTransformationSequence=[values]))
    orientation = _item(ImageOrientationPatient=header.ImageOrientationPatient)
    pixels = _item(PixelSpacing=header.PixelSpacing, SliceThickness=header.SliceThickness)
    header.SharedFunctionalGroupsSequence = [
        _item(PlaneOrientationSequence=[orientation], PixelMeasuresSequence=[pixels])
    ]
    header.PerFrameFunctionalGroupsSequence = groups
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(header, keyword)
    header.NumberOfFrames = len(groups)
    set_pixels(header, np.array(frames, np.int16), syntax)
    for keyword, value in tags.items():
        setattr(header, keyword, value)
    return save(header, path)
