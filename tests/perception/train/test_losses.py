"""What the localiser is taught."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from perception.nets.localizer import UNIT_MM, K, Localised
from perception.train.losses import PLACE_SCALE_MM, Weights, localiser_loss


def perfect(batch):
    """The answer that is right in everything, with standard deviations of ``UNIT_MM``."""
    n = len(batch)
    mean = torch.where(torch.isfinite(batch.points_mm[..., :2]), batch.points_mm[..., :2], 0.0) / UNIT_MM
    scale = batch.sod_mm[:, None] / (batch.sod_mm[:, None] + batch.points_mm[..., 2].nan_to_num(0))
    nearest = torch.nn.functional.one_hot(batch.nearest.clamp_min(0), K).float() * 50
    return Localised(
        mean, torch.zeros(n, K + 1, 3), mean * scale[..., None], (batch.visible * 2 - 1) * 50, nearest,
        batch.place_mm / PLACE_SCALE_MM, (batch.valid * 2 - 1) * 50,
    )  # fmt: skip


@pytest.fixture
def batch(views):
    return views[np.arange(24)]


def terms(said, batch):
    return {name: float(value) for name, value in localiser_loss(said, batch, Weights()).items()}


def test_a_perfect_answer_costs_nothing(batch):
    assert all(abs(value) < 1e-4 for value in terms(perfect(batch), batch).values())


@pytest.mark.parametrize(
    ("part", "term"),
    [("mean", "target"), ("mean", "landmarks"), ("heat", "heat"), ("place", "place"), ("valid", "valid"),
     ("visible", "visible"), ("nearest", "nearest")],
)  # fmt: skip
def test_every_error_costs_in_its_own_term(batch, part, term):
    said = perfect(batch)
    wrong = said._replace(**{part: -getattr(said, part) + 0.5})
    assert terms(wrong, batch)[term] > 0.05


def test_unknown_points_teach_nothing(batch):
    batch = batch.with_(points_mm=torch.full_like(batch.points_mm, torch.nan), visible=torch.zeros_like(batch.visible))
    said = perfect(batch)
    said = said._replace(mean=torch.randn_like(said.mean).requires_grad_())
    loss = localiser_loss(said, batch, Weights())
    assert loss["target"] == loss["landmarks"] == loss["heat"] == 0
    assert torch.autograd.grad(sum(loss.values()), said.mean, allow_unused=True)[0].abs().max() == 0


def test_nonsense_teaches_only_that_it_is_nonsense(batch):
    batch = batch.with_(valid=torch.zeros_like(batch.valid), visible=torch.zeros_like(batch.visible))
    said = perfect(batch)
    said = said._replace(mean=said.mean + 9, heat=said.heat + 9, nearest=-said.nearest, place=said.place + 9)
    assert all(abs(value) < 1e-4 for value in terms(said, batch).values())


def test_a_batch_without_any_known_landmark_has_a_finite_loss(batch):
    batch = batch.with_(nearest=torch.full_like(batch.nearest, -1))
    assert terms(perfect(batch), batch)["nearest"] == 0
