"""NIfTI files to volumes in LPS millimetres; every bad file ends in one line that says what would be right."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Volume
from carm_env.patient.readers import limits

GZIP_MAX_RATIO = 1032
_SLAB_BYTES = 16 * 2**20
_MM_OF_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Spatial unit codes of NIfTI: metre, millimetre, micrometre; unknown ones are taken as millimetres."""
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Header:
    """What the reader needs of a NIfTI header: stored shape [3], voxel type, scaling and affine to LPS mm."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: NDArray[np.float64]


def read_nifti(path: str | Path) -> Volume:
    """Reads a CT from ``.nii`` or ``.nii.gz`` (NIfTI-1 or NIfTI-2, any axis order and flips).

    Index axes are permuted and flipped so that they point closest to +x, +y, +z of LPS; obliquity stays in the affine.
    HU are scaled by slope and intercept, rounded and clipped to [-1024, 32767]. The file is decoded in slabs, so peak
    memory is the int16 volume plus a few slabs.

    Raises:
        CarmError: the file is missing, no NIfTI, cut short, not three-dimensional, or does not hold a CT in HU.
    """
    path = Path(path)
    with opened(path) as (stream, header):
        return read_volume(stream, header, path)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], Header]]:
    """A NIfTI file whose header is checked and which can hold the voxels that it claims; ``slabs`` reads these.

    The stream stands behind the header. What breaks while the block reads on is told like what breaks here.

    Raises:
        CarmError: the file is missing, no NIfTI, cut short or not three-dimensional.
    """
    _check_file(path)
    try:
        with _open(path) as stream:
            header = _read_header(stream, path)
            _check_size(header, path)
            yield stream, header
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CarmError(f"{path}: the gzip stream is damaged or cut short ({error}); want the complete file") from error
    except OSError as error:
        raise CarmError(f"{path}: cannot be read ({error.strerror or error}); want a readable NIfTI file") from error


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise CarmError(f"{path}: is a directory; want one NIfTI file (.nii or .nii.gz)")
        if not path.exists():
            raise CarmError(f"{path}: no such file; want a CT as .nii or .nii.gz")
        if not path.is_file():
            raise CarmError(f"{path}: not a regular file; want a CT as .nii or .nii.gz")
    except CarmError:
        raise
    except (OSError, ValueError) as error:
        raise CarmError(f"{str(path)[:200]!r}: not a usable path ({error}); want a CT as .nii or .nii.gz") from error


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _read_header(stream: IO[bytes], path: Path) -> Header:
    from nibabel.imageglobals import LoggingOutputSuppressor
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    block = stream.read(348)
    kind: Any = Nifti2Header
    if block[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"):
        block += stream.read(540 - 348)
        magic = block[4:7]
    else:
        kind, magic = Nifti1Header, block[344:347]
    if len(block) < kind.sizeof_hdr or magic not in (b"n+1", b"n+2", b"ni1", b"ni2"):
        raise CarmError(f"{path}: not a NIfTI file; want a CT as .nii or .nii.gz")
    if magic[:2] == b"ni":
        raise CarmError(f"{path}: a NIfTI header without its voxels (.hdr/.img pair); want one .nii or .nii.gz file")
    try:
        with LoggingOutputSuppressor():
            header = kind(block)
            return _parse_header(header, path)
    except CarmError:
        raise
    except Exception as error:  # nibabel raises many types on malformed headers
        raise CarmError(f"{path}: malformed NIfTI header ({_one_line(error)}); want a valid NIfTI file") from error


def _parse_header(header: Any, path: Path) -> Header:
    if not (int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0):
        raise CarmError(f"{path}: neither sform nor qform is set, left and right are unknown; want a file with one")
    shape = limits.check_shape(header.get_data_shape(), path)
    dtype = header.get_data_dtype()
    if dtype.names is not None or dtype.kind not in "iuf":
        raise CarmError(f"{path}: voxels of type {dtype}; want one real number (HU) a voxel")
    slope, intercept = header.get_slope_inter()
    affine = _LPS_FROM_RAS @ np.asarray(header.get_best_affine(), float)
    affine[:3] *= _MM_OF_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    limits.check_affine(affine, shape, path)
    offset = max(int(header.get_data_offset()), int(header.sizeof_hdr))
    return Header(shape, dtype, offset, float(slope or 1.0), float(intercept or 0.0), affine)


def _check_size(header: Header, path: Path) -> None:
    """Refuses sizes that the file cannot hold, before anything is allocated."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        held = size * GZIP_MAX_RATIO if raw.read(2) == b"\x1f\x8b" else size
    needed = header.offset + math.prod(header.shape) * header.dtype.itemsize
    if needed > held:
        text = " x ".join(map(str, header.shape))
        raise CarmError(f"{path}: cut short: {text} voxels need {needed} bytes, the file has {size}; want all of it")


def read_volume(stream: IO[bytes], header: Header, path: Path) -> Volume:
    hu, stored, affine = limits.canonical(header.shape, header.affine)
    bad = 0
    for first, slab in slabs(stream, header, path):
        target = stored[:, :, first : first + slab.shape[2]]
        bad += limits.to_hu(slab, target, header.slope, header.intercept)
    limits.check_finite(bad, hu.size, path)
    limits.check_hu(hu, path)
    return Volume(hu, affine)


def slabs(stream: IO[bytes], header: Header, path: Path) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yields (index of the first slice, raw slab [X, Y, k]) along the slowest stored axis."""
    _skip(stream, header.offset - stream.tell())
    nx, ny, nz = header.shape
    slice_bytes = nx * ny * header.dtype.itemsize
    step = max(1, _SLAB_BYTES // slice_bytes)
    for first in range(0, nz, step):
        count = min(step, nz - first)
        block = stream.read(count * slice_bytes)
        if len(block) < count * slice_bytes:
            have = first + len(block) // slice_bytes
            raise CarmError(f"{path}: cut short after {have} of {nz} slices; want the complete file")
        yield first, np.frombuffer(block, header.dtype).reshape((nx, ny, count), order="F")


def _skip(stream: IO[bytes], count: int) -> None:
    while count > 0:
        block = stream.read(min(count, 2**20))
        if not block:
            return
        count -= len(block)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
