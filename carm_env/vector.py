"""``CArmVectorEnv``: N lanes in one simulator, one render call a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from carm_env.env import SEED_CAP
from carm_env.sim.config import SimConfig
from carm_env.sim.observe import Observation, inform, observe
from carm_env.sim.simulator import Simulator
from carm_env.sim.spaces import action_space, observation_space

Flags = NDArray[np.bool_]


class CArmVectorEnv(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """The batched twin of ``CArmEnv``; see its docstring for the task, the spaces and the arguments.

    Args:
        num_envs: number of lanes.
        max_episode_steps: steps after which a lane is truncated; None for never.
        autoreset_mode: gymnasium's ``AutoresetMode`` or its value. In ``SAME_STEP`` mode the last observation and info
            of a finished lane are in ``info["final_obs"]`` and ``info["final_info"]``.

    ``reset(seed=n)`` starts lane i with episode seed n + i.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        task: str = "pelvis_to_head",
        image_obs: bool = False,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **config: Any,
    ) -> None:
        self.num_envs = num_envs
        self.image_obs = image_obs
        self.render_mode = render_mode
        self.max_episode_steps = max_episode_steps
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.simulator = Simulator(SimConfig(task=task, **config), lanes=num_envs)
        self.single_action_space = action_space(task)
        self.single_observation_space = observation_space(task, image_obs, self.simulator.config.image_pixels)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._rngs = [np.random.default_rng() for _ in range(num_envs)]
        self._over = np.zeros(num_envs, bool)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts all lanes, or those of ``options["reset_mask"]`` (bool [N])."""
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, bool)), bool)
        each = [seed + i for i in range(self.num_envs)] if isinstance(seed, int | np.integer) else seed
        self._start(np.flatnonzero(mask), each)
        return observe(self.simulator, self.image_obs), self._info()

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        actions = np.asarray(actions, np.float32)
        if actions.shape != self.action_space.shape or not np.isfinite(actions).all():
            raise ValueError(f"actions of shape {actions.shape} given; want {self.action_space.shape}, all finite")
        going = ~self._over
        if not going.all() and self.autoreset_mode is AutoresetMode.DISABLED:
            raise ValueError(f"lanes {np.flatnonzero(self._over).tolist()} have ended; reset them first")
        resting = np.flatnonzero(~going)
        self._start(resting, None)
        result = self.simulator.step(actions, np.flatnonzero(going))
        reward = np.where(going, result.reward, 0.0)
        terminated = going & result.terminated
        truncated = going & ~terminated & self._timed_out()
        self._over = terminated | truncated
        info = self._info()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._over.any():
            info = self._restart(info)
        return observe(self.simulator, self.image_obs), reward, terminated, truncated, info

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """The last images of each lane side by side, [H, planes * W, 3] each; no dose, no side effect."""
        if self.render_mode is None:
            return None
        rows = [np.concatenate(list(planes), axis=1) for planes in self.simulator.result.image]
        return tuple(np.repeat(row[..., None], 3, axis=2) for row in rows)

    def close_extras(self, **kwargs: Any) -> None:
        """Frees what the renderer holds."""
        self.simulator.imaging.renderer.close()

    def _timed_out(self) -> Flags:
        if self.max_episode_steps is None:
            return np.zeros(self.num_envs, bool)
        return self.simulator.result.step >= self.max_episode_steps

    def _start(self, lanes: NDArray[np.int64], seeds: Sequence[int | None] | None) -> None:
        episode_seeds = []
        for lane in lanes:
            seed = None if seeds is None else seeds[lane]
            if seed is not None:
                self._rngs[lane] = np.random.default_rng(seed)
            episode_seeds.append(int(self._rngs[lane].integers(SEED_CAP)) if seed is None else int(seed))
        if len(lanes):
            self.simulator.reset(episode_seeds, lanes)
            self._over[lanes] = False

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for lane in range(self.num_envs):
            info = self._add_info(info, inform(self.simulator, lane), lane)
        return info

    def _restart(self, last: dict[str, Any]) -> dict[str, Any]:
        """Restarts the finished lanes and returns the info of the new state with the old in ``final_*``."""
        done = np.flatnonzero(self._over)
        old = observe(self.simulator, self.image_obs)
        final_obs = np.full(self.num_envs, None, object)
        for lane in done:
            final_obs[lane] = {name: value[lane] for name, value in old.items()}
        over = self._over.copy()
        self._start(done, None)
        info = self._info()
        info["final_obs"], info["_final_obs"] = final_obs, over
        info["final_info"], info["_final_info"] = last, over
        return info
