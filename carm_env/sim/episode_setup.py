"""What is drawn before the first step: patient, placement on the table, what the record says, start and goal."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Capsules, Rigid
from carm_env.machine.presets import DevicePreset
from carm_env.patient.body import Anchors, anchors, body_hull
from carm_env.patient.cohort import load_cohort
from carm_env.patient.load import load_patient
from carm_env.patient.model import LANDMARKS, Patient
from carm_env.patient.names import draw_name, parse_name
from carm_env.sim import nominal
from carm_env.sim.config import SimConfig
from carm_env.sim.streams import stream

F64 = NDArray[np.float64]
CT_MARGIN_MM = 50.0
"""Least distance of the start, and of a drawn landmark, from the CT's lowest and highest slice."""


_bodies: WeakKeyDictionary[Patient, tuple[Anchors, Capsules]] = WeakKeyDictionary()


def _body(patient: Patient) -> tuple[Anchors, Capsules]:
    """Anchors and collision hull of a patient, found once."""
    if patient not in _bodies:
        _bodies[patient] = anchors(patient), body_hull(patient.volume)
    return _bodies[patient]


@dataclass(frozen=True)
class EpisodeSetup:
    """One lane's episode before its first step; table frame, mm and degrees.

    Attributes:
        recorded: sex (0 F, 1 M), age, height cm, weight kg, arms raised; NaN where the record is silent, [5].
        landmarks_mm: NaN where the CT has none, [20, 3].
        goal: index of the landmark that is the goal, -1 for another target.
        start: initial pose in the order of ``AXES``, [8].
        start_moved_mm: how far the start was moved along z to lie inside the CT and the table's travel.
        messages: what the user should know, a line each.
    """

    seed: int
    patient: Patient
    patient_to_table: Rigid
    hull: Capsules
    recorded: F64
    landmarks_mm: F64
    target_mm: F64
    goal: int
    start: F64
    start_moved_mm: float
    messages: list[str] = field(default_factory=list)


def set_up(config: SimConfig, device: DevicePreset, seed: int) -> EpisodeSetup:
    """Draws an episode. Same config, same device, same seed: same episode.

    Raises:
        CarmError: unknown patient, or a CT without the target.
    """
    patient = load_patient(_patient_spec(config, seed))
    rng = stream(seed, "placement")
    offset = rng.normal(0.0, nominal.PLACEMENT_SD_MM)
    yaw_deg = rng.normal(0.0, nominal.PLACEMENT_YAW_SD_DEG)
    height_error_cm = rng.normal(0.0, nominal.HEIGHT_ERROR_SD_CM)
    spread = rng.uniform(-1.0, 1.0, 2) * (nominal.START_SPREAD_X_MM, nominal.START_SPREAD_Z_MM)

    body, hull = _body(patient)
    vertex_z_mm, vertex_note = _vertex(patient, body)
    anchor = np.array([body.midline_x_mm, body.back_y_mm, vertex_z_mm])
    to_table = _placement(anchor, offset, yaw_deg)
    target, goal = _goal(config, device, patient, to_table, seed)
    start, moved = _start(config, device, patient, to_table, height_error_cm, spread)
    messages = [note for note in (vertex_note, _estimate_note(config, patient, goal)) if note]
    if moved:
        messages.append(f"the start was moved {moved:+.0f} mm along z, into the CT and the table's travel")
    landmarks = np.full((len(LANDMARKS), 3), np.nan)
    for i, name in enumerate(LANDMARKS):
        if name in patient.landmarks:
            landmarks[i] = patient.landmarks[name]
    return EpisodeSetup(
        seed=seed,
        patient=patient,
        patient_to_table=to_table,
        hull=hull.moved(to_table),
        recorded=_recorded(patient, height_error_cm),
        landmarks_mm=to_table.points(landmarks[None])[0],
        target_mm=to_table.points(target[None])[0],
        goal=goal,
        start=start,
        start_moved_mm=moved,
        messages=messages,
    )


def _patient_spec(config: SimConfig, seed: int) -> str:
    rng = stream(seed, "patient")
    if config.cohort is not None:
        patients = load_cohort(config.cohort).select(config.split)
        return str(patients[int(rng.integers(len(patients)))])
    return str(draw_name(parse_name(config.patient), config.pool, rng))


def _vertex(patient: Patient, body: Anchors) -> tuple[float, str]:
    """LPS z of the vertex, and what the user should know of it: a CT without a head has it above its top slice."""
    if body.vertex_source != "top of the CT":
        return body.vertex_z_mm, ""
    hips = [patient.landmarks[n][2] for n in ("right_femoral_head", "left_femoral_head") if n in patient.landmarks]
    if not hips:
        return body.vertex_z_mm, "the CT has neither skull landmark nor sella: its top is taken as the vertex"
    d = patient.demographics
    z = max(float(np.mean(hips)) + nominal.groin_below_vertex_mm(d.height_cm, d.sex), body.vertex_z_mm)
    return z, "the CT has neither skull landmark nor sella: the vertex is estimated from femoral heads and height"


