"""Values of DICOM tags that may be missing, malformed or of the wrong count."""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from typing import Any

_GROUP_OF = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "StackID": "FrameContentSequence",
}


class MalformedError(ValueError):
    """A tag whose value cannot be used; the message names the tag, never the value."""


class Groups:
    """The functional groups of one frame, looked up by keyword: its own, else what all frames share."""

    def __init__(self, own: Any, shared: Any) -> None:
        self._places = [d for d in (own, shared) if d is not None]

    def get(self, keyword: str) -> Any:
        """The value, or ``None``."""
        group = _GROUP_OF.get(keyword)
        for place in self._places:
            inner = first(place, group) if group else None
            if inner is not None and inner.get(keyword) is not None:
                return inner.get(keyword)
        return None


def first(header: Any, keyword: str) -> Any:
    """The first item of a sequence, or ``None``."""
    sequence = header.get(keyword)
    return sequence[0] if sequence else None


def value(header: Any, keyword: str) -> Any:
    """A tag's value; ``None`` where it is absent.

    Raises:
        MalformedError: it cannot be read.
    """
    try:
        return header.get(keyword)
    except Exception as error:  # pydicom raises many types on malformed values
        raise MalformedError(f"an unreadable {keyword}") from error


def strict_text(header: Any, keyword: str) -> str:
    """A tag's value as text, its parts joined by backslashes; empty where it is absent.

    Raises:
        MalformedError: it cannot be read.
    """
    found = value(header, keyword)
    if found is None:
        return ""
    if isinstance(found, MutableSequence | tuple):
        return "\\".join(str(part).strip() for part in found)
    return str(found).strip()


def text(header: Any, keyword: str) -> str:
    """As ``strict_text``, but empty where the value cannot be read."""
    try:
        return strict_text(header, keyword)
    except MalformedError:
        return ""


def integer(header: Any, keyword: str) -> int | None:
    """A whole number; ``None`` where the tag is absent or unreadable."""
    try:
        return int(text(header, keyword))
    except ValueError:
        return None


def numbers(header: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """``count`` numbers, which may be NaN; ``None`` where the tag is absent or empty.

    Raises:
        MalformedError: they are no numbers, or of another count.
    """
    parts = [part for part in strict_text(header, keyword).split("\\") if part.strip()]
    try:
        found = tuple(map(float, parts))
    except ValueError as error:
        raise MalformedError(f"an unreadable {keyword}") from error
    if found and len(found) != count:
        raise MalformedError(f"{keyword} of {len(found)} instead of {count} numbers")
    return found or None


def number(header: Any, keyword: str) -> float | None:
    """One finite number; ``None`` where the tag is absent or holds anything else."""
    try:
        found = numbers(header, keyword, 1)
    except MalformedError:
        return None
    return found[0] if found and math.isfinite(found[0]) else None
