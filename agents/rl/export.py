"""From Stable-Baselines3's models to the networks that drive, and the eyes that both share."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents.rl.nets import EYES, DecisionNet, Eyes, Shape
from carm_env.errors import CarmError


class SeeingExtractor(BaseFeaturesExtractor):
    """Features beside what the eyes make of the images; Stable-Baselines3 has brought these to 0 to 1."""

    def __init__(self, observation_space: spaces.Dict) -> None:
        belief, image = observation_space["belief"], observation_space["image"]
        assert belief.shape is not None and image.shape is not None
        super().__init__(observation_space, belief.shape[0] + EYES)
        self.eyes = Eyes(image.shape[0])

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        return torch.cat([observations["belief"], self.eyes(observations["image"])], dim=1)


def decision_net(model: PPO | SAC, task: str) -> DecisionNet:
    """The network that takes a model's most likely decisions."""
    mine = _parts(model)
    kind, activation = ("choices", "tanh") if isinstance(model, PPO) else ("bins", "relu")
    hidden = tuple(layer.out_features for layer in mine["body"] if isinstance(layer, nn.Linear))
    space = model.observation_space
    planes, pixels = (space["image"].shape or (2, 0))[:2] if isinstance(space, spaces.Dict) else (2, 0)
    net = DecisionNet(Shape(task, kind, hidden, activation, pixels, planes))
    for name, part in mine.items():
        getattr(net, name).load_state_dict(part.state_dict())
    return net.eval()


def begin_from(model: PPO | SAC, net: DecisionNet) -> None:
    """Lets a model decide as a network does; what it expects of the future is still to be learned.

    Raises:
        CarmError: a network of another shape.
    """
    want = decision_net(model, net.shape.task).shape
    if net.shape != want:
        raise CarmError(f"a policy of shape {net.shape} cannot start a training of {want}")
    for name, part in _parts(model).items():
        part.load_state_dict(getattr(net, name).state_dict())


def _parts(model: PPO | SAC) -> dict[str, Any]:
    """A model's modules by the names that they have in ``DecisionNet``."""
    policy: Any = model.policy
    if isinstance(model, PPO):
        eyes, body, head = policy.features_extractor, policy.mlp_extractor.policy_net, policy.action_net
    else:
        eyes, body, head = policy.actor.features_extractor, policy.actor.latent_pi, policy.actor.mu
    return {"body": body, "head": head} | ({"eyes": eyes.eyes} if isinstance(eyes, SeeingExtractor) else {})
