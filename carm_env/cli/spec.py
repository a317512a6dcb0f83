"""From a run's configuration to what the runner and the manifest need."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import gymnasium

from benchmarks.runner import RunSpec
from carm_env import ENV_IDS
from carm_env.episode.manifest import build_manifest, ct_hashes
from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset, device
from carm_env.patient.cohort import absolute, load_cohort
from carm_env.patient.load import load_patient
from carm_env.patient.names import Name, parse_name
from carm_env.sim.config import SimConfig
from carm_env.sim.episode_setup import set_up
from configs.schema import RunConfig

FILE_OF = {"network": "weights", "surrogate": "errors", "learned": "weights"}
"""Arguments of perceptions and policies that name a file."""


def run_spec(config: RunConfig) -> RunSpec:
    """The episodes' common specification."""
    if config.task.env_id not in ENV_IDS:
        raise CarmError(f"task.env_id={config.task.env_id!r} is unknown; environments: {', '.join(ENV_IDS)}")
    if not 1 <= config.task.max_steps <= 100_000:
        raise CarmError(f"task.max_steps={config.task.max_steps} is out of range; want 1 to 100000")
    device_name, device_overrides = _named(config.device, "device")
    perception, perception_args = _found_anywhere(*_named(config.perception, "perception"))
    policy, policy_args = _found_anywhere(*_named(config.policy, "policy"))
    curve, xray = _named(config.xray, "xray")
    _, dose = _named(config.dose, "dose")
    target = config.task.target_mm
    if target is not None and not all(map(isfinite, target)):
        raise CarmError(f"task.target_mm={target} is not finite; want x, y, z in LPS mm")
    env_kwargs = {
        "patient": str(parse_name(config.patient).absolute()),
        "cohort": None if config.cohort is None else absolute(config.cohort),
        "split": config.split,
        "device": device_name,
        "device_overrides": device_overrides,
        "renderer": config.renderer,
        "perception": perception,
        "perception_args": perception_args,
        "disturbance": asdict(config.disturbance),
        "exposure_control": config.exposure.control,
        "xray": {"curve": curve, **xray},
        "dose": dose,
        "pulse_rate_hz": config.exposure.pulse_rate_hz,
        "estimate_latency_s": config.latency.estimate_s,
        "policy_latency_s": config.latency.policy_s,
        "target_mm": None if target is None else list(target),
    }
    return RunSpec(config.task.env_id, policy, env_kwargs, policy_args, config.task.max_steps)


def describe(config: dict[str, Any], spec: RunSpec, seeds: Sequence[int]) -> dict[str, Any]:
    """The run's manifest."""
    env_spec = copy.deepcopy(gymnasium.spec(spec.env_id))
    env_spec.kwargs.update(spec.env_kwargs)
    env_spec.max_episode_steps = spec.max_steps
    renderer = spec.env_kwargs["renderer"]
    return build_manifest(config, env_spec.to_json(), seeds, _inputs(spec), renderer, checkpoints(spec))


def checkpoints(spec: RunSpec) -> dict[str, str]:
    """Hashes of what was trained or fitted and is in use, by the name of its perception or policy.

    Raises:
        CarmError: a file that cannot be read.
    """
    from agents.rl import learned
    from carm_env.tensor_file import digest
    from perception import network, surrogate

    shipped = {"network": network.SHIPPED, "surrogate": surrogate.SHIPPED, "learned": learned.SHIPPED}
    hashes = {}
    seen, args = spec.env_kwargs["perception"], spec.env_kwargs["perception_args"]
    for name, given in ((seen, args), (spec.policy, spec.policy_args)):
        if name in FILE_OF:
            file = Path(str(given.get(FILE_OF[name]) or shipped[name]))
            try:
                hashes[name] = digest(file)
            except OSError as error:
                raise CarmError(f"{file} of {name} cannot be read: {error.strerror}; want a file") from None
    return hashes


def _found_anywhere(name: str, args: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """With the absolute path of the file that it names, so that a run can be verified from another folder."""
    key = FILE_OF.get(name, "")
    return name, args | ({key: str(Path(str(args[key])).absolute())} if args.get(key) else {})


def _inputs(spec: RunSpec) -> dict[str, str]:
    """What decides the voxels: hashes of CTs, or the generator or list that patients are drawn from."""
    cohort, name = spec.env_kwargs["cohort"], parse_name(spec.env_kwargs["patient"])
    if cohort is not None:
        members = "\n".join(map(str, load_cohort(cohort).select(spec.env_kwargs["split"])))
        return {f"cohort {cohort}": hashlib.blake2b(members.encode(), digest_size=16).hexdigest()}
    if name == Name("phantom"):
        return {"phantom": "generated"}
    return ct_hashes([load_patient(name.path if name.is_family else str(name))])


def simulator_settings(spec: RunSpec) -> tuple[SimConfig, DevicePreset]:
    """What the environment of ``spec`` gives its simulator."""
    config = SimConfig(task=ENV_IDS[spec.env_id], **spec.env_kwargs)
    return config, device(config.device, **dict(config.device_overrides))


def check_start(spec: RunSpec, seed: int) -> None:
    """Refuses what the first episode of a run would refuse, before anything is announced.

    Raises:
        CarmError: a policy, a perception or a renderer that cannot be made, or an episode that cannot begin.
    """
    spec.make_env().close()
    spec.make_policy()
    set_up(*simulator_settings(spec), seed)


def _named(group: dict[str, Any], what: str) -> tuple[str, dict[str, Any]]:
    """The ``name`` of a group and its other settings."""
    rest = dict(group)
    name = rest.pop("name", None)
    if not isinstance(name, str):
        raise CarmError(f"{what}.name={name!r} is not a name; want {what}=NAME")
    return name, rest
