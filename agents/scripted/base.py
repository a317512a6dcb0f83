"""What scripted policies share: lanes and their memory, a plan turned into an action, what to do after a contact."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief, Rules, prior_of
from agents.scripted.checks import within
from agents.scripted.memory import Memory, Plan
from agents.scripted.servo import Servo
from agents.scripted.view import View
from carm_env.machine.presets import DevicePreset
from carm_env.machine.presets import device as device_preset
from carm_env.machine.state import B2, DEPLOY, X, Z
from carm_env.sim.actions import FULL, PLANAR, action_size, field_action, preset_action

F64 = NDArray[np.float64]
Action = NDArray[np.float32]

AT_GOAL_MM = 0.2
RETREAT_MM = 40.0
RETREAT_STEPS = 8
STANDING_MM_S = 1.0
TILT_DEG = 2.8
"""Secondary angle of plane B after a contact: it lifts tube and detector off the shoulders by 13 to 17 mm (eight
phantoms that had less than 3 mm), and the task takes up to 3 degrees for straight."""
CAREFUL_MM = 30.0
"""Distance from the final goal at which plane B swings in once something was touched."""


class Laned(ABC):
    """Stable-Baselines3's ``predict`` for a policy that handles one lane at a time."""

    rules = Rules()

    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: tuple[Memory, ...] | None = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Action, tuple[Memory, ...]]:
        """Actions for one observation or a batch of them.

        Args:
            observation: of the environment; arrays may have a leading lane axis.
            state: what the last call returned, None at first.
            episode_start: bool, or bool [N]: lanes that begin a new episode forget.
            deterministic: without effect.

        Returns:
            float32 [A], or [N, A] for a batch; and the state for the next call.
        """
        batched = np.ndim(observation["encoders"]) == 2
        n = len(observation["encoders"]) if batched else 1
        start = np.broadcast_to(np.ravel(False if episode_start is None else episode_start).astype(bool), (n,))
        actions, memories = [], []
        for lane in range(n):
            view = View.of({name: value[lane] for name, value in observation.items()} if batched else observation)
            memory = self.begin(lane, view) if state is None or start[lane] else copy(state[lane])
            actions.append(self.act(view, memory))
            memory.steps += 1
            memories.append(memory)
        return (np.stack(actions) if batched else actions[0]), tuple(memories)

    def begin(self, lane: int, view: View) -> Memory:
        """Memory of a new episode."""
        return Memory(lane, Belief(*prior_of(view.target, view.record), self.rules))

    @abstractmethod
    def act(self, view: View, memory: Memory) -> Action:
        """Action [A] of one lane; writes what it will need later to ``memory``."""


