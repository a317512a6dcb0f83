"""``posenet``: the baseline of C-arm Guidance, nine convolutions and two wide linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from perception.nets.seed import SeedNet

SIDE = 256
"""The last convolution needs 4 x 4 of what six strides leave: images are brought to this size."""
LAYERS = ((16, 2), (16, 2), (32, 2), (32, 2), (64, 1), (64, 2), (128, 1), (128, 2))
"""Channels and stride of the 3 x 3 convolutions."""


class _Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        inputs = 1
        for channels, stride in LAYERS:
            parts += [nn.Conv2d(inputs, channels, 3, stride, 1), nn.BatchNorm2d(channels), nn.ReLU()]
            inputs = channels
        parts += [nn.Conv2d(inputs, 128, 4), nn.BatchNorm2d(128), nn.ReLU(), nn.Flatten()]
        self.parts = nn.Sequential(*parts)

    def forward(self, pixels: Tensor, context: Tensor) -> Tensor:
        sized = interpolate(pixels[:, :1], size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        return torch.as_tensor(self.parts(sized))


class PoseNet(SeedNet):
    """Args: outputs: numbers to give."""

    name = "posenet"

    def __init__(self, outputs: int) -> None:
        super().__init__(outputs=outputs)
        self.body = _Convolutions()
        self.head = nn.Sequential(
            nn.Linear(128, 2048), nn.ReLU(), nn.Dropout(0.5), nn.Linear(2048, 1024), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(1024, outputs),
        )  # fmt: skip
