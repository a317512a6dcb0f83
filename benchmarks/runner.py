"""Runs episodes of one policy, one after the other or in processes, each with its own seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import gymnasium
import numpy as np

import carm_env
from agents.registry import make_policy
from carm_env.env import CArmEnv
from carm_env.episode.dose import episode_dose
from carm_env.episode.recorder import EpisodeRecord, EpisodeRecorder
from carm_env.errors import CarmError
from carm_env.machine.presets import device
from carm_env.sim.result import StepResult
from carm_env.workers import check_executor, in_processes

StepHook = Callable[[StepResult], None]


@dataclass(frozen=True)
class RunSpec:
    """What every episode of a run has in common: plain data that a worker process can be sent.

    Attributes:
        env_id: a registered environment; env_kwargs: its arguments beyond the registered ones.
        policy: name in ``agents.registry``; policy_args: its keyword arguments.
        max_steps: length at which an episode is truncated.
    """

    env_id: str
    policy: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    policy_args: Mapping[str, Any] = field(default_factory=dict)
    max_steps: int = carm_env.MAX_EPISODE_STEPS

    def make_env(self) -> gymnasium.Env[Any, Any]:
        """The environment, with its time limit; it shows images to policies that want them."""
        seeing = {"image_obs": True} if getattr(self.make_policy(), "wants_image", False) else {}
        return gymnasium.make(self.env_id, max_episode_steps=self.max_steps, **{**self.env_kwargs, **seeing})

    def make_policy(self) -> Any:
        """A fresh policy; ``device`` tells it the machine in use."""
        name = self.env_kwargs.get("device", "artis_biplane")
        preset = device(name, **self.env_kwargs.get("device_overrides", {}))
        return make_policy(self.policy, **{"device": preset, **self.policy_args})


def run_episode(
    spec: RunSpec, seed: int, env: gymnasium.Env[Any, Any], frames: bool = True, on_step: StepHook | None = None
) -> EpisodeRecord:
    """One episode from reset to its end.

    Args:
        env: of ``spec.make_env()``; it may have run other episodes before.
        frames: keep the images of exposed steps.
        on_step: called after the reset and every step with the simulator's result.
    """
    began = time.perf_counter()
    core = env.unwrapped
    assert isinstance(core, CArmEnv)
    simulator, policy = core.simulator, spec.make_policy()
    recorder = EpisodeRecorder(frames)
    observation, _ = env.reset(options={"episode_seed": seed})
    recorder.start(simulator.result)
    if on_step:
        on_step(simulator.result)
    if getattr(policy, "privileged", False):
        policy.inform(simulator.result.target_mm[0].copy())
    state, start, over = None, True, False
    while not over:
        answer = policy.predict(observation, state, episode_start=start, deterministic=True)
        action, state = _checked(answer, env, spec.policy)
        observation, _, terminated, truncated, _ = env.step(action)
        recorder.append(simulator.result)
        if on_step:
            on_step(simulator.result)
        start, over = False, terminated or truncated
    wall_s = time.perf_counter() - began
    setup = simulator.setups[0]
    assert setup is not None
    record = recorder.finish(
        {
            "policy": spec.policy,
            "patient": setup.patient.id,
            "renderer": simulator.config.renderer,
            "perception": simulator.config.perception,
            "wall_s": wall_s,
            "steps_per_s": float(simulator.result.step[0]) / wall_s,
            "start_moved_mm": setup.start_moved_mm,
            "messages": simulator.messages(),
        }
    )
    dose = episode_dose(record, setup, simulator.config, simulator.device, organs=False)
    return replace(record, summary=record.summary | dose.summary())


def _checked(answer: Any, env: gymnasium.Env[Any, Any], policy: str) -> tuple[Any, Any]:
    """What a policy's ``predict`` gave.

    Raises:
        CarmError: not an action of the environment's shape, finite, and a state.
    """
    assert env.action_space.shape is not None
    size = env.action_space.shape[0]
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise CarmError(f"policy {policy!r}: predict gave a {type(answer).__name__}; want (action, state)")
    try:
        good = np.shape(answer[0]) == (size,) and bool(np.isfinite(answer[0]).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise CarmError(f"policy {policy!r}: predict gave the action {answer[0]!r}; want {size} finite numbers")
    return answer


def run_episodes(
    spec: RunSpec, episodes: Sequence[tuple[int, int]], executor: str = "serial", workers: int = 2
) -> Iterator[tuple[int, EpisodeRecord]]:
    """(index, record) of (index, seed) pairs as they finish; images are kept of index 0 only.

    Args:
        executor: one of ``workers.EXECUTORS``; workers: number of processes.

    Raises:
        CarmError: at the call, unknown executor or no workers; later, whatever an episode raises.
    """
    check_executor(executor, workers)
    if executor == "serial" or len(episodes) < 2:
        return _serially(spec, episodes)
    return _in_processes(spec, episodes, min(workers, len(episodes)))


def _serially(spec: RunSpec, episodes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, EpisodeRecord]]:
    env = spec.make_env()
    for index, seed in episodes:
        yield index, run_episode(spec, seed, env, frames=index == 0)


def _in_processes(
    spec: RunSpec, episodes: Sequence[tuple[int, int]], workers: int
) -> Iterator[tuple[int, EpisodeRecord]]:
    return in_processes(_in_worker, [(asdict(spec), index, seed) for index, seed in episodes], workers)


def _in_worker(spec: dict[str, Any], index: int, seed: int) -> tuple[int, EpisodeRecord]:
    chosen = RunSpec(**spec)
    return index, run_episode(chosen, seed, _worker_env(repr(sorted(spec.items())), chosen.make_env), frames=index == 0)


_worker_envs: dict[str, gymnasium.Env[Any, Any]] = {}


def _worker_env(key: str, make: Callable[[], gymnasium.Env[Any, Any]]) -> gymnasium.Env[Any, Any]:
    """One environment a worker process and spec: kernels and CTs are loaded once."""
    if key not in _worker_envs:
        _worker_envs[key] = make()
    return _worker_envs[key]


def parse_seeds(text: str) -> list[int]:
    """``"0:20"`` as seeds 0 to 19; at most 100,000.

    Raises:
        CarmError: not FIRST:END with 0 <= FIRST < END.
    """
    first, colon, end = text.partition(":")
    if not (colon and first.isdigit() and end.isdigit() and int(first) < int(end)) or int(end) - int(first) > 100_000:
        raise CarmError(f"seeds={text!r} is not a range; want FIRST:END, as in seeds=0:20 (at most 100000 episodes)")
    return list(range(int(first), int(end)))
