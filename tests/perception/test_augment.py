"""Augmentation: labels stay true, nothing outside of the field is shown, one generator gives one result."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.augment import FIELD, PIXEL, QUANTA, Augmentation, shown
from perception.data.batches import Batch
from perception.data.pixels import CONTEXT

OFF = Augmentation(0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SIDE, PIXEL_MM, SOD_MM = 64, 214.0 / 64, 785.0


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def artificial(image, points=None, field_mm=214.0, quanta=1000.0):
    """A batch of images [B, H, W] under a square field, with points [B, 21, 3]."""
    n = len(image)
    at = (torch.arange(SIDE) - (SIDE - 1) / 2).abs() <= field_mm / PIXEL_MM / 2
    mask = (at[:, None] & at[None, :]).float().expand(n, SIDE, SIDE)
    context = torch.zeros(n, len(CONTEXT))
    context[:, FIELD], context[:, PIXEL], context[:, QUANTA] = field_mm / 200, PIXEL_MM, math.log(quanta) / 6
    points = torch.full((n, 21, 3), torch.nan) if points is None else points
    one = torch.ones(n)
    seen = shown(points, SOD_MM * one, mask, PIXEL_MM * one)
    return Batch(
        torch.stack([image * mask, mask], 1), context, points, seen, torch.zeros(n, dtype=torch.long),
        torch.zeros(n, dtype=torch.long), torch.zeros(n, 2), SOD_MM * one, field_mm * one, PIXEL_MM * one,
        quanta * one, torch.arange(n), one,
    )  # fmt: skip


def at_px(points, pixel_mm):
    """(column, row) of points [B, K, 3]."""
    scale = SOD_MM / (SOD_MM + points[..., 2:])
    return points[..., :2] * scale / pixel_mm[:, None, None] + (SIDE - 1) / 2


def dots(points):
    """Images [B, H, W] with a bright spot at each point's place."""
    place = at_px(points, torch.full((len(points),), PIXEL_MM))
    x = torch.arange(SIDE)[None, None]
    across, down = (torch.exp(-((x - place[..., i, None]) ** 2) / 4.0) for i in (0, 1))
    return torch.einsum("bkr,bkc->brc", down, across)


def test_with_everything_off_a_batch_is_unchanged(views):
    batch = views[np.arange(16)]
    after = OFF(batch, rng())
    for name, values in vars(batch).items():
        apart = (getattr(after, name).nan_to_num(0).float() - values.nan_to_num(0).float()).abs().max()
        assert apart < 1e-4, name
    assert torch.equal(after.pixels[:, 1], batch.pixels[:, 1])


def test_one_generator_state_gives_one_result(views):
    batch, all_ = views[np.arange(16)], Augmentation(nonsense=0.5, invert=0.5, devices=0.9, collimate=0.9)
    first, again, other = (all_(batch, rng(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(a.nan_to_num(9), vars(again)[n].nan_to_num(9)) for n, a in vars(first).items())
    assert not torch.equal(first.pixels, other.pixels)


def test_the_batch_that_was_given_is_left_as_it_was(views):
    batch = views[np.arange(16)]
    before = {name: values.clone() for name, values in vars(batch).items()}
    Augmentation(30.0, 1.3, 1.2, 1, 1, 1, 1, 1, 1, 1)(batch, rng())
    assert all(torch.equal(before[n].nan_to_num(9), v.nan_to_num(9)) for n, v in vars(batch).items())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 45), st.floats(1.0, 1.4), st.sampled_from([1.0, 1.2]))
