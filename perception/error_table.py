"""What is known of a network's errors, as a small JSON file: cells of plane and region, and what frames share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError

F64 = NDArray[np.float64]
Record = TypeVar("Record")

SCHEMA = 1
MOST_BYTES = 2**18
EDGES_MM = (-15.0, 0.0, 50.0, 150.0, 400.0)
"""Bounds of the regions: distance of the target from the field's edge at the isocentre's depth, negative inside."""
REGIONS = ("inside", "edge", "outside 0-50", "outside 50-150", "outside 150-400", "outside 400")
PLANES, AXES, FOUND = 2, 2, 2
"""Planes A and B; image axes u and v; regions in which the target is found, in the others it is inferred."""
KNOTS = np.linspace(-3.0, 3.0, 25)
"""Standard normal deviates at which distributions are tabulated."""
CHANNELS = ("sd_u", "sd_v", "error_u", "error_v")
REGRESSORS = ("quanta", "field", "outside", "offset")
LARGEST = 1e4


@dataclass(frozen=True)
class Cell:
    """Errors of one plane and region.

    Attributes:
        views: that it rests on; valid: share of frames that tell anything.
        low, high: range of ``regressors`` in them, [4]; beyond it they are clipped.
        sd: coefficients of the log standard deviation (mm) in u and v: a constant, then the regressors, [2, 5].
        together: correlation of both axes' residuals of that, as normal deviates.
        spread: its residuals at ``KNOTS``, [2, 25]; score: error over reported standard deviation, there, [2, 25].
    """

    views: float
    valid: float
    low: F64
    high: F64
    sd: F64
    together: float
    spread: F64
    score: F64


@dataclass(frozen=True)
class Share:
    """Shares of the variance of each of ``CHANNELS``'s deviates that frames of one patient and plane have in common.

    Attributes:
        patient: everywhere, [4]; near: falls by exp(-distance / length_mm), [4].
    """

    patient: F64
    near: F64
    length_mm: float


@dataclass(frozen=True)
class ErrorTable:
    """Errors of a localiser.

    Attributes:
        cells: by plane, then region; shares: by plane, then found and inferred.
        visible_sd_mm, nearest_sd_mm: blur of landmarks (see ``noisy``).
        source: weights, command and data, for the reader.
    """

    cells: tuple[tuple[Cell, ...], ...]
    shares: tuple[tuple[Share, ...], ...]
    visible_sd_mm: float
    nearest_sd_mm: float
    source: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": SCHEMA,
            **self.source,
            "edges_mm": list(EDGES_MM),
            "knots": KNOTS.tolist(),
            "visible_sd_mm": _plain(self.visible_sd_mm),
            "nearest_sd_mm": _plain(self.nearest_sd_mm),
            "cells": [[{k: _plain(v) for k, v in vars(cell).items()} for cell in row] for row in self.cells],
            "shares": [[{k: _plain(v) for k, v in vars(share).items()} for share in row] for row in self.shares],
        }

    @classmethod
    def of(cls, record: Any) -> ErrorTable:
        """Reads ``record``.

        Raises:
            CarmError: another schema, other bounds, fields or shapes, numbers out of range.
        """
        record = _mapping(record, "table")
        if record.get("schema") != SCHEMA:
            raise CarmError(f"table of errors has schema {str(record.get('schema'))[:20]!r}; want {SCHEMA}")
        for name, want in (("edges_mm", EDGES_MM), ("knots", KNOTS)):
            _array(record.get(name), np.shape(want), name)
            if not np.array_equal(record[name], want):
                raise CarmError(f"table of errors has other {name} than {list(want)[:3]} ...; want them as they are")
        blurs = [float(_array(record.get(name), (), name, 0.0)) for name in ("visible_sd_mm", "nearest_sd_mm")]
        cells = _grid(record.get("cells"), len(REGIONS), _cell, "cells")
        shares = _grid(record.get("shares"), 2, _share, "shares")
        source = {name: record.get(name) for name in ("weights", "command", "data", "patients")}
        return cls(cells, shares, blurs[0], blurs[1], source)

    @classmethod
    def read(cls, path: Path) -> ErrorTable:
        """The table of a file.

        Raises:
            CarmError: no such file, too long, no JSON, or what ``of`` refuses.
        """
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes")
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise CarmError(f"errors {path} cannot be read: {error}; want those of carm perception surrogate") from None
        try:
            return cls.of(record)
        except CarmError as error:
            raise CarmError(f"errors {path}: {error}") from None


def regressors(quanta: ArrayLike, field_mm: ArrayLike, outside_mm: ArrayLike, offset_mm: ArrayLike) -> F64:
    """What the log standard deviation depends on, [..., 4].

    Args:
        quanta: per mm2 of detector; field_mm: side at the isocentre; outside_mm: distance of the target from the
            field, 0 inside; offset_mm: from the isocentre, at right angles to the beam.
    """
    return np.stack(
        [
            np.log(np.maximum(quanta, 1.0) / 1000.0), np.log(np.asarray(field_mm) / 200.0),
            np.log1p(np.asarray(outside_mm) / 50.0), np.log1p(np.asarray(offset_mm) / 50.0),
        ],
        axis=-1,
    )  # fmt: skip


def outside_mm(across_mm: ArrayLike, along_mm: ArrayLike) -> F64:
    """Distance of a point from a square field, negative inside, from how far it lies beyond the edge along u and v."""
    inside = np.maximum(across_mm, along_mm)
    return np.where(inside <= 0, inside, np.hypot(np.maximum(across_mm, 0.0), np.maximum(along_mm, 0.0)))


def _cell(record: Any) -> Cell:
    record, axes = _fields(record, Cell), (AXES, len(KNOTS))
    cell = Cell(
        views=float(_array(record["views"], (), "views", 0.0, 1e9)),
        valid=float(_array(record["valid"], (), "valid", 0.0, 1.0)),
        low=_array(record["low"], (len(REGRESSORS),), "low"),
        high=_array(record["high"], (len(REGRESSORS),), "high"),
        sd=_array(record["sd"], (AXES, 1 + len(REGRESSORS)), "sd", -100.0, 100.0),
        together=float(_array(record["together"], (), "together", -1.0, 1.0)),
        spread=_array(record["spread"], axes, "spread", -5.0, 5.0),
        score=_array(record["score"], axes, "score", -100.0, 100.0),
    )
    rising = all((np.diff(a, axis=-1) >= 0).all() for a in (cell.spread, cell.score))
    if not (rising and (cell.low <= cell.high).all()):
        raise CarmError("table of errors: a cell's low, spread or score does not rise; want quantiles in order")
    return cell


def _share(record: Any) -> Share:
    record = _fields(record, Share)
    patient, near = (_array(record[name], (len(CHANNELS),), name, 0.0, 1.0) for name in ("patient", "near"))
    if not (patient + near <= 1.0).all():
        raise CarmError("table of errors: patient and near add up to more than 1; want shares of a variance")
    return Share(patient, near, float(_array(record["length_mm"], (), "length_mm", 1.0)))


def _grid(value: Any, columns: int, read: Any, name: str) -> Any:
    good = isinstance(value, list) and len(value) == PLANES
    if not good or not all(isinstance(row, list) and len(row) == columns for row in value):
        raise CarmError(f"table of errors: {name} is no list of {PLANES} lists of {columns}")
    return tuple(tuple(read(item) for item in row) for row in value)


def _fields(value: Any, kind: type) -> dict[str, Any]:
    names, found = {f.name for f in fields(kind)}, _mapping(value, kind.__name__.lower())
    if set(found) != names:
        raise CarmError(f"table of errors: a {kind.__name__.lower()} has {sorted(found)[:9]}; want {sorted(names)}")
    return found


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise CarmError(f"table of errors: {what} is a {type(value).__name__}; want an object")
    return cast(dict[str, Any], value)


def _array(value: Any, shape: tuple[int, ...], name: str, low: float = -LARGEST, high: float = LARGEST) -> F64:
    try:
        array = np.array(value, np.float64)
        good = array.shape == shape and not isinstance(value, str) and bool(((array >= low) & (array <= high)).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise CarmError(f"table of errors: {name} is not {list(shape)} numbers from {low:g} to {high:g}")
    return array


def _plain(value: Any) -> Any:
    return np.round(value, 4).tolist()
