"""The headers of all DICOM images in a file or folder; no pixels."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from carm_env.errors import CarmError
from carm_env.patient.readers.dicom_privacy import quiet_pydicom, redacted
from carm_env.patient.readers.dicom_slice import TAGS, Slice, read_tags
from carm_env.patient.readers.dicom_values import integer

MAX_FILES = 200_000
MAX_DEPTH = 32
_MAX_ELEMENT_BYTES = 2**26
"""Larger values of single tags are left in the file."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", _BIG_ENDIAN, "")
_STORAGE = "1.2.840.10008.5.1.4."
_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1."
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""How a file without preamble starts: group 2, or group 8 in either byte order."""


@dataclass(frozen=True)
class Headers:
    """What a folder holds: ``slices`` by path, how many files are no DICOM images, and ``notes``, one line each."""

    slices: tuple[Slice, ...]
    others: int
    notes: tuple[str, ...]


def is_uncompressed(syntax: str) -> bool:
    """Whether a transfer syntax stores pixels as they are."""
    return syntax in _UNCOMPRESSED


def scan_folder(folder: Path, recursive: bool = False) -> Headers:
    """Reads the headers of all DICOM files in a folder, ``recursive``: and below it.

    Links that lead out of the folder are ignored, with a note; other links are followed once. Files that are no DICOM
    images are counted.

    Raises:
        CarmError: a file or folder cannot be read, or there are more than ``MAX_FILES`` files.
    """
    unreadable: list[tuple[Path, OSError]] = []
    paths, outside = _files(folder, recursive, unreadable)
    slices: list[Slice] = []
    others = 0
    for path in paths:
        try:
            images = scan_file(path)
        except OSError as error:
            unreadable.append((path, error))
            continue
        others += not images
        slices += images
    if unreadable:
        where, why = redacted(unreadable[0][0], all_identifiers(slices)), unreadable[0][1].strerror or "error"
        raise CarmError(f"{where}: cannot be read ({why}); want readable files") from unreadable[0][1]
    notes = (f"{outside} link{'s' * (outside > 1)} out of the folder not followed",) if outside else ()
    return Headers(tuple(slices), others, notes)


def scan_file(path: Path) -> list[Slice]:
    """The images of one file: none if it is no DICOM image, one for each frame if it has several.

    Raises:
        OSError: the file cannot be read at all.
    """
    with path.open("rb") as stream, quiet_pydicom():
        return _images(stream, path)


def all_identifiers(slices: Iterable[Slice]) -> frozenset[str]:
    """The identifiers of everybody whose images these are."""
    return frozenset().union(*{s.person.identifiers for s in slices})


def _images(stream: IO[bytes], path: Path) -> list[Slice]:
    start = stream.read(132)
    has_preamble = start[128:] == b"DICM"
    if not has_preamble and start[:2] not in _FIRST_GROUPS:
        return []
    try:
        if has_preamble and _is_deflated(path):
            return [_unread(path, "a deflated transfer syntax")]
        header = _header(stream, has_preamble)
        slices = read_tags(header, path)
    except OSError:
        raise
    except Exception:  # pydicom raises many types on malformed files
        return [_unread(path, "a damaged header")] if has_preamble else []
    sop_class = slices[0].sop_class
    if (sop_class or not has_preamble) and not sop_class.startswith(_STORAGE if has_preamble else _IMAGE_STORAGE):
        return []
    if slices[0].aside or slices[0].fault:
        return slices
    fault, offset = _pixels(stream, slices[0], integer(header, "BitsAllocated") or 0)
    return [replace(s, fault=s.fault or fault, pixel_offset=offset) for s in slices]


def _is_deflated(path: Path) -> bool:
    """Such files are not opened further: pydicom would inflate them whole, to any size."""
    from pydicom.filereader import read_file_meta_info

    return read_file_meta_info(path).get("TransferSyntaxUID") == _DEFLATED


def _header(stream: IO[bytes], has_preamble: bool) -> Any:
    """The dataset up to the pixels; leaves ``stream`` there."""
    from pydicom import dcmread

    stream.seek(0)
    return dcmread(
        stream, _MAX_ELEMENT_BYTES, stop_before_pixels=True, force=not has_preamble, specific_tags=list(TAGS)
    )


def _unread(path: Path, why: str) -> Slice:
    from pydicom import Dataset

    return replace(read_tags(Dataset(), path)[0], aside=why)


def _pixels(stream: IO[bytes], image: Slice, bits: int) -> tuple[str, int]:
    """What is wrong with the pixel data, if anything, and where in the file they start."""
    start = stream.tell()
    order: Literal["little", "big"] = "big" if image.syntax == _BIG_ENDIAN else "little"
    head = stream.read(12)
    tag = [int.from_bytes(head[k : k + 2], order) for k in (0, 2)]
    if len(head) < 12 or tag != [0x7FE0, 0x0010]:
        return "no pixel data (a header alone, or cut short)", 0
    explicit = head[4:6] in (b"OB", b"OW", b"UN")
    length = int.from_bytes(head[8:12] if explicit else head[4:8], order)
    offset = start + (12 if explicit else 8)
    if not is_uncompressed(image.syntax):
        return "", offset
    needed = image.rows * image.columns * image.frames * bits // 8
    held = min(length, os.fstat(stream.fileno()).st_size - offset)
    if held < needed:
        return f"pixel data cut short ({held} of {needed} bytes)", offset
    return "", offset


def _files(folder: Path, recursive: bool, unreadable: list[tuple[Path, OSError]]) -> tuple[list[Path], int]:
    """Files in a stable order, each once, and the number of links that lead out of the folder.

    Folders that cannot be listed go to ``unreadable``.
    """
    top = folder.resolve()
    found: set[Path] = set()
    outside = 0
    pending = [Path()]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(folder / current) as listing:
                entries = list(listing)
        except OSError as error:
            unreadable.append((folder / current, error))
            continue
        for entry in entries:
            inside = current / entry.name
            if entry.is_symlink():
                target = Path(entry.path).resolve()
                outside += not target.is_relative_to(top)
                if target.is_relative_to(top) and target.is_file():
                    found.add(target.relative_to(top))
            elif entry.is_dir(follow_symlinks=False):
                if recursive:
                    pending.append(inside)
            elif entry.is_file(follow_symlinks=False):
                found.add(inside)
        if len(found) > MAX_FILES:
            raise CarmError(f"{folder}: holds more than {MAX_FILES} files; want the folder of one patient")
        if len(current.parts) > MAX_DEPTH:
            raise CarmError(f"{folder}: folders nested deeper than {MAX_DEPTH}; want the folder of one patient")
    return [folder / inside for inside in sorted(found)], outside
