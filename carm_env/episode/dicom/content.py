"""Content items of a structured report (PS3.3 C.17.3), as highdicom writes them."""

from __future__ import annotations

from datetime import datetime

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DateTimeContentItem,
    ImageContentItem,
    NumContentItem,
    TextContentItem,
    UIDRefContentItem,
)
from pydicom.sr.coding import Code

from carm_env.episode.dicom.study import Reference
from carm_env.episode.dicom.values import date_time, decimal

CONTAINS, CONTEXT, MODIFIER, PROPERTY = "CONTAINS", "HAS OBS CONTEXT", "HAS CONCEPT MOD", "HAS PROPERTIES"


def _with(item: ContentItem, children: tuple[ContentItem, ...]) -> ContentItem:
    if children:
        item.ContentSequence = ContentSequence(children)
    return item


def container(name: Code, *children: ContentItem, relationship: str | None = CONTAINS) -> ContentItem:
    """CONTAINER; ``relationship=None`` makes the root."""
    return _with(ContainerContentItem(name, is_content_continuous=False, relationship_type=relationship), children)


def code(name: Code, value: Code, *children: ContentItem, relationship: str = CONTAINS) -> ContentItem:
    """CODE."""
    return _with(CodeContentItem(name, value, relationship), children)


def number(name: Code, value: float, unit: Code) -> ContentItem:
    """NUM. The decimal string has all digits that fit; where they do not tell the value, the floating point value does
    (C.18.1)."""
    item = NumContentItem(name, float(value), unit, relationship_type=CONTAINS)
    measured = item.MeasuredValueSequence[0]
    measured.NumericValue = decimal(value)
    if float(measured.NumericValue) == float(value):
        del measured.FloatingPointValue
    return item


def text(name: Code, value: str, relationship: str = CONTAINS) -> ContentItem:
    """TEXT."""
    return TextContentItem(name, value, relationship)


def identifier(name: Code, value: str, relationship: str = CONTAINS) -> ContentItem:
    """UIDREF."""
    return UIDRefContentItem(name, value, relationship)


def moment(name: Code, value: datetime) -> ContentItem:
    """DATETIME."""
    return DateTimeContentItem(name, date_time(value), CONTAINS)


def image(name: Code, reference: Reference, frame: int) -> ContentItem:
    """IMAGE: one frame of an instance, counted from 1."""
    return ImageContentItem(name, reference.sop_class, reference.instance, frame, relationship_type=CONTAINS)
