"""Checks of what an exposure is asked: everything wrong is a CarmError that names the value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.xray.collimation import IRP_OFFSET_MM
from carm_env.xray.exposure import PRESETS, ExposureRequest
from carm_env.xray.spectra import check_quality


def _require(good: NDArray[np.bool_], values: NDArray[Any], name: str, want: str) -> None:
    """Raises CarmError with the first value that is not ``good``."""
    if not np.all(good):
        row = int(np.argmin(good))
        raise CarmError(f"{name} of frame {row} is {values[row]}: want {want}")


def check_line_integrals(line_integrals: NDArray[np.float32]) -> None:
    """Raises CarmError unless the array is [M, 2, H, W] with pixels and finite."""
    shape = line_integrals.shape
    if len(shape) != 4 or shape[1] != 2:
        raise CarmError(f"line integrals have shape {shape}: want [M, 2, H, W]")
    if shape[2] == 0 or shape[3] == 0:
        raise CarmError(f"line integrals of shape {shape} have no pixels: want at least one row and column")
    finite = np.isfinite(line_integrals)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        value = line_integrals[at]
        raise CarmError(f"line integral at {at} (frame, material, row, column) is {value}: want finite g/cm2")


def check_request(request: ExposureRequest, rngs: Sequence[np.random.Generator], frames: int) -> None:
    """Raises CarmError unless every array has ``frames`` rows and every value is possible."""
    previous = request.previous
    columns: dict[str, NDArray[Any]] = {
        "sod_mm": request.sod_mm, "sid_mm": request.sid_mm, "pitch_mm": request.pitch_mm,
        "field_mm": request.field_mm, "preset": request.preset, "pulses": request.pulses,
        "previous kv": previous.kv, "previous cu_mm": previous.cu_mm, "previous mas": previous.mas,
        "previous ms": previous.ms,
    }  # fmt: skip
    for name, values in columns.items():
        if np.shape(values) != (frames,):
            raise CarmError(f"{name} has shape {np.shape(values)}: want ({frames},), a value a frame")
    if len(rngs) != frames:
        raise CarmError(f"{len(rngs)} random generators for {frames} frames: want one a frame")
    _check_geometry(request)
    _check_beam(request)


def _check_geometry(request: ExposureRequest) -> None:
    sod, sid, pitch, field = request.sod_mm, request.sid_mm, request.pitch_mm, request.field_mm
    _require(np.isfinite(sod) & (sod > IRP_OFFSET_MM), sod, "sod_mm", f"more than {IRP_OFFSET_MM:g} mm")
    _require(np.isfinite(sid) & (sid >= sod), sid, "sid_mm", "at least sod_mm")
    _require(np.isfinite(pitch) & (pitch > 0), pitch, "pitch_mm", "more than 0 mm")
    _require(np.isfinite(field) & (field >= 0), field, "field_mm", "0 mm (closed) or more")


def _check_beam(request: ExposureRequest) -> None:
    preset, pulses, previous = request.preset, request.pulses, request.previous
    last = len(PRESETS) - 1
    _require((preset >= 0) & (preset <= last), preset, "preset", f"0 to {last} ({', '.join(PRESETS)})")
    _require(pulses >= 0, pulses, "pulses", "0 or more")
    known = ~(np.isnan(previous.kv) | np.isnan(previous.cu_mm) | np.isnan(previous.mas))
    mas, ms = previous.mas, previous.ms
    _require(~known | (np.isfinite(mas) & (mas >= 0)), mas, "previous mas", "0 mAs or more, or NaN for none")
    _require(~known | (np.isfinite(ms) & (ms > 0)), ms, "previous ms", "more than 0 ms, or NaN for no technique")
    for row in np.flatnonzero(known):
        check_quality(float(previous.kv[row]), float(previous.cu_mm[row]))
