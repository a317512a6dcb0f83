"""What the networks of the seed papers share: a body that makes features of an image, a head that reads them out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from carm_env.errors import CarmError
from perception.data.pixels import CONTEXT

SEX, AGE, HEIGHT, WEIGHT = (CONTEXT.index(n) for n in ("sex", "age_years", "height_cm", "weight_kg"))
SEX_KNOWN = CONTEXT.index("sex_known")


class SeedNet(nn.Module):
    """Image and context to ``outputs`` numbers. ``head`` is a ``Sequential`` whose linear layers can be probed.

    Attributes:
        batch_dependent: an image's answer depends on its batch-mates; such a network is for comparison only.
    """

    name = ""
    batch_dependent = False
    body: nn.Module
    head: nn.Sequential

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings
        self.probed = 0

    def forward(self, pixels: Tensor, context: Tensor) -> Tensor:
        """Args: pixels [B, 2, H, W] of ``pixels.centred``; context [B, len(CONTEXT)]. Returns [B, outputs]."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.probed):
            features = self.body(pixels, context)
        return torch.as_tensor(self.head(features))

    def probe(self, layers: int) -> SeedNet:
        """Freezes everything but the last linear layers; 0 frees everything.

        Raises:
            CarmError: more layers than the head has.
        """
        linear = [m for m in self.head if isinstance(m, nn.Linear)]
        if not 0 <= layers <= len(linear):
            raise CarmError(f"probe={layers} is out of range; {self.name} has {len(linear)} linear layers in its head")
        self.probed = layers
        for parameter in self.parameters():
            parameter.requires_grad_(layers == 0)
        for module in linear[len(linear) - layers :]:
            module.requires_grad_(True)
        return self.train(self.training)

    def train(self, mode: bool = True) -> SeedNet:
        super().train(mode)
        if self.probed:
            self.body.eval()
        return self


def covariates(context: Tensor) -> Tensor:
    """Age, weight, length (scaled, 0 where unknown), male, female (both 0 where unknown), [B, 5]."""
    known = context[:, SEX_KNOWN]
    male, female = known * (context[:, SEX] > 0), known * (context[:, SEX] < 0)
    return torch.stack([context[:, AGE], context[:, WEIGHT], context[:, HEIGHT], male, female], dim=1)
