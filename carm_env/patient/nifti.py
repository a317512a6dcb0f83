"""NIfTI files to volumes in LPS millimetres; every bad file ends in one line that says what would be right."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Volume

HU_MIN, HU_MAX = -1024, 32767
MAX_VOXELS = 2**30
SPACING_RANGE_MM = (0.1, 20.0)
MIN_VOXELS_PER_AXIS = 4
MAX_EXTENT_MM = 4000.0
_GZIP_MAX_RATIO = 1032
_SLAB_BYTES = 16 * 2**20
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _Header:
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
    _check_file(path)
    try:
        with _open(path) as stream:
            header = _read_header(stream, path)
            _check_size(header, path)
            return _read_volume(stream, header, path)
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


def _read_header(stream: IO[bytes], path: Path) -> _Header:
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


def _parse_header(header: Any, path: Path) -> _Header:
    if not (int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0):
        raise CarmError(f"{path}: neither sform nor qform is set, left and right are unknown; want a file with one")
    shape = _shape(header.get_data_shape(), path)
    dtype = header.get_data_dtype()
    if dtype.names is not None or dtype.kind not in "iuf":
        raise CarmError(f"{path}: voxels of type {dtype}; want one real number (HU) a voxel")
    slope, intercept = header.get_slope_inter()
    affine = _affine(np.asarray(header.get_best_affine(), float), path)
    offset = max(int(header.get_data_offset()), int(header.sizeof_hdr))
    return _Header(shape, dtype, offset, float(slope or 1.0), float(intercept or 0.0), affine)


def _shape(stored: tuple[int, ...], path: Path) -> tuple[int, int, int]:
    shape = tuple(int(n) for n in stored)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    text = " x ".join(map(str, shape))
    if len(shape) > 3:
        raise CarmError(f"{path}: {len(shape)}-D data ({text}); want one 3-D CT")
    if len(shape) < 3 or sum(n > 1 for n in shape) < 3:
        raise CarmError(f"{path}: {text or 'no'} voxels are not a 3-D volume; want a 3-D CT")
    if min(shape) < MIN_VOXELS_PER_AXIS:
        raise CarmError(f"{path}: shape {text}; want at least {MIN_VOXELS_PER_AXIS} voxels along every axis")
    return shape[0], shape[1], shape[2]


def _affine(ras: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    affine = _LPS_FROM_RAS @ ras
    if not np.isfinite(affine).all():
        raise CarmError(f"{path}: the affine holds numbers that are not finite; want a 4 x 4 matrix in millimetres")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (spacing == 0).any() or abs(np.linalg.det(affine[:3, :3] / spacing)) < 0.01:
        raise CarmError(f"{path}: the affine is singular (its axes do not span space); want three independent axes")
    if spacing.min() < SPACING_RANGE_MM[0] or spacing.max() > SPACING_RANGE_MM[1]:
        text = " x ".join(f"{s:.4g}" for s in spacing)
        raise CarmError(f"{path}: voxel spacing {text} mm; want {SPACING_RANGE_MM[0]} to {SPACING_RANGE_MM[1]:g} mm")
    return affine


def _check_size(header: _Header, path: Path) -> None:
    """Refuses sizes that the file cannot hold, before anything is allocated."""
    voxels = int(np.prod([int(n) for n in header.shape], dtype=object))
    text = " x ".join(map(str, header.shape))
    if voxels > MAX_VOXELS:
        raise CarmError(f"{path}: the header claims {text} voxels; want at most {MAX_VOXELS} in all")
    extent = np.linalg.norm(header.affine[:3, :3], axis=0) * header.shape
    if extent.max() > MAX_EXTENT_MM:
        raise CarmError(f"{path}: spans {extent.max():.0f} mm along one axis; want at most {MAX_EXTENT_MM:.0f} mm")
    size = path.stat().st_size
    with path.open("rb") as raw:
        held = size * _GZIP_MAX_RATIO if raw.read(2) == b"\x1f\x8b" else size
    needed = header.offset + voxels * header.dtype.itemsize
    if needed > held:
        raise CarmError(f"{path}: cut short: {text} voxels need {needed} bytes, the file has {size}; want all of it")


def _read_volume(stream: IO[bytes], header: _Header, path: Path) -> Volume:
    from nibabel.orientations import inv_ornt_aff, io_orientation

    orientation = io_orientation(header.affine)
    axes = orientation[:, 0].astype(int)
    hu = np.empty([header.shape[int(np.argwhere(axes == k)[0, 0])] for k in range(3)], np.int16)
    stored = hu.transpose(axes)[tuple(slice(None, None, int(f)) for f in orientation[:, 1])]
    bad = 0
    for first, slab in _slabs(stream, header, path):
        bad += _to_hu(slab, header, stored[:, :, first : first + slab.shape[2]])
    if bad:
        raise CarmError(f"{path}: {bad} of {hu.size} voxels are NaN or infinite; want finite HU everywhere")
    _check_range(hu, path)
    return Volume(hu, header.affine @ inv_ornt_aff(orientation, header.shape))


def _slabs(stream: IO[bytes], header: _Header, path: Path) -> Iterator[tuple[int, NDArray[Any]]]:
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


def _to_hu(raw: NDArray[Any], header: _Header, out: NDArray[np.int16]) -> int:
    """Writes the slab in HU to ``out``; returns the number of voxels that are not finite."""
    if raw.dtype.kind in "iu" and header.slope == 1.0 and header.intercept == 0.0:
        low = 0 if raw.dtype.kind == "u" else HU_MIN
        info = np.iinfo(raw.dtype)
        np.copyto(out, raw.clip(max(low, info.min), min(HU_MAX, info.max)), casting="unsafe")
        return 0
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw.astype(np.float64) * header.slope + header.intercept
    finite = np.isfinite(values)
    np.copyto(out, np.rint(np.where(finite, values, 0.0).clip(HU_MIN, HU_MAX)), casting="unsafe")
    return int(values.size - np.count_nonzero(finite))


def _check_range(hu: NDArray[np.int16], path: Path) -> None:
    low, high = int(hu.min()), int(hu.max())
    air = np.count_nonzero(hu < -200) / hu.size
    tissue = np.count_nonzero((hu >= -200) & (hu <= 200)) / hu.size
    if air >= 0.001 and tissue >= 0.001:
        return
    if low >= 0 and high <= 1:
        guess = " (normalised or a mask?)"
    elif low >= 0 and high <= 255:
        guess = " (an 8-bit image?)"
    elif low >= 0 and high > 500:
        guess = " (stored values without the intercept -1024, or MR?)"
    else:
        guess = ""
    missing = "no air below -200" if air < 0.001 else "hardly any tissue in -200..200"
    raise CarmError(
        f"{path}: values {low}..{high} have {missing}{guess}; want a CT in Hounsfield units, air near -1000"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