def _estimate_note(config: SimConfig, patient: Patient, goal: int) -> str:
    """What the user should know of a goal that no file gives."""
    name = LANDMARKS[goal] if goal >= 0 else "sella"
    if config.target_mm is not None or patient.meta.get("origin", {}).get(name) != "estimated":
        return ""
    sd = patient.meta.get("uncertainty_mm", {}).get(name)
    return f"the target ({name}) is estimated from the CT" + (f", sd {sd:.0f} mm" if sd is not None else "")


def _placement(anchor: F64, offset_mm: F64, yaw_deg: float) -> Rigid:
    """Back's skin on the mattress, midline on the midline, vertex at its nominal z, then the episode's error."""
    lying = np.array([0.0, -nominal.MATTRESS_MM, nominal.VERTEX_Z_MM]) + offset_mm
    turn = Rigid.yaw(yaw_deg, np.zeros(3))
    return Rigid.yaw(yaw_deg, lying - turn.points(anchor[None])[0])


def _goal(config: SimConfig, device: DevicePreset, patient: Patient, to_table: Rigid, seed: int) -> tuple[F64, int]:
    """The target in patient LPS mm and the index of its landmark (-1 for another point)."""
    where = patient.meta.get("source", patient.id)
    if config.target_mm is not None:
        target = np.asarray(config.target_mm, float)
        index = patient.volume.to_index(target)
        last = np.array(patient.volume.hu.shape) - 0.5
        if not (np.isfinite(index).all() and (index >= -0.5).all() and (index <= last).all()):
            ends = np.sort(patient.volume.to_mm([np.zeros(3), last - 0.5]), axis=0)
            ranges = ", ".join(f"{axis} {a:.0f} to {b:.0f}" for axis, a, b in zip("xyz", *ends, strict=True))
            raise CarmError(f"target_mm={[float(t) for t in target]} lies outside {where}; want LPS mm in {ranges}")
        return target, -1
    if config.task == "landmark_reach":
        inside = [i for i, name in enumerate(LANDMARKS) if _reachable(device, patient, to_table, name)]
        if not inside:
            raise CarmError(
                f"{where} has no landmark {CT_MARGIN_MM:.0f} mm inside the CT and within the table's travel; "
                f"{_SIDECAR_HINT}"
            )
        goal = inside[int(stream(seed, "task").integers(len(inside)))]
        return patient.landmarks[LANDMARKS[goal]], goal
    name, points = ("skull", patient.landmarks) if config.planar else ("sella", patient.targets)
    if name not in points:
        raise CarmError(f"{where} has no target {name!r}; {_SIDECAR_HINT}, or say task.target_mm=[x,y,z] in LPS mm")
    return points[name], LANDMARKS.index(name) if name in LANDMARKS else -1


def _reachable(device: DevicePreset, patient: Patient, to_table: Rigid, name: str) -> bool:
    """Whether the CT holds a landmark well inside and the table can bring it to the isocentre (x and z)."""
    if name not in patient.landmarks:
        return False
    point = patient.landmarks[name]
    low, high = patient.volume.z_range_mm()
    place = to_table.points(point[None])[0][[0, 2]]
    travel = device.limits[[0, 2]]
    in_travel = (place >= travel[:, 0]).all() and (place <= travel[:, 1]).all()
    return bool(low + CT_MARGIN_MM <= point[2] <= high - CT_MARGIN_MM and in_travel)


_SIDECAR_HINT = "put a NAME.landmarks.json beside the CT"


def _start(
    config: SimConfig, device: DevicePreset, patient: Patient, to_table: Rigid, height_error_cm: float, spread: F64
) -> tuple[F64, float]:
    """Initial pose over the nominal groin, moved along z to the nearest place allowed, and that move in mm."""
    d = patient.demographics
    recorded_cm = None if d.height_cm is None else d.height_cm + height_error_cm
    x, y, z = nominal.groin_mm(recorded_cm, d.sex)
    iso = np.array([x + spread[0], y, z + spread[1]])
    low, high = patient.volume.z_range_mm()
    if high - low < 2 * CT_MARGIN_MM:
        raise CarmError(
            f"{patient.meta.get('source', patient.id)} is {high - low:.0f} mm long; "
            f"want a CT of at least {2 * CT_MARGIN_MM:.0f} mm, from the groin to the target"
        )
    z_patient = to_table.inverse().points(iso[None])[0, 2]
    wanted = np.clip(z_patient, low + CT_MARGIN_MM, high - CT_MARGIN_MM)
    moved = float((wanted - z_patient) / to_table.rotation[0, 2, 2])
    iso[2] += moved
    start = np.zeros(8)
    start[:3] = np.clip(iso, device.limits[:3, 0], device.limits[:3, 1])
    start[3:] = device.home[3:]
    return start, moved + float(start[2] - iso[2])


def _recorded(patient: Patient, height_error_cm: float) -> F64:
    d = patient.demographics
    arms = patient.meta.get("arms")
    values = [
        {"F": 0.0, "M": 1.0, None: np.nan}[d.sex],
        d.age_years,
        None if d.height_cm is None else d.height_cm + height_error_cm,
        d.weight_kg,
        None if arms is None else float(arms == "raised"),
    ]
    return np.array([np.nan if v is None else v for v in values], float)
