"""What networks are trained on: the localiser's terms, place regression, landmark classification."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from perception.data.batches import Batch
from perception.nets.localizer import UNIT_MM, K, Localised
from perception.nets.points import gaussian_nll

PLACE_SCALE_MM = torch.tensor([500.0, 1000.0])
FAR_MM = 600.0
"""Landmarks further away than this are of no use in a frame and are not learned."""


@dataclass(frozen=True)
class Weights:
    """Of the localiser's terms in its loss."""

    target: float = 1.0
    landmarks: float = 0.5
    heat: float = 2.0
    visible: float = 1.0
    nearest: float = 0.5
    place: float = 0.2
    valid: float = 0.3


def localiser_loss(said: Localised, batch: Batch, weights: Weights) -> dict[str, Tensor]:
    """Terms of the loss, weighted, by name."""
    true = batch.points_mm[..., :2] / UNIT_MM
    valid = batch.valid[:, None]
    near = torch.isfinite(batch.points_mm).all(-1) & (batch.points_mm.norm(dim=-1) < FAR_MM)
    near[:, K] = torch.isfinite(batch.points_mm[:, K]).all(-1)
    counts = near * valid
    nll = gaussian_nll(torch.where(near[..., None], true - said.mean, 0.0), said.factor)
    scale = batch.sod_mm[:, None] / (batch.sod_mm[:, None] + batch.points_mm[..., 2])
    seen = batch.visible * valid
    apart = torch.where(seen[..., None] > 0, said.heat - true * scale[..., None], 0.0).abs().sum(-1)
    bce = binary_cross_entropy_with_logits(said.visible, batch.visible, reduction="none")
    class_known = (batch.nearest >= 0) & (batch.valid > 0)
    nearest = cross_entropy(said.nearest[class_known], batch.nearest[class_known].long(), reduction="sum")
    place = (said.place - batch.place_mm / PLACE_SCALE_MM).square().mean(-1)
    return {
        "target": weights.target * _mean(nll[:, K], counts[:, K]),
        "landmarks": weights.landmarks * _mean(nll[:, :K], counts[:, :K]),
        "heat": weights.heat * _mean(apart, seen),
        "visible": weights.visible * bce.mean() * 4.0,
        "nearest": weights.nearest * nearest / class_known.sum().clamp_min(1),
        "place": weights.place * _mean(place, batch.valid),
        "valid": weights.valid * binary_cross_entropy_with_logits(said.valid, batch.valid),
    }


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    weight = weight.to(values.dtype)
    return (torch.where(weight > 0, values, 0.0) * weight).sum() / weight.sum().clamp_min(1.0)
