"""Views as tensors: one batch a call, ready for augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from carm_env.xray.collimation import collimate
from perception.data.pixels import centred, context
from perception.data.store import Views

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """B views.

    Attributes:
        pixels: log signal less its mean inside the field, and the field, [B, 2, H, W].
        context: see ``pixels.CONTEXT``, [B, 18].
        points_mm: landmarks, then target, in image axes (u, v, w), NaN where unknown, [B, 21, 3].
        visible: in the field, 0 or 1, [B, 21]; nearest: landmark closest to the isocentre, -1 for none, [B].
        label: landmark that a landmark view was made for, else -1, [B].
        place_mm: from the body's right edge and below the CT's top, [B, 2].
        sod_mm, field_mm, pixel_mm (at the isocentre), quanta (per mm2): [B].
        index: row of the view, [B]; valid: 1 for an X-ray of a body, 0 for nonsense put in its place, [B].
    """

    pixels: Tensor
    context: Tensor
    points_mm: Tensor
    visible: Tensor
    nearest: Tensor
    label: Tensor
    place_mm: Tensor
    sod_mm: Tensor
    field_mm: Tensor
    pixel_mm: Tensor
    quanta: Tensor
    index: Tensor
    valid: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Any) -> Batch:
        return Batch(*(getattr(self, f.name)[rows] for f in fields(self)))

    def with_(self, **changed: Tensor) -> Batch:
        """The same with some tensors replaced."""
        return replace(self, **changed)


class ViewSet(Dataset[Batch]):
    """Whole batches by lists of rows."""

    def __init__(self, views: Views) -> None:
        self.views = views
        c = views.columns
        self.pixel_mm = c["pitch_mm"] * c["sod_mm"] / c["sid_mm"]
        points = np.concatenate([c["landmarks_mm"].reshape(len(views), -1, 3), c["target_mm"][:, None]], axis=1)
        self.points_mm = points.astype(np.float32)
        self.visible = np.concatenate([c["visible"], c["target_visible"][:, None]], axis=1).astype(np.float32)
        self.place_mm = np.stack([c["from_right_mm"], c["below_top_mm"]], axis=1).astype(np.float32)
        self.context = context(
            np.stack([c["primary_deg"], c["secondary_deg"]], axis=1).astype(float),
            np.abs(c["primary_deg"]) > 120.0, c["plane"], c["field_mm"].astype(float), self.pixel_mm,
            c["quanta"].astype(float), c["demographics"].astype(float),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, rows: I64) -> Batch:
        c = self.views.columns

        def column(name: str) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(c[name][rows]))

        return Batch(
            pixels=torch.from_numpy(np.stack([self._pixels(int(i)) for i in rows])),
            context=torch.from_numpy(self.context[rows]),
            points_mm=torch.from_numpy(self.points_mm[rows]),
            visible=torch.from_numpy(self.visible[rows]),
            nearest=column("nearest"), label=column("label"),
            place_mm=torch.from_numpy(self.place_mm[rows]),
            sod_mm=column("sod_mm"), field_mm=column("field_mm"),
            pixel_mm=torch.from_numpy(self.pixel_mm[rows].astype(np.float32)),
            quanta=column("quanta"), index=torch.from_numpy(rows), valid=torch.ones(len(rows)),
        )  # fmt: skip

    def _pixels(self, i: int) -> NDArray[np.float32]:
        c, image = self.views.columns, self.views.image(i)
        low, high = c["level_low"][i], c["level_high"][i]
        logarithm = low + image.astype(np.float32) * ((high - low) / np.float32(255.0))
        rows, columns = image.shape
        bounds = collimate((rows, columns), c["pitch_mm"][i], c["sid_mm"][i] / c["sod_mm"][i], c["field_mm"][i])
        mask = np.zeros(image.shape, bool)
        mask[bounds.r0 : bounds.r1, bounds.c0 : bounds.c1] = True
        return centred(logarithm, mask)


def batches(count: int, size: int, seed: int, epoch: int, shuffle: bool) -> Iterator[I64]:
    """Lists of rows; the order of an epoch depends on seed and epoch only. When shuffling, a last part is dropped."""
    order = np.random.default_rng([seed, epoch]).permutation(count) if shuffle else np.arange(count)
    stop = count - count % size if shuffle and count >= size else count
    for begin in range(0, stop, size):
        yield order[begin : begin + size].astype(np.int64)
