"""Cohort files: JSON, YAML or CSV lists of patients."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError

SUFFIXES = (".json", ".yaml", ".yml", ".csv")
MAX_PATIENTS = 1_000_000
FIELDS = ("name", "split", "patient")
_MAX_BYTES = {".json": 64 * 2**20, ".csv": 64 * 2**20, ".yaml": 8 * 2**20, ".yml": 8 * 2**20}
_WANTED = f'want {{"schema": 1, "patients": [...]}} with 1 to {MAX_PATIENTS} patients'


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The patients of a cohort file, each with ``name`` and perhaps ``split`` and ``patient`` (who it is: CTs of one
    person share a split).

    JSON and YAML hold ``{"schema": 1, "patients": [...]}``, whose entries are names or mappings; a CSV file has a
    header with a column ``name``.

    Raises:
        CarmError: not readable, too large, or of another form.
    """
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size > _MAX_BYTES[suffix]:
            raise CarmError(f"{path}: the cohort's file has more than {_MAX_BYTES[suffix]} bytes; want a smaller list")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CarmError(f"{path}: cannot be read ({error.strerror}); want a cohort's JSON, YAML or CSV file") from None
    except UnicodeDecodeError:
        raise CarmError(f"{path}: not UTF-8 text; want a cohort's JSON, YAML or CSV file") from None
    entries = _from_csv(text, path) if suffix == ".csv" else _from_record(_parsed(text, suffix, path), path)
    if not 1 <= len(entries) <= MAX_PATIENTS:
        raise CarmError(f"{path}: lists {len(entries)} patients; want 1 to {MAX_PATIENTS}")
    return [_checked(entry, f"{path}: patients[{i}]") for i, entry in enumerate(entries)]


def _parsed(text: str, suffix: str, path: Path) -> Any:
    import yaml

    try:
        return json.loads(text) if suffix == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        kind = "JSON" if suffix == ".json" else "YAML"
        raise CarmError(f"{path}: not a readable {kind} file ({type(error).__name__}); {_WANTED}") from None


def _from_record(record: Any, path: Path) -> list[Any]:
    entries = record.get("patients") if isinstance(record, dict) else None
    if not isinstance(entries, list) or record.get("schema") != 1:
        raise CarmError(f"{path}: not a cohort; {_WANTED}")
    return entries


def _from_csv(text: str, path: Path) -> list[Any]:
    rows = csv.reader(io.StringIO(text))
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        unknown = [cell for cell in header if cell not in FIELDS]
        if "name" not in header or unknown or len(set(header)) < len(header):
            raise CarmError(f"{path}: columns {', '.join(header)[:120]!r}; want name, and perhaps split and patient")
        entries = []
        for number, row in enumerate(rows, start=2):
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise CarmError(f"{path}: line {number} has {len(row)} cells; want {len(header)}, as the header has")
            entries.append({key: cell.strip() for key, cell in zip(header, row, strict=True) if cell.strip()})
        return entries
    except csv.Error as error:
        raise CarmError(f"{path}: not a readable CSV file ({error}); want a header with a column 'name'") from None


def _checked(entry: Any, where: str) -> dict[str, Any]:
    given = entry if isinstance(entry, dict) else {"name": entry}
    person = given.get("patient")
    if not isinstance(given.get("name"), str) or set(given) - set(FIELDS):
        raise CarmError(f'{where} is not a patient; want a name or {{"name": ..., "split": ..., "patient": ...}}')
    if person is not None and not (isinstance(person, str | int) and 0 < len(str(person)) <= 200):
        raise CarmError(f"{where}: patient is {str(person)[:40]!r}; want a short text that names the person")
    return {key: value for key, value in given.items() if value is not None}
