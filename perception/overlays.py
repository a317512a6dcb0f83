"""What may lie in the beam beside the patient's trunk and head: optical depths to subtract from log signals."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def uniform(n: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """n draws between two numbers."""
    return low + (high - low) * torch.rand(n, generator=rng)


def chosen(n: int, share: float, rng: torch.Generator) -> Tensor:
    """n draws that are True with probability ``share``."""
    return torch.rand(n, generator=rng) < share


def metal(n: int, side: int, share: float, rng: torch.Generator) -> Tensor:
    """A straight wire and a disc, each attenuating by e^0.3 to e^2, in ``share`` of the images, [n, side, side]."""
    x, y = _grid(side)
    along, across = _line(n, side, rng)
    width, reach = uniform(n, 0.008, 0.03, rng), uniform(n, 0.2, 1.2, rng)
    wire = (across.abs() < width[:, None, None]) & (along.abs() < reach[:, None, None])
    where, radius = uniform(2 * n, -0.8, 0.8, rng).view(n, 2), uniform(n, 0.03, 0.12, rng)
    disc = (x - where[:, :1, None]).square() + (y - where[:, 1:, None]).square() < radius[:, None, None].square()
    strength = uniform(2 * n, 0.3, 2.0, rng).view(n, 2) * torch.stack([chosen(n, share, rng) for _ in range(2)], dim=1)
    return wire * strength[:, :1, None] + disc * strength[:, 1:, None]


def limb(n: int, side: int, share: float, rng: torch.Generator) -> Tensor:
    """An arm across the image, as where raised arms cross a lateral view: a cylinder of soft tissue with a tube of bone
    in it, each image with probability ``share``, [n, side, side]."""
    _, across = _line(n, side, rng)
    radius = uniform(n, 0.18, 0.5, rng)[:, None, None]
    core = radius * uniform(n, 0.2, 0.35, rng)[:, None, None]
    soft = uniform(n, 0.4, 2.2, rng)[:, None, None] * _chord(across, radius)
    bone = uniform(n, 0.2, 1.0, rng)[:, None, None] * (_chord(across, core) - 0.6 * _chord(across, 0.6 * core))
    return (soft + bone) * chosen(n, share, rng)[:, None, None]


def _grid(side: int) -> tuple[Tensor, Tensor]:
    at = torch.linspace(-1.0, 1.0, side)
    return at[None, None, :], at[None, :, None]


def _line(n: int, side: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Distances along and from n random lines, in half sides, [n, side, side]."""
    x, y = _grid(side)
    angle, offset = uniform(n, 0.0, math.pi, rng)[:, None, None], uniform(n, -0.8, 0.8, rng)[:, None, None]
    c, s = torch.cos(angle), torch.sin(angle)
    return y * c - x * s, x * c + y * s - offset


def _chord(across: Tensor, radius: Tensor) -> Tensor:
    """Length of rays through a cylinder over its diameter."""
    return torch.sqrt((1.0 - (across / radius).square()).clamp_min(0.0))