def test_after_a_turn_a_dot_is_where_its_label_projects(seed, rotate_deg, zoom, stretch):
    g = rng(seed)
    points = torch.full((4, 21, 3), torch.nan)
    points[:, 20] = (torch.rand(4, 3, generator=g) * 2 - 1) * torch.tensor([40.0, 40.0, 150.0])
    after = replace(OFF, rotate_deg=rotate_deg, zoom=zoom, stretch=stretch)(artificial(dots(points[:, 20:]), points), g)
    place = at_px(after.points_mm[:, 20:], after.pixel_mm)[:, 0]
    image = (after.pixels[:, 0] - after.pixels[:, 0].amin((1, 2), keepdim=True)) * after.pixels[:, 1]
    peak = image.flatten(1).argmax(1)
    found = torch.stack([peak % SIDE, peak // SIDE], -1)
    assert (found - place).abs().max() <= 1.0
    assert (after.visible[:, 20] == 1).all()
    assert torch.equal(after.points_mm[..., 2].nan_to_num(0), points[..., 2].nan_to_num(0))
    if stretch == 1.0:
        far = [p[:, 20].norm(dim=-1).numpy() for p in (after.points_mm, points)]
        assert far[0] == pytest.approx(far[1], rel=1e-5)


def test_visible_is_what_is_still_shown():
    points = torch.full((60, 21, 3), torch.nan)
    points[:, 20] = torch.tensor([0.0, 92.0, 0.0])
    points[:, 3] = torch.tensor([5.0, -5.0, 20.0])
    after = replace(OFF, collimate=1.0, zoom=1.3)(artificial(torch.zeros(60, SIDE, SIDE), points), rng(1))
    place = at_px(after.points_mm[:, [3, 20]], after.pixel_mm).round()
    inside = ((place >= 0) & (place < SIDE)).all(-1)
    column, row = place.clamp(0, SIDE - 1).long().unbind(-1)
    open_ = after.pixels[torch.arange(60)[:, None], 1, row, column] * inside
    assert torch.equal(after.visible[:, [3, 20]], open_)
    assert 0 < open_[:, 1].sum() < 60
    assert (after.visible[:, 0] == 0).all()


def test_collimation_never_shows_what_lay_outside():
    image = torch.randn(64, SIDE, SIDE, generator=rng())
    batch = artificial(image, field_mm=150.0)
    after = replace(OFF, collimate=1.0)(batch, rng())
    assert ((after.pixels[:, 1] > 0) <= (batch.pixels[:, 1] > 0)).all()
    assert (after.pixels[:, 0][after.pixels[:, 1] == 0] == 0).all()
    assert (after.field_mm <= 150.0).all() and (after.field_mm >= 60.0).all()
    assert after.context[:, FIELD].numpy() == pytest.approx(after.field_mm.numpy() / 200)
    sides = after.pixels[:, 1].amax(1).sum(1) * PIXEL_MM
    assert (sides - after.field_mm).abs().max() <= 2 * PIXEL_MM
    assert after.field_mm.std() > 10.0


def test_a_field_smaller_than_the_least_stays_as_it_is():
    after = replace(OFF, collimate=1.0)(artificial(torch.randn(4, SIDE, SIDE), field_mm=40.0), rng())
    assert (after.field_mm == 40.0).all()


@pytest.mark.parametrize("quanta", [100.0, 3000.0])
def test_noise_raises_the_variance_as_one_over_the_quanta(quanta):
    batch = artificial(torch.zeros(100, SIDE, SIDE), quanta=quanta)
    after = replace(OFF, noise=1.0)(batch, rng())
    assert (after.quanta <= quanta).all() and after.quanta.min() < 0.2 * quanta
    assert after.context[:, QUANTA].numpy() == pytest.approx(np.log(after.quanta.numpy()) / 6, rel=1e-5)
    want = (1 / after.quanta - 1 / quanta) / (PIXEL_MM * 1.4) ** 2
    noisy = want > 1e-4 / quanta
    got = after.pixels[:, 0].var((1, 2))
    assert (got / want)[noisy].numpy() == pytest.approx(1.0, rel=0.12)


def test_noise_is_greater_where_the_signal_is_lower():
    image = torch.zeros(30, SIDE, SIDE)
    image[:, :, 32:] = -2.0
    after = replace(OFF, noise=1.0)(artificial(image, quanta=500.0), rng())
    dark, bright = after.pixels[:, 0, :, 33:].var((1, 2)), after.pixels[:, 0, :, :31].var((1, 2))
    assert (dark / bright).numpy() == pytest.approx(math.exp(2.0), rel=0.2)


def test_nonsense_is_flagged_and_shows_nothing(views):
    batch = views[np.arange(64)]
    after = replace(OFF, nonsense=0.5)(batch, rng())
    nonsense = after.valid == 0
    assert 10 < nonsense.sum() < 54
    assert (after.visible[nonsense] == 0).all()
    changed = (after.pixels - batch.pixels).abs().amax((1, 2, 3)) > 0.01
    assert torch.equal(changed, nonsense)
    assert torch.equal(after.visible[~nonsense], batch.visible[~nonsense])
    assert torch.equal(after.pixels[:, 1], batch.pixels[:, 1])


def test_turning_and_zooming_keep_the_context_true():
    after = replace(OFF, zoom=1.3)(artificial(torch.zeros(50, SIDE, SIDE)), rng())
    assert torch.equal(after.context[:, PIXEL], after.pixel_mm)
    assert after.pixel_mm.min() < PIXEL_MM / 1.15 and after.pixel_mm.max() > PIXEL_MM * 1.15
    assert (after.pixel_mm <= PIXEL_MM * 1.3 + 1e-6).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_whatever_is_drawn_stays_finite_and_centred(views, seed):
    after = Augmentation(45.0, 1.5, 1, 1, 1, 1, 0.5, 0.3)(views[np.arange(8)], rng(seed))
    image, field = after.pixels.unbind(1)
    assert torch.isfinite(after.pixels).all() and torch.isfinite(after.context).all()
    assert (image.abs() * (1 - field)).max() == 0
    assert ((image * field).sum((1, 2)) / field.sum((1, 2)).clamp_min(1)).abs().max() < 1e-3
