"""One image of a DICOM series: what its header says, without its pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carm_env.patient.model import PLAUSIBLE, Demographics
from carm_env.patient.readers.dicom_privacy import tokens
from carm_env.patient.readers.dicom_values import Groups, MalformedError, first, integer, number, numbers, text

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MULTI_FRAME_CT = (CT_IMAGE + ".1", CT_IMAGE + ".2")
"""Enhanced CT and what was converted to it."""
MAX_SIDE = 4096
MAX_FRAMES = 20_000
_IDENTIFYING = ("PatientName", "PatientID", "OtherPatientIDs", "PatientBirthDate", "AccessionNumber")
TAGS: tuple[str, ...] = (
    *_IDENTIFYING,
    *("PatientSex", "PatientAge", "PatientSize", "PatientWeight", "PatientPosition"),
    *("SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "ImageType"),
    *("InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier", "ConvolutionKernel"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_HU_TYPES = ("", "HU", "HU_MOD", "US")
"""Values of RescaleType that CT images in HU have; others are maps of iodine, electron density and the like."""
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True, slots=True)
class Person:
    """Whose images these are. ``key`` groups by patient, ``identifiers`` must not appear in any output."""

    key: str = field(repr=False)
    identifiers: frozenset[str] = field(repr=False)
    demographics: Demographics


@dataclass(frozen=True, slots=True)
class Slice:
    """One image; ``None`` where the header is silent.

    Attributes:
        frame: 0-based in a file of several frames.
        aside: why it is no CT slice (others of its series may be), else empty.
        fault: why its series cannot be trusted (damaged or absurd), else empty.
        position_mm, orientation: LPS. pixel_mm: distance of rows, then of columns, as DICOM has it.
        padding: lowest and highest stored value that stand for "no data".
        variant: what else tells stacks of one series apart (image type, kernel, time), in this order.
        pixel_offset: where the pixel data element starts in the file.
    """

    path: Path = field(repr=False)
    person: Person
    series: str = field(repr=False)
    aside: str
    fault: str
    frame: int | None
    modality: str
    sop_class: str
    syntax: str
    description: str = field(repr=False)
    series_number: int
    instance: int | None
    acquisition: int | None
    variant: tuple[str, ...]
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_mm: tuple[float, ...] | None
    thickness_mm: float | None
    rows: int
    columns: int
    slope: float
    intercept: float
    padding: tuple[int, int] | None
    frames: int
    patient_position: str
    image_type: tuple[str, ...]
    pixel_offset: int = 0


def read_tags(header: Any, path: Path) -> list[Slice]:
    """The slices of one header: one, or one a frame.

    Args:
        header: a pydicom dataset with ``TAGS``; ``file_meta`` where the file has one.
        path: its file.
    """
    base = _Base(header, path)
    if base.sop_class not in MULTI_FRAME_CT or base.aside or base.fault:
        return [base.slice(None, header)]
    shared = first(header, "SharedFunctionalGroupsSequence")
    each = header.get("PerFrameFunctionalGroupsSequence")
    if each is None or len(each) != base.frames:
        base.fault = f"{base.frames} frames, geometry of {0 if each is None else len(each)}"
        return [base.slice(None, header)]
    return [base.slice(k, Groups(group, shared)) for k, group in enumerate(each)]


class _Base:
    """What all frames of a file have in common, and why the file is no good, if so."""

    def __init__(self, header: Any, path: Path) -> None:
        self.header, self.path = header, path
        meta = getattr(header, "file_meta", None) or {}
        self.syntax = str(meta.get("TransferSyntaxUID") or "")
        self.sop_class = str(text(header, "SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")
        modality = text(header, "Modality").upper()
        self.modality = modality if re.fullmatch(r"[A-Z0-9_]{0,16}", modality) else "UNKNOWN"
        self.image_type = tuple(text(header, "ImageType").upper().split("\\"))
        self.rows, self.columns = integer(header, "Rows") or 0, integer(header, "Columns") or 0
        frames = integer(header, "NumberOfFrames")
        self.frames = 1 if frames is None else frames
        self.person = _person(header)
        self.padding = _padding(header)
        self.aside = self._aside()
        self.fault = "" if self.aside else self._fault()

    def slice(self, frame: int | None, groups: Any) -> Slice:
        """The slice of one frame (``None``: of a classic file), with the geometry that ``groups`` says."""
        header, aside, fault = self.header, self.aside, self.fault
        if text(groups, "RescaleType").upper() not in _HU_TYPES:
            aside = aside or "values that are no HU (RescaleType)"
        geometry = _NO_GEOMETRY
        try:
            geometry = _geometry(groups)
            if not fault and not all(geometry[key] for key in ("position_mm", "orientation", "pixel_mm")):
                aside = aside or "no position, orientation or pixel spacing"
        except MalformedError as error:
            fault = fault or str(error)
        moment = text(header, "TemporalPositionIdentifier") + text(groups, "TemporalPositionIndex")
        stack = text(groups, "StackID") if frame is not None else ""
        return Slice(
            path=self.path,
            person=self.person,
            series=text(header, "SeriesInstanceUID") or f"{self.path.parent} {text(header, 'SeriesNumber')}",
            aside=aside,
            fault=fault,
            frame=frame,
            modality=self.modality,
            sop_class=self.sop_class,
            syntax=self.syntax,
            description=text(header, "SeriesDescription"),
            series_number=integer(header, "SeriesNumber") or 0,
            instance=integer(header, "InstanceNumber") if frame is None else frame + 1,
            acquisition=integer(groups, "AcquisitionNumber" if frame is None else "FrameAcquisitionNumber"),
            variant=("\\".join(self.image_type), text(header, "ConvolutionKernel"), moment, stack),
            rows=self.rows,
            columns=self.columns,
            frames=self.frames,
            patient_position=text(header, "PatientPosition").upper()[:16],
            image_type=self.image_type,
            padding=self.padding,
            **geometry,
        )

    def _aside(self) -> str:
        if self.modality not in ("CT", ""):
            return f"modality {self.modality}"
        if "LOCALIZER" in self.image_type:
            return "a localizer"
        if self.sop_class not in (CT_IMAGE, *MULTI_FRAME_CT):
            return "no CT image (a secondary capture, report or the like)"
        if (integer(self.header, "SamplesPerPixel") or 1) != 1:
            return "a colour image"
        return ""

    def _fault(self) -> str:
        if self.rows < 1 or self.columns < 1:
            return "a header without Rows and Columns"
        if max(self.rows, self.columns) > MAX_SIDE:
            return f"the header claims {self.columns} x {self.rows} pixels, more than {MAX_SIDE} along a side"
        if not 1 <= self.frames <= MAX_FRAMES:
            return f"the header claims {self.frames} frames"
        if self.frames > 1 and self.sop_class not in MULTI_FRAME_CT:
            return f"{self.frames} frames in a classic CT image"
        if integer(self.header, "BitsAllocated") not in (8, 16, 32):
            return "BitsAllocated other than 8, 16 or 32"
        return ""


_NO_GEOMETRY: dict[str, Any] = {
    "position_mm": None,
    "orientation": None,
    "pixel_mm": None,
    "thickness_mm": None,
    "slope": 1.0,
    "intercept": 0.0,
}


def _geometry(groups: Any) -> dict[str, Any]:
    slope, intercept = numbers(groups, "RescaleSlope", 1), numbers(groups, "RescaleIntercept", 1)
    if slope and not 1e-6 <= abs(slope[0]) <= 1e4:
        raise MalformedError("a RescaleSlope that is zero or absurd")
    if intercept and not abs(intercept[0]) <= 1e6:
        raise MalformedError("a RescaleIntercept that is absurd")
    return {
        "position_mm": numbers(groups, "ImagePositionPatient", 3),
        "orientation": numbers(groups, "ImageOrientationPatient", 6),
        "pixel_mm": numbers(groups, "PixelSpacing", 2),
        "thickness_mm": number(groups, "SliceThickness"),
        "slope": slope[0] if slope else 1.0,
        "intercept": intercept[0] if intercept else 0.0,
    }


def _padding(header: Any) -> tuple[int, int] | None:
    """The range of stored values that stand for no data; a signed value in an unsigned tag is put right."""
    bits = integer(header, "BitsAllocated") or 16
    signed = integer(header, "PixelRepresentation") == 1
    values = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        stored = integer(header, keyword)
        if stored is not None:
            stored %= 2**bits
            values.append(stored - 2**bits if signed and stored >= 2 ** (bits - 1) else stored)
        elif not values:
            return None
    return min(values), max(values)


def _person(header: Any) -> Person:
    raw = [text(header, keyword) for keyword in _IDENTIFYING]
    name_and_id = "\x1f".join(raw[:2])
    age = re.fullmatch(r"(\d{1,3})([DWMY])", text(header, "PatientAge").upper())
    metres = number(header, "PatientSize")
    sex = text(header, "PatientSex").upper()
    return Person(
        key=name_and_id,
        identifiers=tokens(*raw),
        demographics=Demographics(
            sex="F" if sex == "F" else "M" if sex == "M" else None,
            age_years=_plausible("age_years", int(age[1]) * _YEARS[age[2]] if age else None),
            height_cm=_plausible("height_cm", round(metres * 100, 1) if metres else None),
            weight_kg=_plausible("weight_kg", number(header, "PatientWeight")),
        ),
    )


def _plausible(name: str, value: float | None) -> float | None:
    low, high = PLAUSIBLE[name]
    return value if value is not None and low <= value <= high else None
