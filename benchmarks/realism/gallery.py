"""One picture: frames of real CTs and of phantoms side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.realism.frames import frames, region_centre
from carm_env.patient.model import Patient

ROWS = (
    ("head", 0.0),
    ("head", 90.0),
    ("thorax", 0.0),
    ("thorax", 90.0),
    ("abdomen", 0.0),
    ("pelvis", 0.0),
    ("pelvis", 90.0),
)
TILE = 150
_GAP = 4
BODY_LOG = -0.4
"""ln of the signal below which a pixel shows the body rather than air beside it."""


def write_gallery(real: Sequence[Patient], phantoms: Sequence[Patient], out: str | Path) -> None:
    """Writes a PNG: a row a region and view; real CTs that hold the region first, then a column a phantom."""
    from PIL import Image

    rows = [[_tile(p, *row) for p in real if region_centre(p, row[0]) is not None] for row in ROWS]
    wide = max(1, *map(len, rows))
    side = TILE + _GAP
    sheet = np.full((side * len(ROWS), side * (wide + len(phantoms)) + _GAP), 40, np.uint8)
    for i, (row, tiles) in enumerate(zip(ROWS, rows, strict=True)):
        for j, tile in enumerate(tiles):
            sheet[i * side : i * side + TILE, j * side : j * side + TILE] = tile
        for j, phantom in enumerate(phantoms, start=wide):
            x = j * side + _GAP
            sheet[i * side : i * side + TILE, x : x + TILE] = _tile(phantom, *row)
    sheet[:, wide * side - _GAP : wide * side + _GAP] = 255
    Image.fromarray(sheet).save(out, optimize=True)


def _tile(patient: Patient, region: str, angle_deg: float) -> NDArray[np.uint8]:
    centre = region_centre(patient, region)
    if centre is None:
        return np.full((TILE, TILE), 90, np.uint8)
    return _grey(frames(patient, centre[None], np.array([angle_deg]), np.zeros(1), TILE)[0])


def _grey(log: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A frame's logarithm from its 1st to 99th percentile inside the body, linear: dense parts dark."""
    body = log[log < BODY_LOG]
    low, high = np.percentile(body if body.size else log, (1.0, 99.0))
    return (255.0 * np.clip((log - low) / max(high - low, 0.3), 0.0, 1.0)).astype(np.uint8)
