"""What is known of a network's errors, as a small JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from perception.error_cells import AXES, CHANNELS, EDGES_MM, KNOTS, PLANES, REGIONS, REGRESSORS, Cell, Share

F64 = NDArray[np.float64]

SCHEMA = 1
MOST_BYTES = 2**18
LARGEST = 1e4


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
        scale=_array(record["scale"], (AXES, len(REGRESSORS)), "scale", -10.0, 10.0),
        score=_array(record["score"], axes, "score", -100.0, 100.0),
    )
    rising = all((np.diff(a, axis=-1) >= 0).all() for a in (cell.spread, cell.score))
    if not (rising and (cell.low <= cell.high).all()):
        raise CarmError("table of errors: a cell's low, spread or score does not rise; want quantiles in order")
    return cell


def _share(record: Any) -> Share:
    record = _fields(record, Share)
    patient = _array(record["patient"], (len(CHANNELS),), "patient", 0.0, 1.0)
    return Share(patient, _array(record["length_mm"], (len(CHANNELS),), "length_mm", 1.0))


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
