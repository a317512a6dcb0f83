"""Runs recorded actions again and says where the new episode leaves the recorded one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from carm_env import ENV_IDS
from carm_env.env import CArmEnv
from carm_env.episode.recorder import EpisodeRecord, EpisodeRecorder
from carm_env.episode.schema import AXIS_COLUMNS, STEP_COLUMNS
from carm_env.errors import CarmError

STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("machine", ("position", "velocity", "at_limit", "contact", "contact_pair", "path_mm")),
    ("exposure", ("exposed", "pulses", "preset", "field_mm", "kv", "cu_mm", "mas", "pulse_ms", "ka_r_mgy",
                  "kap_gycm2", "k_detector_ngy", "quanta", "limited", "edge_of_ct")),
    ("frame", ("frame_hash", "frame_mean")),
    ("perception", ("estimate_mm", "estimate_sd_mm", "estimate_valid", "estimate_age_s")),
    ("task", ("elapsed_s", "target_mm", "error_mm", "error_deg", "rested", "verified", "kap_total_gycm2",
              "kap_search_gycm2", "ka_r_total_mgy", "exposures", "reward", "reward_terms", "outcome", "terminated")),
)  # fmt: skip
"""Stages of a step in the order in which they run, and the fields of ``StepResult`` that each writes."""

POSE_TOLERANCE = 1e-3
"""mm or deg, between CPUs."""
RELATIVE_TOLERANCE = {"exposure": 1e-4, "frame": 1e-3}
ESTIMATE_TOLERANCE_MM = 0.01
_WANTED = "want the spec of an environment of this package, as `carm run` writes it"


@dataclass(frozen=True)
class Difference:
    """The first step and stage at which two episodes differ."""

    step: int
    stage: str
    column: str
    recorded: Any
    replayed: Any

    def __str__(self) -> str:
        return f"step {self.step}, {self.stage}: {self.column} was {self.recorded}, is {self.replayed}"


def replay_env(manifest: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """The environment of a run.

    Raises:
        CarmError: the manifest names an environment or a perception that is not this package's own: those are taken
            from a command line only.
    """
    try:
        spec = json.loads(manifest["env_spec"])
        env_id, kwargs, max_steps = spec["id"], dict(spec["kwargs"]), spec["max_episode_steps"]
        entry, wrappers = spec["entry_point"], spec["additional_wrappers"]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise CarmError(f"the run's manifest has no usable env_spec; {_WANTED}") from None
    if not isinstance(env_id, str) or env_id not in ENV_IDS:
        raise CarmError(f"the run's environment {env_id!r} is unknown; environments: {', '.join(ENV_IDS)}")
    if entry != gymnasium.spec(env_id).entry_point or wrappers:
        raise CarmError(f"the run's manifest wants to import {entry!r} with wrappers {wrappers!r}; {_WANTED}")
    for key in ("perception", "renderer"):
        if ":" in str(kwargs.get(key, "")):
            raise CarmError(f"the run used {key} {kwargs[key]!r}, which a recorded run may not import")
    try:
        return gymnasium.make(env_id, max_episode_steps=max_steps, **kwargs)
    except (TypeError, AttributeError, AssertionError) as error:
        raise CarmError(f"the run's manifest has an env_spec that no environment takes: {error}; {_WANTED}") from None


def replay(record: EpisodeRecord, env: gymnasium.Env[Any, Any], frames: bool = True) -> EpisodeRecord:
    """The same seed and the same actions again, with images."""
    core = env.unwrapped
    assert isinstance(core, CArmEnv)
    recorder = EpisodeRecorder(frames)
    env.reset(options={"episode_seed": int(record.summary["seed"])})
    setup = core.simulator.setups[0]
    if setup is not None and setup.patient.id != record.summary["patient"]:
        raise CarmError(
            f"the run was over patient {record.summary['patient']}, but {core.simulator.config.patient} is now "
            f"{setup.patient.id}; want the CT that was recorded"
        )
    recorder.start(core.simulator.result)
    for action in record.steps["action"][1:]:
        env.step(np.asarray(action, np.float32))
        recorder.append(core.simulator.result)
    return recorder.finish(record.summary)


def first_difference(recorded: EpisodeRecord, replayed: EpisodeRecord, exact: bool) -> Difference | None:
    """The earliest difference in step, then stage order; None where there is none.

    Args:
        exact: bit for bit; else within the tolerances that hold between CPUs.
    """
    best: tuple[int, int, Difference] | None = None
    for order, (stage, fields) in enumerate(STAGES):
        for column in (c for c in STEP_COLUMNS if c.field in fields and c.name in recorded.steps):
            old, new = recorded.steps[column.name], replayed.steps[column.name]
            wrong = np.flatnonzero(~_same(old, new, stage, column.name, exact))
            if len(wrong) and (best is None or (wrong[0], order) < best[:2]):
                at = int(wrong[0])
                best = (at, order, Difference(at, stage, column.name, old[at], new[at]))
    return best[2] if best else None


def _same(old: NDArray[Any], new: NDArray[Any], stage: str, name: str, exact: bool) -> NDArray[np.bool_]:
    if exact or old.dtype.kind != "f":
        equal = old == new
        return np.ones_like(equal) if name.startswith("frame_hash") and not exact else equal
    if stage in RELATIVE_TOLERANCE:
        return np.isclose(new, old, rtol=RELATIVE_TOLERANCE[stage], atol=1e-12)
    if stage == "perception":
        return np.isclose(new, old, rtol=1e-3, atol=ESTIMATE_TOLERANCE_MM)
    tolerance = POSE_TOLERANCE if name in AXIS_COLUMNS or stage == "machine" or name.startswith("error") else 1e-4
    return np.isclose(new, old, rtol=1e-4, atol=tolerance)
