"""Uniform phantoms and requests for the tests of this folder."""

from __future__ import annotations

import numpy as np

from carm_env.xray.exposure import ExposureRequest, Technique

SIZE = 128
FULL_MM = 300.0


def slab(soft_cm: float, bone_cm: float = 0.0, frames: int = 1, size: int = SIZE) -> np.ndarray:
    """A uniform slab of soft tissue and cortical bone at their nominal densities, [frames, 2, size, size]."""
    line_integrals = np.empty((frames, 2, size, size), np.float32)
    line_integrals[:, 0], line_integrals[:, 1] = soft_cm * 1.06, bone_cm * 1.92
    return line_integrals


def no_technique(frames: int) -> Technique:
    return Technique.none(frames)


def request(frames: int = 1, size: int = SIZE, previous: Technique | None = None, **values) -> ExposureRequest:
    """A request with the reference geometry (SOD 785, SID 1100, 300 mm detector); every value can be given."""
    chosen = {"sod_mm": 785.0, "sid_mm": 1100.0, "pitch_mm": FULL_MM / size, "field_mm": 400.0, **values}
    preset, pulses = chosen.pop("preset", 2), chosen.pop("pulses", 1)
    columns = {name: np.broadcast_to(np.asarray(value, float), (frames,)).copy() for name, value in chosen.items()}
    return ExposureRequest(
        **columns,
        preset=np.broadcast_to(np.asarray(preset), (frames,)).copy(),
        pulses=np.broadcast_to(np.asarray(pulses), (frames,)).copy(),
        previous=previous or no_technique(frames),
    )


def locked(frames: int = 1, kv: float = 77.0, cu_mm: float = 0.6, mas: float = 0.5, ms: float = 5.0) -> Technique:
    return Technique(*(np.full(frames, value) for value in (kv, cu_mm, mas, ms)))


def generators(frames: int = 1, seed: int = 7) -> list[np.random.Generator]:
    return [np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, i])) for i in range(frames)]
