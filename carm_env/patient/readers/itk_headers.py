"""The text headers of NRRD and MetaImage files: where the voxels are, and whether left and right are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from carm_env.errors import CarmError

_MAX_LINE, _MAX_LINES = 16_384, 2_000
_SPACES = ("left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las")
"""Those that ITK converts to LPS; of others it would take the numbers as they are."""
_GEOMETRY = (("transformmatrix", "rotation", "orientation"), ("offset", "position", "origin"), ("elementspacing",))


@dataclass(frozen=True)
class Stored:
    """Where voxels lie: ``offset`` bytes into ``path`` (-1: at its end), in which byte order, compressed or not.

    ``image_io``: ITK's class for the header.
    """

    image_io: str
    path: Path
    offset: int
    big_endian: bool
    compressed: bool


def read_stored(path: Path) -> Stored:
    """Reads a header as text and checks all that decides which bytes are read.

    Raises:
        CarmError: neither format, geometry is missing, or the voxels lie in several files or in another folder.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        if magic == b"NRRD":
            return _nrrd(dict(_nrrd_fields(stream)), path, stream.tell())
        fields = dict(_meta_fields(stream, path))
        return _meta(fields, path, stream.tell())


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for _ in range(_MAX_LINES):
        line = stream.readline(_MAX_LINE)
        if not line:
            return
        yield line.decode("utf-8", "surrogateescape").strip()


def _nrrd_fields(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Fields up to the blank line; the stream is left behind it."""
    for line in _lines(stream):
        if not line:
            return
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            yield key.strip().lower(), _plain(value)


def _plain(value: str) -> str:
    """A field's value with every white space, line separators among it, as blanks."""
    return "".join(" " if c.isspace() else c for c in value).strip()


def _nrrd(fields: dict[str, str], path: Path, end: int) -> Stored:
    if fields.get("dimension", "3") != "3":
        raise CarmError(f"{path}: {fields['dimension'][:8]}-dimensional data; want one 3-D CT of one value a voxel")
    space = fields.get("space", "none")
    if space.lower() not in _SPACES or "space directions" not in fields:
        raise CarmError(
            f"{path}: its space ({space[:40]}) or its directions are missing or unknown, so are left and right; "
            "want 'space: left-posterior-superior' with 'space directions'"
        )
    units = set(fields.get("space units", "").replace('"', " ").lower().split())
    if not units <= {"mm", "millimeter", "millimeters", "millimetre", "millimetres"}:
        raise CarmError(f"{path}: space units other than mm; want millimetres")
    encoding = fields.get("encoding", "none").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise CarmError(f"{path}: encoding {encoding[:20]}; want raw or gzip")
    offset = _integer(fields, "byte skip", path) or _integer(fields, "byteskip", path)
    lines = _integer(fields, "line skip", path) or _integer(fields, "lineskip", path)
    if lines or offset < -1 or (offset and encoding != "raw"):
        raise CarmError(f"{path}: skips lines or bytes before the voxels; want a file without 'line skip'")
    name = fields.get("data file", fields.get("datafile"))
    data = path if name is None else _beside(path, name)
    start = offset if offset < 0 or name is not None else end + offset
    return Stored("NrrdImageIO", data, start, fields.get("endian", "little").lower() == "big", encoding != "raw")


def _meta_fields(stream: IO[bytes], path: Path) -> Iterator[tuple[str, str]]:
    """Fields up to ``ElementDataFile``, which is the last; the stream is left behind it."""
    for line in _lines(stream):
        key, equals, value = line.partition("=")
        if not equals:
            break
        yield key.strip().lower(), _plain(value)
        if key.strip().lower() == "elementdatafile":
            return
    raise CarmError(f"{path}: neither an NRRD nor a complete MetaImage header; want a CT as .nrrd or .mha")


def _meta(fields: dict[str, str], path: Path, end: int) -> Stored:
    if fields.get("ndims") != "3":
        raise CarmError(f"{path}: {fields.get('ndims', 'no')[:8]} dimensions; want one 3-D CT")
    for names in _GEOMETRY:
        if not any(name in fields for name in names):
            raise CarmError(
                f"{path}: no {names[0]} in its header, left and right or sizes are unknown; want TransformMatrix, "
                "Offset and ElementSpacing"
            )
    if fields.get("binarydata", "true").lower() not in ("true", "1"):
        raise CarmError(f"{path}: voxels as text; want BinaryData = True")
    for key, neutral in (("elementtointensityfunctionslope", 1.0), ("elementtointensityfunctionoffset", 0.0)):
        if _number(fields.get(key, "")) not in (None, neutral):
            raise CarmError(f"{path}: an intensity function, which ITK ignores; want voxels that are HU themselves")
    compressed = _is_true(fields, "compresseddata")
    offset = _integer(fields, "headersize", path)
    if offset < -1 or (compressed and offset):
        raise CarmError(f"{path}: HeaderSize {offset}; want none, or -1")
    name = fields["elementdatafile"]
    local = name.upper() == "LOCAL"
    data = path if local else _beside(path, name)
    big = _is_true(fields, "binarydatabyteordermsb") or _is_true(fields, "elementbyteordermsb")
    return Stored("MetaImageIO", data, end if local and offset >= 0 else offset, big, compressed)


def _beside(path: Path, name: str) -> Path:
    """The one data file that a header names: in its own folder, by a bare name, and no link out of it."""
    if name.upper().split()[:1] == ["LIST"] or "%" in name:
        raise CarmError(f"{path}: voxels in several files; want one file that holds them all")
    data = path.parent / name
    if not name or "/" in name or "\\" in name or name in (".", "..") or "\0" in name:
        raise CarmError(f"{path}: its data file is no bare name; want a file in the same folder")
    if data.resolve().parent != path.parent.resolve():
        raise CarmError(f"{path}: its data file is a link out of the folder; want the file itself")
    if not data.is_file():
        raise CarmError(f"{path}: its data file {name[:80]!r} is missing; want it in the same folder")
    return data


def _is_true(fields: dict[str, str], key: str) -> bool:
    return fields.get(key, "false").lower() in ("true", "1")


def _integer(fields: dict[str, str], key: str, path: Path) -> int:
    number = _number(fields.get(key, "0"))
    if number is None or number != int(number):
        raise CarmError(f"{path}: {key} is no whole number; want one")
    return int(number)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 2**62 else None
