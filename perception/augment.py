"""What is done to training images, a batch at a time, with the labels kept true.

Rotation, magnification and stretch, collimation, noise of a lower dose, metal and limbs in the beam, the contrast
chain, inversion, and a few images replaced by nonsense, which a network shall tell from X-rays. All draws come from one
generator, so that one seed gives one result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from perception.data.batches import Batch
from perception.data.pixels import CONTEXT
from perception.overlays import chosen, limb, metal, uniform

FIELD, PIXEL, QUANTA, FLIPPED = (CONTEXT.index(n) for n in ("field_mm", "pixel_mm", "log_quanta", "flipped"))
LEAST_FIELD_MM = 60.0
LEAST_QUANTA = 10.0


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and sizes; 0 switches a step off.

    Attributes:
        rotate_deg: greatest angle; zoom: greatest magnification and its inverse; stretch: greatest ratio of width to
            height, and its inverse: bodies of other proportions.
        collimate, noise, contrast, devices, limbs, invert, nonsense: share of the images that it happens to.
    """

    rotate_deg: float = 12.0
    zoom: float = 1.15
    stretch: float = 1.0
    collimate: float = 0.25
    noise: float = 0.3
    contrast: float = 0.5
    devices: float = 0.15
    limbs: float = 0.0
    invert: float = 0.03
    nonsense: float = 0.04

    def __call__(self, batch: Batch, rng: torch.Generator) -> Batch:
        """The batch as another machine and another moment would have shown it."""
        for step in (_turn, _collimate, _noise, _overlays, _contrast, _nonsense):
            batch = step(batch, self, rng)
        return batch


