"""What one step of N lanes produced: the source of observations, records and info."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

REWARD_TERMS: tuple[str, ...] = ("progress", "dose", "time", "success", "false_arrival", "collision")
OUTCOMES: tuple[str, ...] = ("running", "success", "false_arrival", "timeout")


@dataclass
class StepResult:
    """Arrays of N lanes and P planes (P = 1 without plane B); reset fills one too, with zero action and reward.

    Attributes:
        episode_seed: [N]; step: steps done in this episode, [N]; elapsed_s: [N].
        action: as given, float32 [N, A].
        position, velocity: achieved, [N, 8] in the order of ``machine.state.AXES``.
        at_limit: [N, 8]; contact: [N]; contact_pair: [N]; path_mm: so far, [N].
        exposed: [N, P]; pulses charged: int [N, P]; preset: int [N]; field_mm: [N, P].
        kv, cu_mm, mas, pulse_ms, ka_r_mgy, kap_gycm2, k_detector_ngy, quanta, limited: of this step, [N, P], 0 where
            not exposed.
        edge_of_ct: a field left the CT in this step, [N, P].
        image: last image hold, uint8 [N, P, H, W]; image_age_s: [N, P]; frame_hash: uint64 [N, P], 0 if not exposed;
            frame_mean: mean raw signal inside the field, [N, P].
        estimate_mm, estimate_sd_mm: last estimate, [N, P, 3]; estimate_valid: [N, P]; estimate_age_s: [N, P];
            nearest, visible: [N, P, 20].
        target_mm: the truth, table frame, [N, 3]; error_mm, error_deg: true errors, [N].
        rested, verified: task state, [N]; kap_plane_gycm2: so far, [N, P]; kap_total_gycm2, kap_search_gycm2,
            ka_r_total_mgy: so far, [N]; exposures: pulses so far, [N].
        reward: [N]; reward_terms: [N, 6] in the order of ``REWARD_TERMS``.
        outcome: index into ``OUTCOMES``, [N]; terminated: [N].
    """

    episode_seed: NDArray[np.int64]
    step: NDArray[np.int64]
    elapsed_s: F64
    action: NDArray[np.float32]
    position: F64
    velocity: F64
    at_limit: Flags
    contact: Flags
    contact_pair: NDArray[np.int64]
    path_mm: F64
    exposed: Flags
    pulses: NDArray[np.int64]
    preset: NDArray[np.int64]
    field_mm: F64
    kv: F64
    cu_mm: F64
    mas: F64
    pulse_ms: F64
    ka_r_mgy: F64
    kap_gycm2: F64
    k_detector_ngy: F64
    quanta: F64
    limited: Flags
    edge_of_ct: Flags
    image: NDArray[np.uint8]
    image_age_s: F64
    frame_hash: NDArray[np.uint64]
    frame_mean: F64
    estimate_mm: F64
    estimate_sd_mm: F64
    estimate_valid: Flags
    estimate_age_s: F64
    nearest: F64
    visible: F64
    target_mm: F64
    error_mm: F64
    error_deg: F64
    rested: Flags
    verified: Flags
    kap_plane_gycm2: F64
    kap_total_gycm2: F64
    kap_search_gycm2: F64
    ka_r_total_mgy: F64
    exposures: NDArray[np.int64]
    reward: F64
    reward_terms: F64
    outcome: NDArray[np.int64]
    terminated: Flags

    def clear(self, lane: int) -> None:
        """Zeroes a lane."""
        for f in fields(self):
            getattr(self, f.name)[lane] = 0
        self.contact_pair[lane] = -1

    def clear_exposure(self, lanes: NDArray[np.int64]) -> None:
        """Zeroes what belongs to one step's exposures."""
        for name in EXPOSURE_FIELDS:
            getattr(self, name)[lanes] = 0

    def copy(self) -> StepResult:
        """A snapshot that later steps leave alone."""
        return StepResult(**{f.name: getattr(self, f.name).copy() for f in fields(self)})


EXPOSURE_FIELDS: tuple[str, ...] = (
    "exposed", "pulses", "kv", "cu_mm", "mas", "pulse_ms", "ka_r_mgy", "kap_gycm2", "k_detector_ngy", "quanta",
    "limited", "edge_of_ct", "frame_hash", "frame_mean",
)


def blank_result(lanes: int, planes: int, actions: int, pixels: int) -> StepResult:
    """All zero, nothing touched."""
    n, p = (lanes,), (lanes, planes)
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "episode_seed": (n, np.int64), "step": (n, np.int64), "action": ((lanes, actions), np.float32),
        "position": ((lanes, 8), float), "velocity": ((lanes, 8), float), "at_limit": ((lanes, 8), bool),
        "contact": (n, bool), "contact_pair": (n, np.int64), "preset": (n, np.int64), "exposures": (n, np.int64),
        "exposed": (p, bool), "pulses": (p, np.int64), "limited": (p, bool), "edge_of_ct": (p, bool),
        "image": ((*p, pixels, pixels), np.uint8), "frame_hash": (p, np.uint64), "estimate_valid": (p, bool),
        "estimate_mm": ((*p, 3), float), "estimate_sd_mm": ((*p, 3), float),
        "nearest": ((*p, 20), float), "visible": ((*p, 20), float), "target_mm": ((lanes, 3), float),
        "rested": (n, bool), "verified": (n, bool), "terminated": (n, bool), "outcome": (n, np.int64),
        "reward_terms": ((lanes, len(REWARD_TERMS)), float),
    }
    per_plane = {
        "field_mm", "kv", "cu_mm", "mas", "pulse_ms", "ka_r_mgy", "kap_gycm2", "k_detector_ngy", "quanta",
        "image_age_s", "frame_mean", "estimate_age_s", "kap_plane_gycm2",
    }
    arrays: dict[str, NDArray[Any]] = {}
    for f in fields(StepResult):
        shape, kind = shapes.get(f.name, (p if f.name in per_plane else n, float))
        arrays[f.name] = np.zeros(shape, kind)
    return StepResult(**arrays)
