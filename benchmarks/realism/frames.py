"""Noise-free frames of named body regions, of phantoms and of real CTs, in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.load import load_patient
from carm_env.patient.model import Patient
from carm_env.patient.sidecar import check_points, read_sidecar
from carm_env.render.registry import make_renderer
from carm_env.xray.lookup import SIGNAL, beam_table, evaluate

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
PIXELS = 128
SOD_MM, SID_MM, DETECTOR_MM = 785.0, 1100.0, 300.0
KV, CU_MM = 77.0, 0.3
REGIONS = ("head", "shoulder", "thorax", "abdomen", "pelvis")
_MARKS: dict[str, tuple[tuple[str, ...], tuple[float, float, float]]] = {
    "head": (("skull",), (0.0, -10.0, -45.0)),
    "shoulder": (("right_humeral_head", "T1"), (0.0, 0.0, -25.0)),
    "thorax": (("carina",), (0.0, 0.0, -35.0)),
    "abdomen": (("T12", "L5"), (0.0, -60.0, 0.0)),
    "pelvis": (("right_femoral_head", "left_femoral_head"), (0.0, 0.0, 60.0)),
}
"""Landmarks whose mean, moved by so many mm, is the region's centre."""


def load_real(text: str) -> Patient:
    """A real CT; ``PATH@LANDMARKS.json`` takes its landmarks from elsewhere than beside it.

    Raises:
        CarmError: a file cannot be read.
    """
    path, _, marks = text.partition("@")
    patient = load_patient(path)
    if not marks:
        return patient
    sidecar = read_sidecar(marks)
    check_points(sidecar, patient.volume, Path(marks))
    return replace(patient, landmarks=sidecar.landmarks, targets=sidecar.targets)


def region_centre(patient: Patient, region: str) -> F64 | None:
    """Centre of a region, LPS mm [3]; None where the CT does not hold it."""
    names, offset = _MARKS[region]
    if any(name not in patient.landmarks for name in names):
        return None
    centre = np.mean([patient.landmarks[name] for name in names], axis=0) + offset
    low, high = patient.volume.z_range_mm()
    return centre if low + 60.0 <= centre[2] <= high - 20.0 else None


def frames(patient: Patient, centres: F64, primary_deg: F64, secondary_deg: F64, pixels: int = PIXELS) -> F32:
    """Logarithms of the noise-free detector signal, [M, pixels, pixels]: 77 kV, 0.3 mm Cu, full field.

    Args:
        centres: isocentres, LPS mm [M, 3]. primary_deg, secondary_deg: angles [M].
    """
    cameras: Cameras = cone_beam(
        centres, primary_deg, secondary_deg, sod_mm=SOD_MM, sid_mm=SID_MM, pitch_mm=DETECTOR_MM / pixels
    )
    lines = make_renderer("numba").render([patient] * len(centres), cameras, (pixels, pixels))
    return np.log(np.maximum(evaluate(beam_table(KV, CU_MM), lines, SIGNAL), 1e-6))


def views(patient: Patient, region: str, count: int, rng: np.random.Generator) -> F32 | None:
    """Random frames of a region, [count, 128, 128]: half frontal, half lateral, angles within 15 degrees (sd 6) and
    centres within 40 mm (sd 15) of the middle; None where the CT does not hold the region."""
    centre = region_centre(patient, region)
    if centre is None:
        return None
    primary = np.where(np.arange(count) % 2 == 0, 0.0, 90.0) + np.clip(rng.normal(0, 6, count), -15, 15)
    secondary = np.clip(rng.normal(0, 4, count), -12, 12)
    centres = centre + np.clip(rng.normal(0, 15, (count, 3)), -40, 40)
    return frames(patient, centres, primary, secondary)


def need(patients: Sequence[Patient], region: str) -> None:
    """Refuses a region that none of the patients holds."""
    if all(region_centre(p, region) is None for p in patients):
        raise CarmError(f"none of the real CTs holds the {region} with its landmarks; want one that does")