def _centre(pixels: Tensor) -> Tensor:
    """Log signal less its mean inside the field again, 0 outside."""
    image, mask = pixels[:, :1], pixels[:, 1:]
    mean = (image * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp_min(1.0)
    return torch.cat([(image - mean) * mask, mask], dim=1)


def _turn(batch: Batch, a: Augmentation, rng: torch.Generator) -> Batch:
    """Stretches, turns and magnifies about the isocentre: content turns by +angle in image axes (u right, v down)."""
    n = len(batch)
    wide = torch.exp(0.5 * uniform(n, -math.log(a.stretch), math.log(a.stretch), rng))
    angle = torch.deg2rad(uniform(n, -a.rotate_deg, a.rotate_deg, rng))
    zoom = torch.exp(uniform(n, -math.log(a.zoom), math.log(a.zoom), rng))
    c, s = torch.cos(angle), torch.sin(angle)
    zero = torch.zeros(n)
    back = torch.stack([torch.stack([c, s, zero], 1) / wide[:, None], torch.stack([-s, c, zero], 1) * wide[:, None]], 1)
    back = back / zoom[:, None, None]
    grid = torch.nn.functional.affine_grid(back, list(batch.pixels.shape), align_corners=False)
    pixels = torch.nn.functional.grid_sample(batch.pixels, grid, align_corners=False, padding_mode="zeros")
    inside = (pixels[:, 1:] > 0.99).float()
    points = batch.points_mm.clone()
    u, v = batch.points_mm[..., 0] * wide[:, None], batch.points_mm[..., 1] / wide[:, None]
    points[..., 0], points[..., 1] = c[:, None] * u - s[:, None] * v, s[:, None] * u + c[:, None] * v
    pixel_mm = batch.pixel_mm / zoom
    context = batch.context.clone()
    context[:, PIXEL] = pixel_mm
    pixels = _centre(torch.cat([pixels[:, :1], inside], dim=1))
    or_beside = torch.nn.functional.max_pool2d(inside, 3, 1, 1)[:, 0]
    seen = batch.visible * shown(points, batch.sod_mm, or_beside, pixel_mm)
    return batch.with_(pixels=pixels, points_mm=points, pixel_mm=pixel_mm, context=context, visible=seen)


def shown(points_mm: Tensor, sod_mm: Tensor, mask: Tensor, pixel_mm: Tensor) -> Tensor:
    """1 where points [B, K, 3] fall on a pixel of the field [B, H, W], else 0, [B, K]."""
    b, h, w = mask.shape
    scale = sod_mm[:, None] / (sod_mm[:, None] + points_mm[..., 2])
    at = points_mm[..., :2] * scale[..., None] / pixel_mm[:, None, None]
    column, row = torch.round(at[..., 0] + (w - 1) / 2), torch.round(at[..., 1] + (h - 1) / 2)
    within = (column >= 0) & (column < w) & (row >= 0) & (row < h)
    flat = (row.nan_to_num(0).clamp(0, h - 1) * w + column.nan_to_num(0).clamp(0, w - 1)).long()
    return within * mask.view(b, -1).gather(1, flat)


def _collimate(batch: Batch, a: Augmentation, rng: torch.Generator) -> Batch:
    """Shuts the field further, to a side between 60 mm and what it was."""
    n, side = len(batch), batch.pixels.shape[-1]
    share = torch.rand(n, generator=rng)
    field = LEAST_FIELD_MM * (batch.field_mm / LEAST_FIELD_MM).clamp_min(1.0) ** share
    shut = chosen(n, a.collimate, rng)
    field = torch.where(shut, field.minimum(batch.field_mm), batch.field_mm)
    half_px = 0.5 * field / batch.pixel_mm
    at = (torch.arange(side) - (side - 1) / 2).abs()
    open_ = (at[None] <= half_px[:, None]).float()
    mask = batch.pixels[:, 1] * open_[:, None, :] * open_[:, :, None]
    context = batch.context.clone()
    context[:, FIELD] = field / 200.0
    pixels = _centre(torch.stack([batch.pixels[:, 0], mask], dim=1))
    left = batch.visible * shown(batch.points_mm, batch.sod_mm, mask, batch.pixel_mm)
    seen = torch.where(shut[:, None], left, batch.visible)
    return batch.with_(pixels=pixels, field_mm=field, context=context, visible=seen)


def _noise(batch: Batch, a: Augmentation, rng: torch.Generator) -> Batch:
    """Adds what quantum noise a lower dose would have more: the variance of the log signal is one over the quanta of a
    pixel, which are in proportion to its signal."""
    n = len(batch)
    lower = torch.exp(uniform(n, math.log(0.05), 0.0, rng)) * batch.quanta
    lower = torch.where(chosen(n, a.noise, rng), lower.clamp_min(LEAST_QUANTA), batch.quanta).minimum(batch.quanta)
    area = (batch.context[:, PIXEL] * 1.4).square()
    more = (1.0 / lower.clamp_min(1.0) - 1.0 / batch.quanta.clamp_min(1.0)) / area
    spread = torch.sqrt(more[:, None, None] * torch.exp(-batch.pixels[:, 0].clamp(-3.0, 5.0)))
    draws = torch.randn(batch.pixels.shape[0], *batch.pixels.shape[2:], generator=rng)
    image = batch.pixels[:, 0] + spread.clamp_max(1.5) * draws
    context = batch.context.clone()
    context[:, QUANTA] = torch.log(lower.clamp_min(1.0)) / 6.0
    pixels = _centre(torch.stack([image, batch.pixels[:, 1]], dim=1))
    return batch.with_(pixels=pixels, quanta=lower, context=context)


def _overlays(batch: Batch, a: Augmentation, rng: torch.Generator) -> Batch:
    """Metal and limbs in the beam."""
    n, side = len(batch), batch.pixels.shape[-1]
    depth = metal(n, side, a.devices, rng) + limb(n, side, a.limbs, rng)
    return batch.with_(pixels=_centre(torch.stack([batch.pixels[:, 0] - depth, batch.pixels[:, 1]], dim=1)))


def _contrast(batch: Batch, a: Augmentation, rng: torch.Generator) -> Batch:
    """Gain, curvature, a ramp over the detector, blur, and for a few the other polarity."""
    n, side = len(batch), batch.pixels.shape[-1]
    image, mask = batch.pixels[:, 0], batch.pixels[:, 1]
    on = chosen(n, a.contrast, rng).float()[:, None, None]
    gain = 1.0 + on * uniform(n, -0.35, 0.35, rng)[:, None, None]
    bend = on * uniform(n, -0.08, 0.08, rng)[:, None, None]
    ramp = on[:, None] * uniform(2 * n, -0.4, 0.4, rng).view(n, 2, 1, 1)
    at = torch.linspace(-1.0, 1.0, side)
    image = gain * image + bend * image.square() + ramp[:, 0] * at[None, None, :] + ramp[:, 1] * at[None, :, None]
    blur = (on[:, 0, 0] * torch.rand(n, generator=rng) > 0.7).float()[:, None, None]
    soft = torch.nn.functional.avg_pool2d(image[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    image = torch.lerp(image, soft, 0.8 * blur)
    sign = torch.where(chosen(n, a.invert, rng), -1.0, 1.0)[:, None, None]
    return batch.with_(pixels=_centre(torch.stack([image * sign, mask], dim=1)))


def _nonsense(batch: Batch, a: Augmentation, rng: torch.Generator) -> Batch:
    """Replaces images by blurred noise, by their own parts in disorder, or by an even slope; nothing is seen there."""
    rows = torch.nonzero(chosen(len(batch), a.nonsense, rng)).ravel()
    if len(rows) == 0:
        return batch
    pixels, valid, seen = batch.pixels.clone(), batch.valid.clone(), batch.visible.clone()
    for row in rows.tolist():
        kind = int(torch.randint(3, (1,), generator=rng))
        pixels[row, 0] = _nonsense_image(pixels[row, 0], kind, rng)
    valid[rows], seen[rows] = 0.0, 0.0
    return batch.with_(pixels=_centre(pixels), valid=valid, visible=seen)


def _nonsense_image(image: Tensor, kind: int, rng: torch.Generator) -> Tensor:
    side = image.shape[-1]
    if kind == 0:
        cells = int(2 ** torch.randint(1, 8, (1,), generator=rng))
        coarse = torch.randn(1, 1, cells, cells, generator=rng)
        return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")[0, 0]
    if kind == 1:
        parts = image.view(8, side // 8, 8, side // 8).permute(0, 2, 1, 3).reshape(64, side // 8, side // 8)
        mixed = parts[torch.randperm(64, generator=rng)].view(8, 8, side // 8, side // 8)
        return mixed.permute(0, 2, 1, 3).reshape(side, side)
    slope = torch.randn(2, generator=rng) * torch.rand(1, generator=rng)
    at = torch.linspace(-1.0, 1.0, side)
    return slope[0] * at[None, :] + slope[1] * at[:, None] + 0.02 * torch.randn(side, side, generator=rng)
