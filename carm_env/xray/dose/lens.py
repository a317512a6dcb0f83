"""Where the eye lenses are: in the labels, else in the targets, else beside the sella or the skull landmark [E]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.model import Patient
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.samples import organ_samples

F64 = NDArray[np.float64]

SIDES: tuple[str, ...] = ("left", "right")


def lens_points(patient: Patient, config: DoseConfig) -> F64:
    """Left and right eye lens, patient LPS [2, 3]; NaN where nothing tells.

    Taken from labels (the lens, else the eye), else a target of the lens's name, else placed from the sella, else from
    the skull landmark, for a head that looks straight ahead.
    """
    return np.stack([_labelled(patient, side) for side in SIDES]) if _has(patient) else _placed(patient, config)


def _names(side: str) -> tuple[str, str]:
    return f"{side}_eye_lens", f"{side}_eye"


def _has(patient: Patient) -> bool:
    samples = organ_samples(patient)
    return samples is not None and all(any(samples.of(n).any() for n in _names(side)) for side in SIDES)


def _labelled(patient: Patient, side: str) -> F64:
    samples = organ_samples(patient)
    assert samples is not None
    lens, eye = (samples.of(name) for name in _names(side))
    return np.asarray(samples.points_mm[lens if lens.any() else eye].mean(axis=0))


def _placed(patient: Patient, config: DoseConfig) -> F64:
    known = [patient.targets.get(f"{side}_eye_lens") for side in SIDES]
    if all(point is not None for point in known):
        return np.array(known, float)
    for origin, before_mm, below_mm in (
        (patient.targets.get("sella"), config.lens_before_sella_mm, config.lens_below_sella_mm),
        (patient.landmarks.get("skull"), config.lens_before_skull_mm, config.lens_below_skull_mm),
    ):
        if origin is not None:
            offset = np.array([[config.lens_beside_mm], [-config.lens_beside_mm]])
            return np.asarray(origin + np.hstack([offset, np.full((2, 1), -before_mm), np.full((2, 1), -below_mm)]))
    return np.full((2, 3), np.nan)
