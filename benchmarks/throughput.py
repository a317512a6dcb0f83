"""Steps and frames per second of every stage, on one patient, in one run."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np

import carm_env  # noqa: F401  (registers the environments)
from benchmarks.timing import in_turns
from carm_env.env import CArmEnv
from carm_env.episode.dose import episode_irradiations, episode_skin
from carm_env.episode.manifest import cpu_name
from carm_env.episode.recorder import EpisodeRecorder
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.state import DEPLOY, MachineState
from carm_env.sim.actions import action_size, preset_action
from carm_env.sim.config import DT_S
from carm_env.sim.simulator import Simulator
from carm_env.vector import CArmVectorEnv
from carm_env.xray.display import to_display
from carm_env.xray.exposure import ExposureRequest, Technique

LANES = 8

Stage = tuple[int, Callable[[], object]]
"""How often a stage is repeated in a row, and what it does."""


def measure(patient: str = "phantom:0", rounds: int = 20) -> dict[str, Any]:
    """Medians over interleaved rounds.

    Args:
        patient: phantom or path of a CT.
        rounds: repetitions of each stage; their order is interleaved, so that a busy machine slows all alike.

    Returns:
        Plain data: ``stages_ms`` (a stage's median), ``rates`` (per second), ``machine``.
    """
    stages = _stages(patient)
    times = in_turns({name: partial(_repeat, count, call) for name, (count, call) in stages.items()}, rounds)
    typical = {name: 0.001 * times[name]["median_ms"] / count for name, (count, _) in stages.items()}
    vector = f"vector step of {LANES}"
    return {
        "patient": patient,
        "rounds": rounds,
        "machine": describe_machine(),
        "stages_ms": {name: round(1000 * value, 4) for name, value in typical.items()},
        "rates": {
            "env_exposed_steps_per_s": round(1 / typical["env step, both planes exposed"], 1),
            "env_network_steps_per_s": round(1 / typical["env step, both planes exposed, network"], 1),
            "env_unexposed_steps_per_s": round(1 / typical["env step, unexposed"], 1),
            f"vector_{LANES}_exposed_lane_steps_per_s": round(LANES / typical[f"{vector}, exposed"], 1),
            f"vector_{LANES}_unexposed_lane_steps_per_s": round(LANES / typical[f"{vector}, unexposed"], 1),
            "rendered_pairs_per_s": round(1 / typical["render, biplane pair 128x128"], 1),
        },
    }


def describe_machine() -> dict[str, Any]:
    """Processor, cores and Python: no names, no addresses."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu_name(), "cores": cores, "python": platform.python_version(), "system": platform.system()}


def _stages(patient: str) -> dict[str, Stage]:
    """Stages by name."""
    env = gymnasium.make("CArm/PelvisToHead-v0", patient=patient, max_episode_steps=10**9)
    core = env.unwrapped
    assert isinstance(core, CArmEnv)
    env.reset(seed=0)
    _look_at_target(core.simulator)
    exposing, idle = _actions(action_size(planar=False))
    vector = CArmVectorEnv(LANES, patient=patient)
    vector.reset(seed=0)
    _look_at_target(vector.simulator)
    seeing = gymnasium.make("CArm/PelvisToHead-v0", patient=patient, perception="network", max_episode_steps=10**9)
    assert isinstance(seeing.unwrapped, CArmEnv)
    seeing.reset(seed=0)
    _look_at_target(seeing.unwrapped.simulator)
    return _parts(core.simulator, seeing.unwrapped.simulator) | _dose(env, exposing) | {
        "env step, both planes exposed": (3, lambda: env.step(exposing)),
        "env step, both planes exposed, network": (3, lambda: seeing.step(exposing)),
        "env step, unexposed": (30, lambda: env.step(idle)),
        f"vector step of {LANES}, exposed": (1, lambda: vector.step(np.tile(exposing, (LANES, 1)))),
        f"vector step of {LANES}, unexposed": (10, lambda: vector.step(np.tile(idle, (LANES, 1)))),
    }


def _parts(sim: Simulator, seeing: Simulator) -> dict[str, Stage]:
    """The stages inside a step of the biplane, each on its own; ``seeing`` has perception ``network``."""
    setup, imaging = sim.setups[0], sim.imaging
    assert setup is not None
    size, both, lane = (imaging.pixels, imaging.pixels), np.array([0, 1]), np.zeros(2, int)
    local = plane_cameras(sim.device, sim.result.position, both, lane, imaging.pixels).moved(
        setup.patient_to_table.inverse()[lane]
    )
    patients, state = [setup.patient] * 2, MachineState(sim.result.position.copy(), np.zeros((1, 8)))
    integrals = imaging.renderer.render(patients, local, size)
    technique, preset, pulses = Technique.none(2), np.array([2, 2]), np.array([1, 1])
    planes = sim.device.planes
    sod_mm, sid_mm = np.array([p.sod_mm for p in planes]), np.array([p.sid_mm for p in planes])
    request = ExposureRequest(sod_mm, sid_mm, local.pitch_mm, sim.full_field_mm, preset, pulses, technique)
    rngs = [np.random.default_rng(0), np.random.default_rng(1)]
    shot = imaging.shoot(
        [setup] * 2, sim.result.position[lane], lane, lane, both, sim.full_field_mm, preset, pulses, technique
    )
    unscattered, scattered = (
        replace(imaging.chain, config=replace(imaging.chain.config, scatter=mode)) for mode in ("off", "full")
    )
    rest, swung_in = np.zeros((1, 8)), np.array([True])
    return {
        "machine step": (30, lambda: sim.machine.step(state, rest, swung_in, DT_S, [setup.hull])),
        "render, biplane pair 128x128": (3, lambda: imaging.renderer.render(patients, local, size)),
        "x-ray chain, pair": (3, lambda: imaging.chain.expose(integrals, request, rngs)),
        "x-ray chain without scatter, pair": (3, lambda: unscattered.expose(integrals, request, rngs)),
        "x-ray chain with full scatter, pair": (3, lambda: scattered.expose(integrals, request, rngs)),
        "display, pair": (3, lambda: to_display(shot.exposure.signal, shot.exposure.mask)),
        "perception oracle, pair": (3, lambda: sim.perceive(shot, sim.full_field_mm)),
        "perception network, pair": (3, lambda: seeing.perceive(shot, sim.full_field_mm)),
    }


def _dose(env: gymnasium.Env[Any, Any], exposing: np.ndarray) -> dict[str, Stage]:
    """The skin dose map of one step that exposes both planes."""
    core = env.unwrapped
    assert isinstance(core, CArmEnv)
    simulator, recorder = core.simulator, EpisodeRecorder(frames=False)
    recorder.start(simulator.result)
    env.step(exposing)
    recorder.append(simulator.result)
    setup = simulator.setups[0]
    assert setup is not None
    skin = episode_skin(recorder.finish(), setup, simulator.config, simulator.device)
    shots = episode_irradiations(recorder.finish(), simulator.config, simulator.device)
    return {"skin dose map, pair": (3, lambda: skin.add(shots))}


def _repeat(count: int, call: Callable[[], object]) -> None:
    for _ in range(count):
        call()


def _look_at_target(simulator: Simulator) -> None:
    """Puts every lane's isocentre on its target with plane B swung in: the dearest place to expose."""
    simulator.result.position[:, :3] = simulator.result.target_mm
    simulator.result.position[:, DEPLOY] = simulator.device.deploy_deg


def _actions(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Resting, plane B in, all fields full, preset normal, no declaration: exposing and not."""
    idle = np.zeros(size, np.float32)
    idle[7], idle[8:10], idle[10:12], idle[12], idle[13] = 1, -1, 1, preset_action(2), -1
    exposing = idle.copy()
    exposing[8:10] = 1
    return exposing, idle