class Scripted(Laned):
    """A policy that makes plans; the servo moves, and contacts are dealt with here.

    After a contact it goes back the way it came: plane B parks, and the table backs off if it was driving. From then on
    plane B swings in only at the final goal, tilted by ``TILT_DEG`` if it may have been what touched; after
    ``max_contacts`` it stays where it is and exposes no more. Goals are kept within the device's travel.

    Args:
        device: the machine's preset or its name (travel, rates, accelerations and field sizes are used).
        max_contacts: contacts after which it gives up.
        deploy_within_mm: distance from the final goal, along the table, at which plane B begins to swing in; about as
            far as the table goes while B is still clear of the trunk.
        shared_error: see ``belief.Rules.share``.
    """

    def __init__(
        self,
        device: str | DevicePreset = "artis_biplane",
        max_contacts: int = 4,
        deploy_within_mm: float = 500.0,
        shared_error: float = Rules.share,
    ) -> None:
        within("shared_error", shared_error, 0.0, 1.0)
        self.rules = Rules(share=shared_error)
        self.device = device if isinstance(device, DevicePreset) else device_preset(device)
        self.servo = Servo(self.device)
        self.full_field_mm = np.array([plane.full_field_mm for plane in self.device.planes])
        self.max_contacts = max_contacts
        self.deploy_within_mm = deploy_within_mm

    @abstractmethod
    def decide(self, view: View, memory: Memory) -> Plan:
        """The plan of one lane."""

    def act(self, view: View, memory: Memory) -> Action:
        self.sense(view, memory)
        return self.respond(view, memory)

    def sense(self, view: View, memory: Memory) -> None:
        """Takes in what the last step brought: estimates, a contact."""
        memory.take_in(view)
        self._note_contact(view, memory)
        memory.driving = bool(np.abs(view.velocity[:3]).max() > STANDING_MM_S)

    def respond(self, view: View, memory: Memory) -> Action:
        """Action [A] after ``sense``."""
        plan = self._retreat(memory) or (Plan(view.position[:3]) if memory.give_up else self.decide(view, memory))
        if memory.give_up:
            plan = self._last(view, memory)
        plan = replace(plan, goal_mm=self.reachable(plan.goal_mm))
        memory.goal_mm = plan.goal_mm
        return self._action(plan, view, memory)

    def deploys(self, view: View, memory: Memory, goal_mm: F64) -> bool:
        """Whether plane B should swing in on the way to the final goal."""
        within_mm = CAREFUL_MM if memory.contacts else self.deploy_within_mm
        return bool(abs(goal_mm[Z] - view.position[Z]) <= within_mm)

    def reachable(self, goal_mm: F64) -> F64:
        """The place nearest to a goal [3] that the travel allows."""
        return np.clip(goal_mm, *self.device.limits[:3].T)

    def arrived(self, view: View, goal_mm: F64) -> bool:
        """At rest at a goal, or as near to it as the travel allows."""
        return view.resting and near(view, self.reachable(goal_mm), AT_GOAL_MM)

    def _note_contact(self, view: View, memory: Memory) -> None:
        if not view.contact or memory.goal_mm is None:
            return
        memory.contacts += 1
        memory.tilted |= view.position[DEPLOY] > 0.0
        memory.give_up |= memory.contacts >= self.max_contacts
        ahead = memory.goal_mm - view.position[:3]
        length = float(np.linalg.norm(ahead))
        back_mm = RETREAT_MM * ahead / length if memory.driving and length > 1.0 else np.zeros(3)
        memory.retreat, memory.retreat_mm = RETREAT_STEPS, view.position[:3] - back_mm

    def _retreat(self, memory: Memory) -> Plan | None:
        if memory.retreat == 0 or memory.retreat_mm is None:
            return None
        memory.retreat -= 1
        return Plan(memory.retreat_mm)

    def _last(self, view: View, memory: Memory) -> Plan:
        """Nothing moves any more but plane B, unless it is in: it parks, or turns back where it touches something."""
        if memory.inside is None:
            memory.inside = view.deployed
        elif view.contact and view.position[DEPLOY] > 0.0:
            memory.inside = not memory.inside
        return Plan(view.position[:3], deploy=memory.inside)

    def _action(self, plan: Plan, view: View, memory: Memory) -> Action:
        layout, planes = (PLANAR, 1) if view.planar else (FULL, 2)
        goal = view.position.copy()
        goal[:3], goal[3:7] = plan.goal_mm, self.device.home[3:7]
        goal[B2] = view.position[B2] if memory.retreat or memory.give_up else goal[B2] + TILT_DEG * memory.tilted
        top = np.ones(8)
        top[:3] = np.minimum(1.0, plan.speed_mm_s / np.maximum(self.servo.max_rates[:3], 1e-9))
        rates = self.servo.fractions(view.position, view.velocity, goal, top)
        full_mm = self.full_field_mm[:planes]
        action = np.full(action_size(view.planar), -1.0)
        action[layout["rates"]] = rates[[X, Z]] if view.planar else rates[:7]
        action[layout["expose"]] = np.where(plan.expose[:planes], 1.0, -1.0)
        action[layout["field"]] = field_action(np.minimum(plan.look.field_mm, full_mm), full_mm)
        action[layout["preset"]] = preset_action(plan.look.preset)
        action[layout["declare"]] = 1.0 if plan.declare else -1.0
        if not view.planar:
            action[layout["deploy"]] = 1.0 if plan.deploy else -1.0
        return action.astype(np.float32)


def near(view: View, goal_mm: F64, within_mm: float) -> bool:
    """Whether the isocentre is within a distance of a goal along every axis that the task moves."""
    axes = [X, Z] if view.planar else [0, 1, 2]
    return bool((np.abs(view.position[axes] - goal_mm[axes]) <= within_mm).all())
