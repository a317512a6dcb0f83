"""DICOM series to volumes in LPS millimetres; every bad folder ends in one line that says what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Scan, Volume
from carm_env.patient.readers import limits
from carm_env.patient.readers.dicom_pixels import read_pixels
from carm_env.patient.readers.dicom_privacy import redacted
from carm_env.patient.readers.dicom_series import Series, search
from carm_env.patient.readers.dicom_stack import StackPlan

_SLAB = 32
_LISTED = 8


def read_dicom(folder: str | Path, number: int | None = None) -> Scan:
    """Reads a CT series from a folder (and those below it), or from one file with several frames.

    Args:
        number: which series, counted as ``find_series`` does; needed where the folder holds several CT series.

    Raises:
        CarmError: there is no CT series that can be read, or several and no ``number``; one line lists them.
    """
    path = Path(folder)
    found, headers = search(path)
    where = redacted(path, found[0].identifiers if found else ())
    if not found:
        others = f" ({headers.others} other file{'s' * (headers.others > 1)})" if headers.others else ""
        notes = "".join(f"; {note}" for note in headers.notes)
        raise CarmError(f"{where}: no DICOM images in it{others}{notes}; want the slices of a CT")
    if path.is_file() and len(found[0].slices) == 1 and found[0].slices[0].frame is None:
        raise CarmError(f"{where}: one DICOM image; want the folder of its series")
    if number is not None:
        return read_series(_numbered(found, number, where))
    usable = [series for series in found if series.problem is None]
    if len(usable) > 1:
        raise CarmError(f"{where}: {len(usable)} CT series ({_list(usable)}); want one of them, as FOLDER#2")
    if not usable:
        raise CarmError(f"{where}: no CT series that can be read ({_list(found)}); want the complete slices of a CT")
    scan = read_series(usable[0])
    left = found[1:]
    return replace(scan, notes=(*scan.notes, f"{len(left)} other series left out ({_list(left)})")) if left else scan


def read_series(series: Series) -> Scan:
    """Reads the voxels of a series. Peak memory is the int16 volume plus a few slices.

    ``meta``: ``source`` (the folder's name), ``series`` (its description) and, where slices are missing, ``filled_mm``
    ([low, high] along z each); free of identifiers, as are the notes.

    Raises:
        CarmError: the series has a problem, its pixels are damaged, or they are no CT in HU.
    """
    where = series.where
    if series.problem is not None or series.plan is None:
        raise CarmError(f"{where}: series {series.number}: {series.problem}")
    plan = series.plan
    hu, stored, affine = limits.canonical(plan.size, plan.affine)
    try:
        notes = _check_doubles(series, plan)
        for start, slab in _slabs(_Source(series, plan), plan):
            stored[:, :, start : start + len(slab)] = slab.transpose(2, 1, 0)
    except CarmError as error:
        raise CarmError(f"{where}: {error}") from error
    limits.check_hu(hu, where)
    source = redacted(series.folder.absolute().name, series.identifiers)
    meta: dict[str, Any] = {"source": source, "series": series.description}
    if plan.filled_mm:
        meta["filled_mm"] = [list(span) for span in plan.filled_mm]
    return Scan(Volume(hu, affine), series.demographics, notes=(*series.notes, *notes), meta=meta)


class _Source:
    """The slices of a series as the volume needs them, decoded once where neighbours share one."""

    def __init__(self, series: Series, plan: StackPlan) -> None:
        self._series, self._plan = series, plan
        self._recent: dict[int, NDArray[np.int16]] = {}

    def __getitem__(self, index: int) -> NDArray[np.int16]:
        """HU [rows, columns] of the volume's plane."""
        if index not in self._recent:
            hu = read_pixels(self._series.slices[index])
            if self._plan.shift.any():
                hu = _placed(hu, self._plan.shift[index], self._plan.size)
            self._recent = dict([*self._recent.items(), (index, hu)][-2:])
        return self._recent[index]


def _slabs(source: _Source, plan: StackPlan) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """Yields (index of the first slice, HU [k, rows, columns])."""
    columns, rows, count = plan.size
    for start in range(0, count, _SLAB):
        slab = np.empty((min(_SLAB, count - start), rows, columns), np.int16)
        for k, target in enumerate(slab, start):
            weight = plan.weight[k]
            target[:] = source[int(plan.below[k])]
            if weight > 0.0:
                target[:] = np.rint((1 - weight) * target + weight * source[int(plan.above[k])])
        yield start, slab


def _placed(hu: NDArray[np.int16], shift: NDArray[np.float64], size: tuple[int, int, int]) -> NDArray[np.int16]:
    """A slice moved within a larger plane by ``shift`` pixels (column, row), linearly interpolated, air around it."""
    rows, columns = hu.shape
    whole = np.floor(shift).astype(int)
    column_part, row_part = shift - whole
    above_air = hu.astype(np.float32) - limits.HU_MIN
    plane = np.zeros((size[1], size[0]), np.float32)
    for row, row_weight in ((whole[1], 1 - row_part), (whole[1] + 1, row_part)):
        for column, column_weight in ((whole[0], 1 - column_part), (whole[0] + 1, column_part)):
            weight = np.float32(row_weight * column_weight)
            if weight > 0:
                plane[row : row + rows, column : column + columns] += weight * above_air
    return np.rint(plane + limits.HU_MIN).astype(np.int16)


def _check_doubles(series: Series, plan: StackPlan) -> tuple[str, ...]:
    """Raises ``CarmError`` where images at one place differ; a note where they are equal."""
    for group in plan.doubles:
        first = read_pixels(series.slices[group[0]])
        for other in group[1:]:
            if not np.array_equal(first, read_pixels(series.slices[other])):
                text = ", ".join(f"{v:.1f}" for v in series.slices[group[0]].position_mm or ())
                raise CarmError(f"two different images at one place ({text} mm); want one acquisition")
    doubled = sum(len(group) - 1 for group in plan.doubles)
    return (f"{doubled} doubled image{'s' * (doubled > 1)} left out",) if doubled else ()


def _numbered(found: list[Series], number: int, where: str) -> Series:
    if not 1 <= number <= len(found):
        raise CarmError(f"{where}: no series {number} ({_list(found)}); want one of them, as FOLDER#1")
    return found[number - 1]


def _list(found: list[Series]) -> str:
    more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return "; ".join(series.summary for series in found[:_LISTED]) + more
