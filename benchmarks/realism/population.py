"""Many phantoms: do all of them get made, do their landmarks lie where they should, how long does one take."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.painter import paint_packed
from carm_env.patient.anatomy.part import pack
from carm_env.patient.model import LANDMARKS
from carm_env.patient.phantom import Body, draw_body, make_phantom, voxelised

HOME = {
    "T1": "vertebra_T1", "T12": "vertebra_T12", "L5": "vertebra_L5", "C2": "vertebra_C2",
    "pubic_symphysis": "pubic_symphysis", "carina": "airway", "sella": "pituitary",
    **{f"{s}_{a}": f"{s}_{b}" for s in ("right", "left") for a, b in {
        "humeral_head": "humerus", "elbow": "humerus", "wrist": "hand", "scapula": "scapula", "iliac_crest": "hip",
        "femoral_head": "femur", "eye_lens": "eye_lens"}.items()},
}  # fmt: skip
"""The organ in which each landmark or target lies."""
IMPLANTED = ("hip", "femur", "humerus", "vertebra")
"""Bones where a prosthesis, a nail or cement may lie at the landmark."""
_NAMES = list(LABELS)
_STEP_MM = 1.0


def misplaced(body: Body) -> list[str]:
    """Points of a phantom that lie neither in their organ, as the painter would label them, nor in an implant there.

    Domes must have lung 8 mm above and none 8 mm below; ``skull`` must lie in the brain.
    """
    wrong, _ = placement(body)
    return wrong


def placement(body: Body) -> tuple[list[str], list[str]]:
    """Misplaced points with what they lie in (see ``misplaced``), and the names of those that lie in implants."""
    packed = pack(body.parts, body.field, _STEP_MM, np.zeros(3))

    def organ(point: np.ndarray) -> str:
        hu, labels = np.full((1, 1, 1), -1000, np.int16), np.zeros((1, 1, 1), np.uint8)
        paint_packed(packed, body.field, point, _STEP_MM, hu, labels)
        return _NAMES[labels[0, 0, 0]]

    points = body.points()
    wrong, implanted = [], []
    for name, home in HOME.items():
        found = organ(points[name])
        if found == "device" and any(bone in home for bone in IMPLANTED):
            implanted.append(name)
        elif found != home:
            wrong.append(f"{name} lies in {found}")
    for side in ("right", "left"):
        dome = points[f"{side}_hemidiaphragm"]
        above, under = organ(dome + np.array([0.0, 0.0, 8.0])), organ(dome - np.array([0.0, 0.0, 8.0]))
        if above not in (f"{side}_lung", "lung_vessel", "airway") or under in (f"{side}_lung", "background"):
            wrong.append(f"{side}_hemidiaphragm lies between {above} and {under}")
    if (found := organ(points["skull"])) not in ("brain", "ventricle"):
        wrong.append(f"skull lies in {found}")
    return wrong, implanted


def survey(seeds: Sequence[int], spacing_mm: float) -> dict[str, Any]:
    """Makes every phantom at ``spacing_mm``; failures, misplaced points, times, peak memory of the process, heights of
    landmarks against T1, and what sex and height do not tell of the distance from symphysis to sella."""
    make_phantom(0, 8.0)
    failures: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    implants: Counter[str] = Counter()
    times: list[float] = []
    heights: dict[str, list[float]] = {name: [] for name in LANDMARKS}
    known: list[tuple[float, float, float]] = []
    reach: list[float] = []
    for seed in seeds:
        try:
            started = time.perf_counter()
            body = draw_body(seed)
            patient = voxelised(body, spacing_mm)
            times.append(time.perf_counter() - started)
            found, implanted = placement(body)
            implants.update(implanted)
            if found:
                wrong[str(seed)] = found
        except Exception as error:
            failures[str(seed)] = f"{type(error).__name__}: {error}"
            continue
        person = body.build.person
        known.append((1.0, person.height_mm, float(person.sex == "M")))
        reach.append(float(patient.targets["sella"][2] - patient.landmarks["pubic_symphysis"][2]))
        for name in LANDMARKS:
            heights[name].append(float(patient.landmarks[name][2] - patient.landmarks["T1"][2]))
    return {
        "phantoms": len(seeds),
        "spacing_mm": spacing_mm,
        "failures": failures,
        "misplaced": wrong,
        "in_implants": dict(sorted(implants.items())),
        "seconds_mean": round(float(np.mean(times)), 2),
        "seconds_p95": round(float(np.percentile(times, 95)), 2),
        "seconds_max": round(float(np.max(times)), 2),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "symphysis_sella_residual_sd_mm": round(residual_sd(np.array(known), np.array(reach)), 1),
        "above_t1_mm": {name: [round(float(np.mean(v)), 1), round(float(np.std(v)), 1)] for name, v in heights.items()},
    }


def residual_sd(known: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Standard deviation of values [K] about their linear regression on what is known [K, M]."""
    return float(np.std(values - known @ np.linalg.lstsq(known, values, rcond=None)[0]))
