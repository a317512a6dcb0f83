"""Points in images: sub-pixel means of heatmaps, and Gaussian errors in two dimensions."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def soft_argmax(heat: Tensor) -> tuple[Tensor, Tensor]:
    """Sub-pixel means of heatmaps (integral regression; Sun et al., ECCV 2018, arXiv 1711.08229).

    Args:
        heat: logits, [B, K, h, w].

    Returns:
        (across, down) of the mean in units of the image's half side, -1 to 1, [B, K, 2]; and what the heatmap looks
        like: its peak's probability and its standard deviation in the same units, [B, K, 2].
    """
    b, k, h, w = heat.shape
    share = heat.float().flatten(2).softmax(-1).view(b, k, h, w)
    x = (torch.arange(w, device=heat.device) + 0.5) * (2.0 / w) - 1.0
    y = (torch.arange(h, device=heat.device) + 0.5) * (2.0 / h) - 1.0
    along_x, along_y = share.sum(2), share.sum(3)
    mean = torch.stack([(along_x * x).sum(-1), (along_y * y).sum(-1)], dim=-1)
    square = (along_x * x * x).sum(-1) + (along_y * y * y).sum(-1) - mean.square().sum(-1)
    look = torch.stack([share.flatten(2).amax(-1), square.clamp_min(0.0).add(1e-6).sqrt()], dim=-1)
    return mean, look


def gaussian_nll(error: Tensor, factor: Tensor, beta: float = 0.5) -> Tensor:
    """Negative log-likelihood of errors in the plane, weighted as in beta-NLL (Seitzer et al., ICLR 2022, arXiv
    2203.09168): errors of uncertain points still teach the mean.

    Args:
        error: truth minus mean, [..., 2].
        factor: ``log a, log b, c`` of the inverse Cholesky factor [[a, 0], [c, b]] of the covariance, [..., 3].
        beta: 0 for the plain likelihood, 1 for errors weighted as in least squares.

    Returns:
        [...]; the constant log(2 pi) is left out.
    """
    log_a, log_b, c = factor.unbind(-1)
    first = error[..., 0] * log_a.exp()
    second = error[..., 0] * c + error[..., 1] * log_b.exp()
    nll = 0.5 * (first.square() + second.square()) - log_a - log_b
    weight = torch.exp(-beta * (log_a + log_b)).detach()
    return nll * weight


def covariance(factor: Tensor) -> Tensor:
    """Covariances [..., 2, 2] of the inverse Cholesky factors of ``gaussian_nll``."""
    log_a, log_b, c = factor.unbind(-1)
    ia, ib = torch.exp(-log_a), torch.exp(-log_b)
    low = -c * ia * ib
    return torch.stack(
        [torch.stack([ia * ia, ia * low], -1), torch.stack([ia * low, low * low + ib * ib], -1)], dim=-2
    )


LOG_MM_RANGE = (math.log(0.5), math.log(400.0))
"""Standard deviations that a network may report, mm."""


def bounded_factor(raw: Tensor, unit_mm: float) -> Tensor:
    """An inverse Cholesky factor, unit ``unit_mm``, of free numbers [..., 3]; standard deviations are kept in range."""
    low, high = (value - math.log(unit_mm) for value in LOG_MM_RANGE)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    logs = -(middle + half * torch.tanh(raw[..., :2] / half))
    c = torch.tanh(raw[..., 2:]) * torch.exp(logs.mean(-1, keepdim=True))
    return torch.cat([logs, c], dim=-1)
