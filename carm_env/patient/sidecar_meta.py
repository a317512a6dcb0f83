"""What a landmark file says beside the points: where they come from, how sure they are, how the scan was made."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError

ORIGINS = ("estimated", "segmentation")
"""Of points that nobody set by hand: from the CT's voxels alone, or from masks."""
SCAN_META = ("filled_mm", "seam_mm", "blend_mm", "notes")
"""Slices that were filled ([low, high] along z each), the seam and the blended band of joined scans, remarks."""
_MAX_NOTES, _NOTE_LENGTH = 50, 300


def point_meta(entries: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    """``uncertainty_mm`` and ``origin`` by name, where entries of a landmark file give them.

    Raises:
        CarmError: names the file and the field.
    """
    found: dict[str, dict[str, Any]] = {"uncertainty_mm": {}, "origin": {}}
    for name, entry in entries.items():
        sd, origin = (entry.get(key) for key in found) if isinstance(entry, dict) else (None, None)
        if sd is not None:
            if not (is_number(sd) and sd >= 0):
                raise CarmError(f"{path}: {short(name, 80)}.uncertainty_mm is {short(sd)}; want a length in mm")
            found["uncertainty_mm"][name] = float(sd)
        if origin is not None:
            if origin not in ORIGINS:
                raise CarmError(f"{path}: {short(name, 80)}.origin is {short(origin)}; want {' or '.join(ORIGINS)}")
            found["origin"][name] = origin
    return {key: values for key, values in found.items() if values}


def scan_meta(record: dict[str, Any], path: Path) -> dict[str, Any]:
    """The fields ``SCAN_META`` of a landmark file, where it has them.

    Raises:
        CarmError: names the file and the field.
    """
    found = {}
    for key in SCAN_META:
        value = record.get(key)
        if value is None:
            continue
        if not _CHECKS[key](value):
            raise CarmError(f"{path}: {key} is {short(value)}; want {_WANTED[key]}, or null")
        found[key] = value
    return found


def _is_band(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value)) and value[0] <= value[1]


def _are_bands(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_band, value))


def _are_notes(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MAX_NOTES
        and all(isinstance(note, str) and len(note) <= _NOTE_LENGTH for note in value)
    )


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number of sensible size."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9 and math.isfinite(value)


def short(value: Any, length: int = 60) -> str:
    """A value on one line, cut to ``length`` characters."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 3] + "..."


_CHECKS = {"filled_mm": _are_bands, "seam_mm": is_number, "blend_mm": _is_band, "notes": _are_notes}
_WANTED = {
    "filled_mm": "a list of [low, high] in mm",
    "seam_mm": "a z in mm",
    "blend_mm": "[low, high] in mm",
    "notes": f"at most {_MAX_NOTES} short texts",
}
