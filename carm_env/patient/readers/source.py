"""Any CT by its path: the content decides which reader takes it."""

from __future__ import annotations

import re
from pathlib import Path

from carm_env.errors import CarmError
from carm_env.patient.model import Scan
from carm_env.patient.names import CT_SUFFIXES

ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
FORMATS = "a NIfTI, NRRD or MHA file, a DICOM folder, or a folder with ct.nii.gz and segmentations"
_SERIES = re.compile(r"(.+)#(\d{1,4})", re.DOTALL)


def split_series(spec: str) -> tuple[Path, int | None]:
    """``FOLDER#N`` as folder and series number; a file or folder that is named so itself comes first."""
    match = _SERIES.fullmatch(spec)
    path = Path(spec)
    try:
        if match is None or path.exists():
            return path, None
    except (OSError, ValueError):
        return path, None
    return Path(match[1]), int(match[2])


def read_scan(spec: str | Path, labels: bool = True) -> Scan:
    """Reads a CT from whatever holds it.

    Args:
        spec: a file (NIfTI, NRRD, MHA), a DICOM folder (``FOLDER#N``: its N-th series), a TotalSegmentator folder
            (``ct.nii.gz`` with ``segmentations/`` or a label map), or a folder that holds one CT file.
        labels: whether organ labels are wanted where there are masks.

    Raises:
        CarmError: it is missing, of no known format, or not a CT whose geometry can be trusted.
    """
    path, series = split_series(str(spec))
    try:
        folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise CarmError(f"{str(path)[:200]!r}: not a usable path ({error}); want {FORMATS}") from error
    if folder:
        return _from_folder(path, series, labels)
    if series is not None:
        raise CarmError(f"{spec}: '#{series}' names a series of a DICOM folder; there is no such folder")
    return _from_file(path)


def is_ct_file(path: Path) -> bool:
    """Whether a file's name is that of a CT: a known suffix, not hidden, and no label map or mask."""
    name = path.name.lower()
    no_ct = name.startswith(".") or re.search(r"[._-](labels?|seg|segmentations?|mask)\.[a-z.]+$", name)
    return name.endswith(CT_SUFFIXES) and not no_ct


def _from_file(path: Path) -> Scan:
    if path.name.lower().endswith(ITK_SUFFIXES):
        from carm_env.patient.readers.itk import read_itk

        return Scan(read_itk(path))
    if path.name.lower().endswith(".dcm") or _is_dicom(path):
        from carm_env.patient.readers.dicom import read_dicom

        return read_dicom(path)
    from carm_env.patient.readers.nifti import read_nifti

    return Scan(read_nifti(path))


def _from_folder(path: Path, series: int | None, labels: bool) -> Scan:
    from carm_env.patient.segmented.layout import find_layout, read_layout

    layout = find_layout(path)
    if layout is not None and series is None:
        return read_layout(layout, labels)
    try:
        files = sorted(f for f in path.iterdir() if f.is_file() and f.name.lower().endswith(CT_SUFFIXES[:-1]))
    except OSError as error:
        raise CarmError(f"{path}: cannot be read ({error.strerror}); want a readable folder") from error
    found = [f for f in files if is_ct_file(f)]
    if not found:
        from carm_env.patient.readers.dicom import read_dicom

        return read_dicom(path, series)
    if len(found) > 1:
        names = ", ".join(f.name for f in found[:4]) + (", ..." if len(found) > 4 else "")
        raise CarmError(f"{path}: holds {len(found)} CT files ({names}); want one of them")
    return _from_file(found[0])


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except (OSError, ValueError):
        return False
