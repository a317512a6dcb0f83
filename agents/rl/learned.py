"""``policy=learned``: what `carm train` made, deciding at waypoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.rl.features import features
from agents.rl.waypoints import Course, Waypoints
from agents.scripted.view import View
from carm_env.errors import CarmError

if TYPE_CHECKING:
    from torch import Tensor

    from agents.scripted.base import Action
    from agents.scripted.memory import Memory

SHIPPED = Path(__file__).parent.parent / "shipped" / "learned.safetensors"
TASK_OF = {True: ("pelvis_to_head_2d", "landmark_reach"), False: ("pelvis_to_head",)}


class Learned(Waypoints):
    """The most likely decision of a trained network, carried out by the scripts' servo.

    Args:
        weights: of `carm train`; the shipped policy by default.
        waypoints: ``max_orders`` of ``Waypoints`` and the settings of ``Scripted``.

    Raises:
        CarmError: weights that are missing, damaged or no policy; at the first observation, those of another task.
    """

    def __init__(self, weights: str | None = None, **waypoints: Any) -> None:
        from agents.rl.nets import load_policy

        super().__init__(**waypoints)
        self.path = SHIPPED if weights is None else Path(weights)
        self.net, self.record = load_policy(self.path)
        self.image: NDArray[np.uint8] | None = None

    @property
    def wants_image(self) -> bool:
        """Whether observations must hold images."""
        return self.net.shape.image_pixels > 0

    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: tuple[Memory, ...] | None = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Action, tuple[Memory, ...]]:
        self._check(observation)
        if self.wants_image:
            image = np.asarray(observation["image"])
            self.image = image if image.ndim == 4 else image[None]
        return super().predict(observation, state, episode_start, deterministic)

    def choose(self, view: View, memory: Course) -> NDArray[np.int64]:
        import torch

        told = torch.from_numpy(features(self, view, memory))[None]
        with torch.inference_mode():
            return self.net.choices(told, self._seen(memory.lane))[0]

    def _seen(self, lane: int) -> Tensor | None:
        """The lane's images at the size that the network knows."""
        import torch

        if self.image is None:
            return None
        side = self.net.shape.image_pixels
        image = torch.from_numpy(self.image[lane : lane + 1]).float()
        return torch.nn.functional.interpolate(image, size=(side, side), mode="area").round().to(torch.uint8)

    def _check(self, observation: Mapping[str, NDArray[Any]]) -> None:
        """Raises CarmError for observations of another space than it was trained on."""
        shape, planar = self.net.shape, "plane_b" not in observation
        task = "landmark_reach" if "goal" in observation else TASK_OF[planar][0]
        if shape.task != task:
            raise CarmError(f"policy {self.path.name} was trained for task {shape.task!r}; this one is {task!r}")
        if self.wants_image:
            seen = np.shape(observation["image"])[-3:] if "image" in observation else ()
            if not seen or seen[0] != shape.planes or min(seen[1:]) < shape.image_pixels:
                want = f"{shape.planes} images of {shape.image_pixels} pixels or more"
                raise CarmError(f"policy {self.path.name} wants {want}; the observation has {seen or 'no image'}")
