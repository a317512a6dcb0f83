"""What the files cannot be written from, told by name and value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import AXES
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.exposure import PRESETS

MAX_FRAMES = 1000
"""Frames of an image file: a vector of one identifier a frame must stay below 64 KiB (PS3.5 7.1.2)."""
_POSITIVE = ("sod_mm", "sid_mm", "field_mm", "kv", "mas", "ms", "pulses", "ka_r_mgy", "kap_gycm2")
_NOT_NEGATIVE = ("time_s", "cu_mm", "al_mm")


def check_irradiations(irradiations: Irradiations, device: DevicePreset) -> None:
    """Refuses what no dose report can be made of.

    Raises:
        CarmError: no exposure at all; a plane that the machine does not have; arrays of another length; a value that is
            not finite or impossible; two exposures of one plane at one step.
    """
    count = len(irradiations)
    if not count:
        raise CarmError("the episode exposed nothing: want at least one exposure for a dose report or an image")
    _check_shapes(irradiations, count)
    planes = range(len(device.planes))
    for name, known in (("plane", planes), ("preset", range(len(PRESETS)))):
        wrong = sorted(set(getattr(irradiations, name).tolist()) - set(known))
        if wrong:
            raise CarmError(f"irradiations.{name} holds {wrong[0]}: want {known[0]} to {known[-1]} with {device.name}")
    for name in (*_POSITIVE, *_NOT_NEGATIVE, "position"):
        _check_values(name, np.asarray(getattr(irradiations, name), float))
    pairs = list(zip(irradiations.step.tolist(), irradiations.plane.tolist(), strict=True))
    if len(set(pairs)) != count:
        step, plane = next(pair for pair in pairs if pairs.count(pair) > 1)
        raise CarmError(f"irradiations hold step {step}, plane {'AB'[plane]} twice: want one row an exposure")
    back = np.flatnonzero(np.diff(irradiations.time_s) < 0)
    if back.size:
        times = irradiations.time_s[back[0] : back[0] + 2]
        raise CarmError(f"irradiations.time_s goes from {times[0]} back to {times[1]} s: want the order of time")


def _check_shapes(irradiations: Irradiations, count: int) -> None:
    shapes = {"position": (count, len(AXES)), "field_mm": (count, 2)}
    for name in ("plane", "preset", "verification", "position", *_POSITIVE, *_NOT_NEGATIVE):
        want = shapes.get(name, (count,))
        found = np.shape(getattr(irradiations, name))
        if found != want:
            raise CarmError(f"irradiations.{name} has shape {list(found)}: want {list(want)}")
    if len(irradiations.cameras) != count:
        raise CarmError(f"irradiations.cameras holds {len(irradiations.cameras)} cameras: want {count}")


def _check_values(name: str, values: NDArray[np.float64]) -> None:
    low = 0.0 if name in _POSITIVE or name in _NOT_NEGATIVE else -np.inf
    bad = ~np.isfinite(values) | (values < low) | ((values == 0.0) if name in _POSITIVE else False)
    if bad.any():
        wish = "above 0" if name in _POSITIVE else "of 0 or more" if name in _NOT_NEGATIVE else "that are finite"
        raise CarmError(f"irradiations.{name} holds {values[bad][0]}: want numbers {wish}")


def check_frames(frames: NDArray[np.uint8], irradiations: Irradiations) -> None:
    """Refuses images that do not belong to the irradiations of one plane.

    Raises:
        CarmError: another shape or type than uint8 [K, H, W] with one frame an irradiation, more than one plane, or
            more frames than a file holds.
    """
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 3 or 0 in frames.shape:
        found = f"{frames.dtype} {list(frames.shape)}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise CarmError(f"frames are {found}: want uint8 [K, H, W]")
    if len(frames) != len(irradiations):
        raise CarmError(f"{len(frames)} frames for {len(irradiations)} irradiations: want one frame an irradiation")
    if len(frames) > MAX_FRAMES:
        raise CarmError(f"{len(frames)} frames of one plane: an XA file of this package holds at most {MAX_FRAMES}")
    planes = sorted(set(irradiations.plane.tolist()))
    if len(planes) != 1:
        raise CarmError(f"irradiations of planes {planes} for one image file: want those of one plane")
