"""A batched gymnasium environment as Stable-Baselines3 wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from carm_env.errors import CarmError


class Sb3VecEnv(VecEnv):
    """Stable-Baselines3's ``VecEnv`` over a gymnasium ``VectorEnv`` that restarts ended lanes in the same step.

    Raises:
        CarmError: an environment of another autoreset mode.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise CarmError(f"environment with autoreset_mode={mode}; Stable-Baselines3 wants AutoresetMode.SAME_STEP")
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        seed = None if self._seeds[0] is None else int(self._seeds[0])
        self._reset_seeds()
        return self.env.reset(seed=seed)[0]

    def step_async(self, actions: Any) -> None:
        self.actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        observation, reward, terminated, truncated, info = self.env.step(self.actions)
        done, infos = terminated | truncated, [dict[str, Any]() for _ in range(self.num_envs)]
        for lane in np.flatnonzero(done).tolist():
            last = {k: v[lane] for k, v in info["final_info"].items() if not k.startswith("_")}
            timed_out = bool(truncated[lane])
            infos[lane] = {**last, "terminal_observation": info["final_obs"][lane], "TimeLimit.truncated": timed_out}
        return observation, reward.astype(np.float32), done, infos

    def close(self) -> None:
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return [getattr(self.env, attr_name)] * len(self._lanes(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        return [getattr(self.env, method_name)(*args, **kwargs)] * len(self._lanes(indices))

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False] * len(self._lanes(indices))

    def _lanes(self, indices: VecEnvIndices) -> Sequence[int]:
        if indices is None:
            return range(self.num_envs)
        return [indices] if isinstance(indices, int) else list(indices)
