"""SimpleITK without its noise, and NRRD and MHA files to volumes in LPS millimetres."""

from __future__ import annotations

import math
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from carm_env.errors import CarmError
from carm_env.patient.model import Volume
from carm_env.patient.readers import limits
from carm_env.patient.readers.itk_headers import read_stored
from carm_env.patient.readers.nifti import GZIP_MAX_RATIO, Header, read_volume

_GZIP_OR_ZLIB = 47
"""zlib's window bits for either."""
_BLOCK = 2**18
_TYPES = ("Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float32", "Float64")
_STDERR = 2
_quiet = threading.RLock()


@contextmanager
def quiet_itk() -> Iterator[None]:
    """ITK, GDCM and the codecs in them print nothing: they write to the process's stderr and may quote the file.

    One thread at a time; what other threads write to stderr meanwhile is lost.
    """
    import SimpleITK

    with _quiet:
        warned = SimpleITK.ProcessObject_GetGlobalWarningDisplay()
        SimpleITK.ProcessObject_SetGlobalWarningDisplay(False)
        saved = _swap_stderr()
        try:
            yield
        finally:
            if saved is not None:
                os.dup2(saved, _STDERR)
                os.close(saved)
            SimpleITK.ProcessObject_SetGlobalWarningDisplay(warned)


def _swap_stderr() -> int | None:
    """Sends stderr nowhere; returns a copy of what it was, or ``None`` if there is none."""
    try:
        saved = os.dup(_STDERR)
    except OSError:
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
    return saved


class _Inflated:
    """What a gzip or zlib stream holds, from where the file stands; no more is inflated than is asked for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._inflate, self._at = stream, zlib.decompressobj(_GZIP_OR_ZLIB), 0

    def tell(self) -> int:
        """Bytes read so far."""
        return self._at

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes, fewer at the end."""
        parts = []
        while count > 0 and not self._inflate.eof:
            block = self._inflate.unconsumed_tail or self._stream.read(_BLOCK)
            if not block:
                break
            part = self._inflate.decompress(block, count)
            parts.append(part)
            count -= len(part)
        data = b"".join(parts)
        self._at += len(data)
        return data

    def check(self) -> None:
        """Raises ``zlib.error`` unless the end of the stream confirms what was read."""
        self.read(1)
        if not self._inflate.eof:
            raise zlib.error("the end is missing")


def read_itk(path: str | Path) -> Volume:
    """Reads a CT from ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mhd`` (raw or gzip), in the form of ``read_nifti``.

    A detached data file must lie beside its header. NRRD must name its space (LPS, RAS or LAS) and directions,
    MetaImage its TransformMatrix and Offset: ITK would take left and right for granted. Peak memory is the int16 volume
    plus a few slabs.

    Raises:
        CarmError: the file is missing, malformed, cut short, not three-dimensional, or does not hold a CT in HU.
    """
    path = Path(path)
    try:
        if path.is_dir() or not path.exists():
            raise CarmError(f"{path}: no such file; want a CT as .nrrd or .mha")
        if not path.is_file():
            raise CarmError(f"{path}: not a regular file; want a CT as .nrrd or .mha")
        return _read(path)
    except CarmError:
        raise
    except zlib.error as error:
        raise CarmError(f"{path}: the compressed voxels are damaged or cut short; want the complete file") from error
    except OSError as error:
        raise CarmError(f"{path}: cannot be read ({error.strerror or 'error'}); want a readable file") from error
    except ValueError as error:
        raise CarmError(f"{str(path)[:200]!r}: not a usable path; want a CT as .nrrd or .mha") from error


def _read(path: Path) -> Volume:
    stored = read_stored(path)
    with quiet_itk():
        shape, dtype, affine = _information(path, stored.image_io)
    limits.check_shape(shape, path)
    limits.check_affine(affine, shape, path)
    if stored.big_endian:
        dtype = dtype.newbyteorder(">")
    size = stored.path.stat().st_size
    needed = math.prod(shape) * dtype.itemsize
    offset = size - needed if stored.offset == -1 else stored.offset
    held = (size - offset) * (GZIP_MAX_RATIO if stored.compressed else 1)
    if offset < 0 or held < needed:
        text = " x ".join(map(str, shape))
        raise CarmError(f"{path}: cut short: {text} voxels need {needed} bytes, the file has {size}; want all of it")
    with stored.path.open("rb") as stream:
        if not stored.compressed:
            return read_volume(stream, Header(shape, dtype, offset, 1.0, 0.0, affine), path)
        stream.seek(offset)
        inflated: Any = _Inflated(stream)
        volume = read_volume(inflated, Header(shape, dtype, 0, 1.0, 0.0, affine), path)
        inflated.check()
        return volume


def _information(path: Path, image_io: str) -> tuple[tuple[int, int, int], np.dtype[Any], limits.F64]:
    """Shape, voxel type and affine to LPS mm as ITK understands the header."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise CarmError(f"{path}: a header that ITK cannot read; want a valid NRRD or MetaImage file") from error
    types = {getattr(SimpleITK, f"sitk{name}"): np.dtype(name.lower()) for name in _TYPES}
    dtype = types.get(reader.GetPixelIDValue())
    if dtype is None or reader.GetNumberOfComponents() != 1:
        raise CarmError(f"{path}: {reader.GetNumberOfComponents()} values a voxel, or no real ones; want one (HU)")
    if reader.GetDimension() != 3:
        raise CarmError(f"{path}: {reader.GetDimension()}-D data; want one 3-D CT")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(reader.GetDirection(), (3, 3)) * np.array(reader.GetSpacing())
    affine[:3, 3] = reader.GetOrigin()
    nx, ny, nz = (int(n) for n in reader.GetSize())
    return (nx, ny, nz), dtype, affine
