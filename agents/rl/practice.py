"""The environment that policies learn in: one step is one decision, carried out over as many control steps as it needs.

Lanes go on until each has its next decision due, so that a batch is always whole. Finished lanes start anew in the same
step (``SAME_STEP``), with the last observation and info in ``final_obs`` and ``final_info``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from agents.rl.features import MOST, NAMES, features
from agents.rl.orders import CHOICES, thresholds
from agents.rl.waypoints import Course, Waypoints
from agents.scripted.view import View
from carm_env import MAX_EPISODE_STEPS
from carm_env.sim.config import SimConfig
from carm_env.sim.observe import inform, observe
from carm_env.sim.simulator import Simulator

Observation = NDArray[np.float32] | dict[str, NDArray[Any]]
SEED_CAP = 2**31


class Student(Waypoints):
    """Carries out what it is told from outside."""

    def choose(self, view: View, memory: Course) -> NDArray[np.int64]:
        raise RuntimeError("a decision was due that nobody took")


class PracticeEnv(VectorEnv[Any, Any, Any]):
    """N lanes of decisions over the batched simulator.

    Observation: ``features`` of each lane, float32 [30]; with ``image`` a Dict of ``belief`` (these) and ``image``
    (uint8 [planes, P, P], the last image hold). Action: one index for each of ``orders.CHOICES``, or with ``box`` a
    Box in [-1, 1] whose ranges are divided into them. Reward: the sum of the environment's over the steps of a
    decision. An episode is truncated after 450 control steps.

    Args:
        num_envs: lanes. image: see above. box: see above. seeds: of the lanes' episodes, in order, for evaluation:
            lane i plays ``seeds[i::num_envs]`` and then rests; drawn without end if None.
        config: of ``SimConfig``.
    """

    def __init__(
        self, num_envs: int, image: bool = False, box: bool = False, seeds: Sequence[int] | None = None, **config: Any
    ) -> None:
        self.num_envs, self.image, self.box = num_envs, image, box
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
        self.simulator = Simulator(SimConfig(**config), lanes=num_envs)
        self.student = Student(device=self.simulator.device)
        parts = list(CHOICES.values())
        self.single_action_space = (
            spaces.Box(-1.0, 1.0, (len(parts),), np.float32) if box else spaces.MultiDiscrete(parts)
        )
        belief = spaces.Box(-MOST, MOST, (len(NAMES),), np.float32)
        shape = (self.simulator.config.planes, *[self.simulator.config.image_pixels] * 2)
        self.single_observation_space = (
            spaces.Dict({"belief": belief, "image": spaces.Box(0, 255, shape, np.uint8)}) if image else belief
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.left = None if seeds is None else [list(seeds[lane::num_envs]) for lane in range(num_envs)]
        self.rngs = [np.random.default_rng(lane) for lane in range(num_envs)]
        self.courses: list[Course | None] = [None] * num_envs
        self.views: list[View | None] = [None] * num_envs
        self.control_steps = 0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts all lanes; with a seed, the episodes that follow are the same every time."""
        if seed is not None:
            self.rngs = [np.random.default_rng([seed, lane]) for lane in range(self.num_envs)]
        self._start(np.arange(self.num_envs))
        return self._observation(), {}

    def step(self, actions: NDArray[Any]) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Carries out one decision a lane."""
        choices = thresholds(actions) if self.box else np.asarray(actions, np.int64)
        if choices.shape != (self.num_envs, len(CHOICES)):
            raise ValueError(f"actions of shape {np.shape(actions)} given; want {self.action_space.shape}")
        busy = [lane for lane in range(self.num_envs) if self.courses[lane] is not None]
        for lane in busy:
            course, view = self._lane(lane)
            self.student.tell(choices[lane], view, course)
        reward, ended = np.zeros(self.num_envs), np.zeros(self.num_envs, bool)
        while busy:
            busy = self._control_step(busy, reward, ended)
        result = self.simulator.result
        terminated = ended & result.terminated
        truncated = ended & ~terminated
        info: dict[str, Any] = {"control_steps": self.control_steps}
        if ended.any():
            info |= self._restart(np.flatnonzero(ended), ended)
        return self._observation(), reward, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        """Frees what the renderer holds."""
        self.simulator.imaging.renderer.close()

    def _lane(self, lane: int) -> tuple[Course, View]:
        course, view = self.courses[lane], self.views[lane]
        assert course is not None and view is not None
        return course, view

    def _control_step(self, busy: list[int], reward: NDArray[np.float64], ended: NDArray[np.bool_]) -> list[int]:
        """One step of the lanes that carry out a decision; returns those that still do."""
        actions = np.zeros_like(self.simulator.result.action)
        for lane in busy:
            course, view = self._lane(lane)
            actions[lane] = self.student.respond(view, course)
        result = self.simulator.step(actions, busy)
        self.control_steps += len(busy)
        reward[busy] += result.reward[busy]
        ended[busy] = result.terminated[busy] | (result.step[busy] >= MAX_EPISODE_STEPS)
        self._look(busy)
        return [lane for lane in busy if not (ended[lane] or self.student.due(self._lane(lane)[0]))]

    def _look(self, lanes: Sequence[int]) -> None:
        """Lanes take in the present observation."""
        seen = observe(self.simulator, image=False)
        for lane in lanes:
            view = self.views[lane] = View.of({name: value[lane] for name, value in seen.items()})
            course = self.courses[lane]
            if course is None:
                course = self.courses[lane] = self.student.begin(lane, view)
            self.student.sense(view, course)

    def _start(self, lanes: NDArray[np.int64]) -> None:
        """New episodes in these lanes; one without seeds left rests."""
        for lane in lanes.tolist():
            self.courses[lane] = None
        going = [lane for lane in lanes.tolist() if self.left is None or self.left[lane]]
        if going:
            self.simulator.reset([self._seed(lane) for lane in going], going)
            self._look(going)

    def _seed(self, lane: int) -> int:
        return int(self.rngs[lane].integers(SEED_CAP)) if self.left is None else self.left[lane].pop(0)

    def _restart(self, lanes: NDArray[np.int64], ended: NDArray[np.bool_]) -> dict[str, Any]:
        """Starts ended lanes anew; their last observation and info."""
        last = self._observation()
        final_obs = np.full(self.num_envs, None, object)
        final_info: dict[str, Any] = {}
        for lane in lanes.tolist():
            final_obs[lane] = {k: v[lane] for k, v in last.items()} if isinstance(last, dict) else last[lane]
            decisions = self._lane(lane)[0].orders
            final_info = self._add_info(final_info, inform(self.simulator, lane) | {"decisions": decisions}, lane)
        self._start(lanes)
        return {"final_obs": final_obs, "_final_obs": ended, "final_info": final_info, "_final_info": ended}

    def _observation(self) -> Observation:
        belief = np.zeros((self.num_envs, len(NAMES)), np.float32)
        for lane, (course, view) in enumerate(zip(self.courses, self.views, strict=True)):
            if course is not None and view is not None:
                belief[lane] = features(self.student, view, course)
        return {"belief": belief, "image": self.simulator.result.image.copy()} if self.image else belief
