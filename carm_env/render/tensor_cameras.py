"""Cone-beam cameras of tensors, through which gradients run back to a pose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from carm_env.geometry import Cameras


@dataclass(frozen=True)
class TensorCameras:
    """``geometry.Cameras`` as float32 tensors: positions and unit vectors [M, 3], ``pitch_mm`` [M]."""

    source_mm: Tensor
    centre_mm: Tensor
    u: Tensor
    v: Tensor
    pitch_mm: Tensor

    @classmethod
    def of(cls, cameras: Cameras, device: torch.device | str = "cpu") -> TensorCameras:
        """The same cameras on a device, without gradients."""
        parts = (cameras.source_mm, cameras.centre_mm, cameras.u, cameras.v, cameras.pitch_mm)
        return cls(*(torch.as_tensor(part, dtype=torch.float32, device=device) for part in parts))

    def rows(self, index: Tensor) -> TensorCameras:
        """A sub-batch."""
        parts = (self.source_mm, self.centre_mm, self.u, self.v, self.pitch_mm)
        return TensorCameras(*(part[index] for part in parts))

    def to_cameras(self) -> Cameras:
        """The same cameras as arrays."""
        parts = (self.source_mm, self.centre_mm, self.u, self.v, self.pitch_mm)
        return Cameras(*(part.detach().cpu().double().numpy() for part in parts))

    def pixels_mm(self, size: tuple[int, int]) -> Tensor:
        """Pixel centres, row after row, [M, H W, 3]."""
        rows, columns = (torch.arange(n, dtype=torch.float32, device=self.u.device) - (n - 1) / 2 for n in size)
        pitch = self.pitch_mm[:, None, None, None]
        down, right = pitch * rows[None, :, None, None], pitch * columns[None, None, :, None]
        pixels = self.centre_mm[:, None, None] + right * self.u[:, None, None] + down * self.v[:, None, None]
        return pixels.reshape(len(self.u), -1, 3)


def tensor_cone_beam(
    isocentre_mm: Tensor, primary_deg: Tensor, secondary_deg: Tensor, sod_mm: float, sid_mm: float, pitch_mm: float
) -> TensorCameras:
    """Cameras of a C-arm that looks at its isocentre, differentiable in isocentre and angles.

    The formulas are those of ``geometry.cone_beam``.

    Args:
        isocentre_mm: [M, 3]. primary_deg, secondary_deg: [M], +LAO and +CRA.
    """
    a, b = torch.deg2rad(primary_deg), torch.deg2rad(secondary_deg)
    zero = torch.zeros_like(a)
    d = torch.stack([a.sin() * b.cos(), -a.cos() * b.cos(), b.sin()], dim=-1)
    u = torch.stack([a.cos(), a.sin(), zero], dim=-1)
    v = torch.stack([a.sin() * b.sin(), -a.cos() * b.sin(), -b.cos()], dim=-1)
    pitch = torch.full_like(a, pitch_mm)
    return TensorCameras(isocentre_mm - sod_mm * d, isocentre_mm + (sid_mm - sod_mm) * d, u, v, pitch)
