"""``positional``: the network of C-arm Guidance (Arrabi et al.), and the plain ResNet-34 beside it.

The published cross-attention reads a batch as one sequence, so that an image's answer depends on its batch-mates;
``attention="paper"`` does the same for comparison. ``attention="tokens"`` lets the covariates look at the image's own
spatial tokens.
"""

from __future__ import annotations

from typing import Literal

import torch
from monai.networks.nets import resnet34
from torch import Tensor, nn

from carm_env.errors import CarmError
from perception.nets.seed import SeedNet, covariates

Attention = Literal["tokens", "paper", "none"]
ATTENTIONS: tuple[Attention, ...] = ("tokens", "paper", "none")
WIDTH, HEADS, DROPOUT, FEATURES = 128, 8, 0.2, 512


class Stages(nn.Module):
    """ResNet-34 up to its last feature map, in torchvision's layout: one channel in, [B, 512, H / 32, W / 32] out."""

    def __init__(self) -> None:
        super().__init__()
        self.net = resnet34(spatial_dims=2, n_input_channels=1, feed_forward=False, num_classes=1, conv1_t_stride=2)

    def forward(self, pixels: Tensor) -> Tensor:
        net = self.net
        start = net.maxpool(net.act(net.bn1(net.conv1(pixels[:, :1]))))
        return torch.as_tensor(net.layer4(net.layer3(net.layer2(net.layer1(start)))))


class Crossed(nn.Module):
    """Image features that the patient's covariates weigh: cross-attention, two norms, multiplied with the image's."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.kind = attention
        self.stages = Stages()
        self.reduce = nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.ReLU())
        if attention == "none":
            return
        self.person = nn.Sequential(*_layer(5, 64), *_layer(64, WIDTH))
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm, self.last_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.forward_part = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(DROPOUT))
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, pixels: Tensor, context: Tensor) -> Tensor:
        maps = self.stages(pixels)
        image = self.reduce(maps.mean((2, 3)))
        if self.kind == "none":
            return torch.as_tensor(image)
        person = self.person(covariates(context))
        looked = self._across_batch(person, image) if self.kind == "paper" else self._at_tokens(person, maps)
        r = self.norm(person + self.drop(looked))
        return torch.as_tensor(image * (self.last_norm(self.forward_part(r)) + r))

    def _across_batch(self, person: Tensor, image: Tensor) -> Tensor:
        return torch.as_tensor(self.attention(person, image, image, need_weights=False)[0])

    def _at_tokens(self, person: Tensor, maps: Tensor) -> Tensor:
        tokens = self.reduce(maps.flatten(2).transpose(1, 2))
        return torch.as_tensor(self.attention(person[:, None], tokens, tokens, need_weights=False)[0][:, 0])


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(DROPOUT)]


class Positional(SeedNet):
    """Args: outputs: numbers to give; attention: one of ``ATTENTIONS``, ``none`` leaves the covariates out."""

    name = "positional"

    def __init__(self, outputs: int, attention: Attention = "tokens") -> None:
        if attention not in ATTENTIONS:
            raise CarmError(f"attention {attention!r} is unknown; want one of {', '.join(ATTENTIONS)}")
        super().__init__(outputs=outputs, attention=attention)
        self.batch_dependent = attention == "paper"
        self.body = Crossed(attention)
        self.head = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, outputs))


class PlainResNet(SeedNet):
    """ResNet-34 without covariates and with one linear layer."""

    name = "resnet34"

    def __init__(self, outputs: int) -> None:
        super().__init__(outputs=outputs)
        self.body = _Pooled()
        self.head = nn.Sequential(nn.Linear(FEATURES, outputs))


class _Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stages = Stages()

    def forward(self, pixels: Tensor, context: Tensor) -> Tensor:
        return torch.as_tensor(self.stages(pixels).mean((2, 3)))
