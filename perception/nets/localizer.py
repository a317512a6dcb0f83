"""``localizer-small``: one frame to displacements of target and landmarks with covariances, in a few milliseconds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from monai.networks.blocks import Convolution, ResidualUnit
from torch import Tensor, nn

from carm_env.patient.model import LANDMARKS
from perception.data.pixels import CONTEXT
from perception.nets.points import bounded_factor, soft_argmax

K = len(LANDMARKS)
POINTS = K + 1
"""The landmarks, then the target."""
UNIT_MM = 100.0
"""Displacements inside the network are in units of this."""
PIXEL_MM = CONTEXT.index("pixel_mm")
UNSURE = 2.5
"""Bias that makes an untrained network report about 120 mm."""
DEEPER = 0.3
"""Greatest share by which a point's distance from the focal spot may differ from the isocentre's."""


class Localised(NamedTuple):
    """What the network says of B frames; image axes (u along columns, v along rows), unit ``UNIT_MM``.

    Attributes:
        mean: isocentre to point, at right angles to the beam, [B, POINTS, 2].
        factor: inverse Cholesky factor of its covariance, see ``points.gaussian_nll``, [B, POINTS, 3].
        heat: where the point appears, scaled to the isocentre's depth, from the heatmap alone, [B, POINTS, 2].
        visible: logits, [B, POINTS]; nearest: logits, [B, K].
        place: where the isocentre is in the body (from its right edge and below the CT's top), [B, 2].
        valid: logit of whether this is an X-ray of a body, [B].
    """

    mean: Tensor
    factor: Tensor
    heat: Tensor
    visible: Tensor
    nearest: Tensor
    place: Tensor
    valid: Tensor


def _unit(inputs: int, outputs: int, stride: int) -> nn.Module:
    return ResidualUnit(2, inputs, outputs, strides=stride, subunits=2, act="RELU", norm="BATCH", adn_ordering="NDA")


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Module:
    return Convolution(
        2, inputs, outputs, strides=stride, kernel_size=size, act="RELU", norm="BATCH", adn_ordering="NDA"
    )


class Trunk(nn.Module):
    """Residual stages at 1/4, 1/8 and 1/16 of the image; the last one is told the context."""

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = _convolution(2, a, 5, 2)
        self.quarter = _unit(a, b, 2)
        self.eighth = nn.Sequential(_unit(b, c, 2), _unit(c, c, 1))
        self.film = nn.Linear(len(CONTEXT), 2 * c)
        self.sixteenth = nn.Sequential(_unit(c, d, 2), _unit(d, d, 1))

    def forward(self, pixels: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        quarter = self.quarter(self.stem(pixels))
        eighth = self.eighth(quarter)
        scale, shift = self.film(context)[..., None, None].chunk(2, dim=1)
        told = eighth * (1.0 + scale) + shift
        return quarter, told, self.sixteenth(told)


class LocalizerSmall(nn.Module):
    """See ``Localised`` for what it gives.

    A point that lies in the field is found as the mean of a heatmap, corrected for its depth; one outside is inferred
    from the whole image; the probability that it is visible mixes the two.

    Args:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the image's side; heat: channels of the heatmaps' branch.
    """

    name = "localizer-small"

    def __init__(self, widths: tuple[int, int, int, int] = (16, 32, 64, 128), heat: int = 32) -> None:
        super().__init__()
        _, quarter, eighth, last = widths
        self.settings = {"widths": list(widths), "heat": heat}
        self.trunk = Trunk(widths)
        self.from_last, self.from_eighth = nn.Conv2d(last, heat, 1), nn.Conv2d(eighth, heat, 1)
        self.from_quarter = nn.Conv2d(quarter, heat, 1)
        self.mix = _convolution(heat, heat, 3)
        self.sharpen = _convolution(heat, heat, 3)
        self.to_heat = nn.Conv2d(heat, POINTS, 1)
        self.squeeze = nn.Sequential(nn.Conv2d(last, 16, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(8), nn.Flatten())
        self.body = nn.Sequential(nn.Linear(last + 16 * 64 + len(CONTEXT), 256), nn.ReLU(), nn.Dropout(0.1))
        self.direct = nn.Linear(256, 2 * POINTS)
        self.rest = nn.Linear(256, POINTS * (1 + 3))
        self.look = nn.Linear(2, 3)
        self.visible = nn.Linear(256, POINTS)
        self.nearest = nn.Linear(256, K)
        self.place = nn.Linear(256, 2)
        self.valid = nn.Linear(256, 1)
        with torch.no_grad():
            self.rest.bias.view(POINTS, 4)[:, 1:3] = UNSURE

    def forward(self, pixels: Tensor, context: Tensor) -> Localised:
        """Args: pixels [B, 2, H, W] of ``pixels.centred``; context [B, len(CONTEXT)]."""
        quarter, eighth, last = self.trunk(pixels, context)
        heat, look = soft_argmax(self._heatmaps(quarter, eighth, last))
        half_side = context[:, PIXEL_MM, None, None].float() * (pixels.shape[-1] / 2 / UNIT_MM)
        heat = heat * half_side
        body = self.body(torch.cat([last.mean((2, 3)), self.squeeze(last), context], dim=1)).float()
        direct = self.direct(body).float().view(-1, POINTS, 2)
        rest = self.rest(body).float().view(-1, POINTS, 4)
        seen = self.visible(body).float()
        found = heat * (1.0 + DEEPER * torch.tanh(rest[..., :1]))
        mean = torch.lerp(direct, found, seen.sigmoid()[..., None])
        spread = torch.stack([look[..., 0], torch.log(look[..., 1] * half_side[..., 0])], dim=-1)
        raw = rest[..., 1:] + self.look(spread * seen.sigmoid()[..., None]).float()
        factor = bounded_factor(raw, UNIT_MM)
        rest_of_it = self.nearest(body).float(), self.place(body).float(), self.valid(body).float()[:, 0]
        return Localised(mean, factor, heat, seen, *rest_of_it)

    def _heatmaps(self, quarter: Tensor, eighth: Tensor, last: Tensor) -> Tensor:
        def up(small: Tensor, big: Tensor) -> Tensor:
            return nn.functional.interpolate(small, size=big.shape[-2:], mode="nearest")

        middle = self.mix(self.from_eighth(eighth) + up(self.from_last(last), eighth))
        fine = self.sharpen(self.from_quarter(quarter) + up(middle, quarter))
        return self.to_heat(fine)
