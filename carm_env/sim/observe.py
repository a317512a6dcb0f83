"""Observations and info from a step's result. The truth goes to info, never into an observation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.machine.state import DEPLOY
from carm_env.sim.result import OUTCOMES
from carm_env.sim.simulator import Simulator
from carm_env.sim.spaces import MM_CAP, TIME_CAP_S, encoder_axes

Observation = dict[str, NDArray[Any]]
SUCCESS_AT_MM = (5.0, 10.0, 20.0)


def observe(simulator: Simulator, image: bool) -> Observation:
    """Observations of all N lanes, leading axis N, in the units of ``sim.spaces``."""
    r, config = simulator.result, simulator.config
    axes = encoder_axes(config.planar)
    recorded = np.stack([s.recorded if s else np.full(5, np.nan) for s in simulator.setups])
    known = np.isfinite(recorded)
    table: dict[str, ArrayLike] = {
        "encoders": r.position[:, axes],
        "velocities": r.velocity[:, axes],
        "at_limit": r.at_limit[:, axes],
        "contact": r.contact[:, None],
        "estimate_mm": np.clip(r.estimate_mm, -MM_CAP, MM_CAP),
        "estimate_sd_mm": np.minimum(r.estimate_sd_mm, MM_CAP),
        "estimate_valid": r.estimate_valid,
        "estimate_age_s": np.minimum(r.estimate_age_s, TIME_CAP_S),
        "landmark_nearest": r.nearest,
        "landmark_visible": r.visible,
        "technique": simulator.technique,
        "kap_gycm2": r.kap_plane_gycm2,
        "elapsed_s": np.minimum(r.elapsed_s, TIME_CAP_S)[:, None],
        "demographics": np.where(known, recorded, 0.0),
        "demographics_known": known,
    }
    if config.planes == 2:
        swing = r.position[:, DEPLOY]
        table["plane_b"] = np.stack([swing >= simulator.device.deploy_deg, swing <= 0.0], axis=1)
    if config.task == "landmark_reach":
        table["goal"] = np.stack([np.arange(20) == (s.goal if s else -1) for s in simulator.setups])
    n = simulator.lanes
    observation: Observation = {name: np.array(value, np.float32).reshape(n, -1) for name, value in table.items()}
    if image:
        observation["image"] = r.image.copy()
        observation["image_age_s"] = np.minimum(r.image_age_s, TIME_CAP_S).astype(np.float32)
    return observation


def inform(simulator: Simulator, lane: int = 0) -> dict[str, Any]:
    """Info of one lane: the truth, the machine's events, dose and the named reward terms; always the same keys."""
    r, setup = simulator.result, simulator.setups[lane]
    outcome = int(r.outcome[lane])
    return {
        "is_success": outcome == 1,
        "outcome": OUTCOMES[outcome],
        "error_mm": float(r.error_mm[lane]),
        "error_deg": float(r.error_deg[lane]),
        **{f"within_{int(t)}mm": bool(r.error_mm[lane] <= t) for t in SUCCESS_AT_MM},
        "reward_terms": r.reward_terms[lane].copy(),
        "elapsed_s": float(r.elapsed_s[lane]),
        "path_mm": float(r.path_mm[lane]),
        "exposed": r.exposed[lane].copy(),
        "exposures": int(r.exposures[lane]),
        "kap_gycm2": float(r.kap_total_gycm2[lane]),
        "kap_search_gycm2": float(r.kap_search_gycm2[lane]),
        "ka_r_mgy": float(r.ka_r_total_mgy[lane]),
        "exposure_limited": r.limited[lane].copy(),
        "edge_of_ct": r.edge_of_ct[lane].copy(),
        "at_limit": r.at_limit[lane].copy(),
        "collision": bool(r.contact[lane]),
        "collision_pair": int(r.contact_pair[lane]),
        "at_rest": bool(r.rested[lane]),
        "verified": bool(r.verified[lane]),
        "position": r.position[lane].copy(),
        "target_mm": r.target_mm[lane].copy(),
        "patient": setup.patient.id if setup else "",
        "episode_seed": int(r.episode_seed[lane]),
    }
