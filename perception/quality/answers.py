"""A localiser's answers to a set of views, beside the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from perception.data.batches import ViewSet, batches
from perception.nets.localizer import UNIT_MM, Localised
from perception.nets.points import covariance

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """V views. Image axes (u, v, w), millimetres; point 20 is the target.

    Attributes:
        mean_mm: [V, 21, 2]; covariance_mm2: [V, 21, 2, 2]; true_mm: [V, 21, 3], NaN where unknown.
        visible, nearest, valid: logits, [V, 21], [V, 20], [V]; is_visible: [V, 21]; is_nearest: -1 for none, [V].
        patient: number of each view's patient; kind, plane, label: [V]; field_mm, quanta: [V].
    """

    mean_mm: F64
    covariance_mm2: F64
    true_mm: F64
    visible: F64
    nearest: F64
    valid: F64
    is_visible: Flags
    is_nearest: I64
    patient: I64
    kind: I64
    plane: I64
    label: I64
    field_mm: F64
    quanta: F64

    def error_mm(self, point: int) -> F64:
        """Euclidean error at right angles to the beam, [V]; NaN where the truth is unknown."""
        return np.asarray(np.linalg.norm(self.mean_mm[:, point] - self.true_mm[:, point, :2], axis=-1))

    def mahalanobis2(self, point: int) -> F64:
        """Squared error in units of the reported covariance, [V]."""
        apart = self.true_mm[:, point, :2] - self.mean_mm[:, point]
        return np.asarray(np.einsum("vi,vij,vj->v", apart, np.linalg.inv(self.covariance_mm2[:, point]), apart))

    def distance_mm(self, point: int) -> F64:
        """True distance of a point from the isocentre, [V]."""
        return np.asarray(np.linalg.norm(self.true_mm[:, point], axis=-1))

    def where(self, chosen: Flags) -> Answers:
        """Some of the views."""
        return Answers(**{name: value[chosen] for name, value in vars(self).items()})


def ask(net: nn.Module, views: ViewSet, size: int = 64) -> Answers:
    """What a network says of every view, without augmentation."""
    said: list[Localised] = []
    with torch.inference_mode():
        for rows in batches(len(views), size, 0, 0, False):
            batch = views[rows]
            said.append(net(batch.pixels, batch.context))
    c = views.views.columns
    return Answers(
        mean_mm=_joined([s.mean for s in said]) * UNIT_MM,
        covariance_mm2=_joined([covariance(s.factor) for s in said]) * UNIT_MM**2,
        true_mm=views.points_mm.astype(float),
        visible=_joined([s.visible for s in said]), nearest=_joined([s.nearest for s in said]),
        valid=_joined([s.valid for s in said]),
        is_visible=views.visible > 0, is_nearest=c["nearest"].astype(np.int64),
        patient=np.unique(c["patient"].astype(str), return_inverse=True)[1],
        kind=c["kind"].astype(np.int64), plane=c["plane"].astype(np.int64), label=c["label"].astype(np.int64),
        field_mm=c["field_mm"].astype(float), quanta=c["quanta"].astype(float),
    )  # fmt: skip


def _joined(parts: list[torch.Tensor]) -> F64:
    return torch.cat(parts).double().numpy()
