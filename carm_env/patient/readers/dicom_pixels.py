"""The pixels of one DICOM image in Hounsfield units, whatever its transfer syntax."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.readers import limits
from carm_env.patient.readers.dicom_headers import is_uncompressed
from carm_env.patient.readers.dicom_privacy import quiet_pydicom, redacted
from carm_env.patient.readers.dicom_slice import CT_IMAGE, Slice
from carm_env.patient.readers.itk import quiet_itk

_FRAME_TAGS = (
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
_OFFSET_TABLES = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def read_pixels(image: Slice) -> NDArray[np.int16]:
    """HU [rows, columns], rescaled, rounded and clipped; pixel padding becomes air.

    Raises:
        CarmError: the pixels are damaged, cut short or of another size than the header says.
    """
    if image.frame is None:
        return _decoded(image, image.path)
    with tempfile.TemporaryDirectory(prefix="carm-") as folder:
        path = Path(folder) / "frame.dcm"
        try:
            with quiet_pydicom():
                _write_frame(image, path)
        except CarmError:
            raise
        except Exception as error:  # pydicom raises many types on malformed files
            raise CarmError(f"{_name(image)}: its frames cannot be told apart; want classic single slices") from error
        return _decoded(image, path)


def _decoded(image: Slice, path: Path) -> NDArray[np.int16]:
    import SimpleITK

    try:
        with quiet_itk():
            reader = SimpleITK.ImageFileReader()
            reader.SetImageIO("GDCMImageIO")
            reader.SetFileName(str(path))
            if not is_uncompressed(image.syntax):
                reader.ReadImageInformation()
                _check_size(image, reader.GetSize())
            pixels = reader.Execute()
    except CarmError:
        raise
    except Exception as error:
        raise CarmError(
            f"{_name(image)}: pixels ({_syntax_name(image.syntax)}) cannot be decoded; want an undamaged file, or one "
            "that is stored uncompressed (gdcmconv --raw)"
        ) from error
    _check_size(image, pixels.GetSize())
    if pixels.GetNumberOfComponentsPerPixel() != 1:
        raise CarmError(f"{_name(image)}: colour pixels; want one value a pixel")
    raw = SimpleITK.GetArrayViewFromImage(pixels).reshape(image.rows, image.columns)
    hu = np.empty(raw.shape, np.int16)
    limits.check_finite(limits.to_hu(raw, hu), raw.size, _name(image))
    if image.padding is not None:
        low, high = sorted(value * image.slope + image.intercept for value in image.padding)
        slack = abs(image.slope) / 4
        hu[(raw >= low - slack) & (raw <= high + slack)] = limits.HU_MIN
    return hu


def _check_size(image: Slice, size: Any) -> None:
    """A compressed image has a size of its own; ``size`` is columns, rows and perhaps ones."""
    have = tuple(int(n) for n in size)
    if have[:2] != (image.columns, image.rows) or any(n != 1 for n in have[2:]):
        text = " x ".join(map(str, have))
        raise CarmError(
            f"{_name(image)}: pixel data of {text}, the header says {image.columns} x {image.rows}; want both equal"
        )


def _write_frame(image: Slice, path: Path) -> None:
    """One frame as a classic CT image with no more than its pixels; GDCM would take the first frame's rescale."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, generate_uid

    source = _pixel_header(image.path, image.path.stat().st_mtime_ns)
    frame = Dataset()
    for keyword in _FRAME_TAGS:
        setattr(frame, keyword, source.get(keyword))
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = UID(image.syntax)
    frame.file_meta.MediaStorageSOPClassUID = frame.SOPClassUID = UID(CT_IMAGE)
    frame.file_meta.MediaStorageSOPInstanceUID = frame.SOPInstanceUID = generate_uid()
    frame.Modality = "CT"
    frame.RescaleSlope, frame.RescaleIntercept = f"{image.slope:.10g}", f"{image.intercept:.10g}"
    block = _frame_bytes(image, source)
    frame.PixelData = block if is_uncompressed(image.syntax) else encapsulate([block])
    frame.save_as(path, enforce_file_format=True)


@lru_cache(maxsize=2)
def _pixel_header(path: Path, changed_ns: int) -> Any:
    from pydicom import dcmread

    return dcmread(path, stop_before_pixels=True, specific_tags=[*_FRAME_TAGS, *_OFFSET_TABLES])


def _frame_bytes(image: Slice, header: Any) -> bytes:
    from pydicom.encaps import get_frame

    assert image.frame is not None
    with image.path.open("rb") as stream:
        if is_uncompressed(image.syntax):
            size = image.rows * image.columns * int(header.BitsAllocated) // 8
            stream.seek(image.pixel_offset + image.frame * size)
            return stream.read(size)
        stream.seek(image.pixel_offset)
        tables = tuple(header.get(keyword) for keyword in _OFFSET_TABLES)
        offsets: Any = tables if all(tables) else None
        return get_frame(stream, image.frame, extended_offsets=offsets, number_of_frames=image.frames)


def _name(image: Slice) -> str:
    frame = "" if image.frame is None else f" frame {image.frame + 1}"
    return redacted(image.path.name, image.person.identifiers) + frame


def _syntax_name(syntax: str) -> str:
    from pydicom.uid import UID_dictionary

    known = UID_dictionary.get(syntax)
    return known[0] if known else "an unknown transfer syntax"
