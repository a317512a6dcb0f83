"""What a CT offers to a run and what a run would miss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from carm_env.patient.body import anchors
from carm_env.patient.load import load_patient
from carm_env.patient.model import LANDMARKS, Patient

EDGE_MM = 50.0
_STATURE_OVER_SYMPHYSIS_TO_VERTEX = 2.02


@dataclass(frozen=True)
class Finding:
    """One line of a check. ``level``: "ok" (a fact), "warning" (a run works, with a limit), "missing" (it does not)."""

    level: Literal["ok", "warning", "missing"]
    subject: str
    text: str


def check_patient(spec: str, target_mm: ArrayLike | None = None) -> list[Finding]:
    """Findings about a patient: size, points, target, vertex, height, and where the CT ends.

    Args:
        spec: as for ``load_patient``. target_mm: the target of the run, [3] LPS mm, where it is not the sella.

    Raises:
        CarmError: the patient cannot be read at all.
    """
    patient = load_patient(spec)
    return [
        *_volume(patient),
        *_points(patient),
        _target(patient, None if target_mm is None else np.asarray(target_mm, float)),
        *_person(patient),
        *_ends(patient),
    ]


def _volume(patient: Patient) -> list[Finding]:
    volume = patient.volume
    shape = " x ".join(map(str, volume.hu.shape))
    spacing = " x ".join(f"{s:.4g}" for s in volume.spacing_mm)
    low, high = volume.z_range_mm()
    found = [
        Finding("ok", "CT", f"{shape} voxels of {spacing} mm, id {patient.id}"),
        Finding("ok", "z range", f"{low:.0f} to {high:.0f} mm, {high - low:.0f} mm along the body"),
    ]
    if volume.spacing_mm.max() > 5.0:
        text = f"slices are {volume.spacing_mm.max():.1f} mm apart; frames will look coarse, want 3 mm or less"
        found.append(Finding("warning", "spacing", text))
    band = patient.meta.get("synthetic_band_mm")
    if band:
        found.append(Finding("warning", "synthetic band", f"z {band[0]:.0f} to {band[1]:.0f} mm is not measured"))
    if "seam_mm" in patient.meta:
        found.append(Finding("ok", "seam", f"two scans joined at z {patient.meta['seam_mm']:.0f} mm"))
    found += [Finding("warning", "reading", note) for note in patient.meta.get("notes", [])]
    return found


def _points(patient: Patient) -> list[Finding]:
    absent = [name for name in LANDMARKS if name not in patient.landmarks]
    found = [Finding("ok", "landmarks", f"{len(LANDMARKS) - len(absent)} of {len(LANDMARKS)} present")]
    if not patient.landmarks and not patient.targets:
        text = (
            "no landmark file, and none could be estimated: write NAME.landmarks.json beside the CT, or give "
            "task.target_mm=[x,y,z]"
        )
        return [Finding("warning", "landmarks", text)]
    if absent:
        found.append(Finding("warning", "landmarks", "absent: " + ", ".join(absent)))
    found += [_from_elsewhere(patient, origin) for origin in sorted(set(patient.meta.get("origin", {}).values()))]
    return found


def _from_elsewhere(patient: Patient, origin: str) -> Finding:
    """Points that nobody set by hand, with their uncertainty."""
    sd = patient.meta.get("uncertainty_mm", {})
    names = [n for n, o in patient.meta["origin"].items() if o == origin]
    listed = ", ".join(f"{n} {sd[n]:.0f}" if n in sd else n for n in names)
    level: Literal["ok", "warning"] = "warning" if origin == "estimated" else "ok"
    how = {"estimated": "estimated from the CT", "segmentation": "derived from masks"}[origin]
    return Finding(level, origin, f"{len(names)} points {how}, with sd in mm: {listed}")


def _target(patient: Patient, target_mm: np.ndarray | None) -> Finding:
    if target_mm is None:
        if "sella" not in patient.targets:
            text = "no sella among the targets and no task.target_mm=[x,y,z]: PelvisToHead has no goal"
            return Finding("missing", "target", text)
        target_mm = patient.targets["sella"]
    where = "(" + ", ".join(f"{v:.0f}" for v in target_mm) + ") mm"
    index = patient.volume.to_index(target_mm)
    if ((index < -0.5) | (index > np.array(patient.volume.hu.shape) - 0.5)).any():
        return Finding("missing", "target", f"{where} lies outside the CT; want LPS mm inside it")
    low, high = patient.volume.z_range_mm()
    if min(target_mm[2] - low, high - target_mm[2]) < EDGE_MM:
        return Finding("warning", "target", f"{where} lies less than {EDGE_MM:.0f} mm from the end of the CT")
    return Finding("ok", "target", where)


def _person(patient: Patient) -> list[Finding]:
    who, anchor = patient.demographics, anchors(patient)
    certain = anchor.vertex_source != "top of the CT"
    text = f"z {anchor.vertex_z_mm:.0f} mm, found from the {anchor.vertex_source}"
    found = [Finding("ok" if certain else "warning", "vertex", text)]
    if who.height_cm is not None:
        found.append(Finding("ok", "height", f"{who.height_cm:.0f} cm recorded"))
        return found
    estimate = estimate_height_cm(patient, anchor.vertex_z_mm) if certain else None
    if estimate is None:
        found.append(Finding("warning", "height", "not recorded and not to be estimated: want patient.height_cm"))
    else:
        found.append(Finding("warning", "height", f"not recorded; about {estimate:.0f} cm from pelvis and vertex"))
    return found


def estimate_height_cm(patient: Patient, vertex_z_mm: float) -> float | None:
    """Stature: 2.02 times the distance from symphysis (or 22 mm below the femoral heads) to vertex; None without.

    The factor is the mean of the phantom population (sd 0.07), an estimate for real people.
    """
    heads = [patient.landmarks[n][2] for n in ("right_femoral_head", "left_femoral_head") if n in patient.landmarks]
    if "pubic_symphysis" in patient.landmarks:
        low = float(patient.landmarks["pubic_symphysis"][2])
    elif heads:
        low = float(np.mean(heads)) - 22.0
    else:
        return None
    return (vertex_z_mm - low) * _STATURE_OVER_SYMPHYSIS_TO_VERTEX / 10.0


def _ends(patient: Patient) -> list[Finding]:
    low, high = patient.volume.z_range_mm()
    marks, found = patient.landmarks, []
    hips = [marks[n][2] for n in ("right_femoral_head", "left_femoral_head") if n in marks]
    if hips and min(hips) - low < EDGE_MM:
        text = (
            f"femoral heads {min(hips) - low:.0f} mm above the lowest slice: a run starts at z {low + EDGE_MM:.0f} mm"
        )
        found.append(Finding("warning", "lower end", text))
    elif not hips:
        text = f"no femoral heads: a run starts no lower than z {low + EDGE_MM:.0f} mm"
        found.append(Finding("warning", "lower end", text))
    tops = [p[2] for p in (marks.get("skull"), patient.targets.get("sella")) if p is not None]
    if not tops:
        found.append(Finding("warning", "upper end", f"no skull and no sella: the CT ends at z {high:.0f} mm"))
    return found
