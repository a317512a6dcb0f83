"""From Stable-Baselines3's models to the networks that drive, and the eyes that both share."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from agents.rl.nets import EYES, DecisionNet, Eyes, Shape


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
    policy: Any = model.policy
    if isinstance(model, PPO):
        eyes, body, head = policy.features_extractor, policy.mlp_extractor.policy_net, policy.action_net
        kind, activation = "choices", "tanh"
    else:
        eyes, body, head = policy.actor.features_extractor, policy.actor.latent_pi, policy.actor.mu
        kind, activation = "bins", "relu"
    hidden = tuple(layer.out_features for layer in body if isinstance(layer, torch.nn.Linear))
    space = model.observation_space
    planes, pixels = (space["image"].shape or (2, 0))[:2] if isinstance(space, spaces.Dict) else (2, 0)
    net = DecisionNet(Shape(task, kind, hidden, activation, pixels, planes))
    net.body.load_state_dict(body.state_dict())
    net.head.load_state_dict(head.state_dict())
    if net.eyes is not None:
        net.eyes.load_state_dict(eyes.eyes.state_dict())
    return net.eval()
