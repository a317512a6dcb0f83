"""Batches of views."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.xray.collimation import collimate
from perception.data import shoot
from perception.data.batches import batches
from tests.perception.conftest import FEW


def test_the_mask_is_the_xray_chains(ct, tmp_path, monkeypatch):
    from perception.data.batches import ViewSet
    from perception.data.store import add, begin, read_views

    masks, quantised = [], shoot.quantised
    monkeypatch.setattr(shoot, "quantised", lambda s, m: (masks.append(m), quantised(s, m))[1])
    images, rows = shoot.shoot_patient(str(ct), FEW, "train")
    begin(tmp_path, "phantom-1", FEW)
    add(tmp_path, str(ct), images, rows)
    batch = ViewSet(read_views(tmp_path, "train"))[np.arange(len(images))]
    assert (batch.pixels[:, 1].numpy() == np.concatenate(masks)).all()
    assert len({float(m.mean()) for m in np.concatenate(masks)}) > 5


def test_pixels_have_no_mean_in_the_field_and_the_stored_contrast(views):
    batch = views[np.arange(40)]
    image, field = batch.pixels.unbind(1)
    assert ((image * field).sum((1, 2)) / field.sum((1, 2))).abs().max() < 1e-4
    assert (image[field == 0] == 0).all()
    spread = views.views.columns["level_high"][:40] - views.views.columns["level_low"][:40]
    inside = torch.where(field > 0, image, torch.nan)
    span = inside.flatten(1).nan_to_num(-99).amax(1) - inside.flatten(1).nan_to_num(99).amin(1)
    assert span.numpy() == pytest.approx(spread, rel=1e-3)


def test_a_row_is_the_same_in_every_batch(views):
    whole, part = views[np.arange(30)], views[np.array([7, 3])]
    for name, values in vars(whole[torch.tensor([7, 3])]).items():
        assert torch.equal(values.nan_to_num(-1), getattr(part, name).nan_to_num(-1)), name
    assert part.index.tolist() == [7, 3]
    assert (part.valid == 1).all()


def test_pixel_and_field_are_those_at_the_isocentre(views):
    c = views.views.columns
    for i in range(5):
        bounds = collimate((32, 32), c["pitch_mm"][i], c["sid_mm"][i] / c["sod_mm"][i], c["field_mm"][i])
        rows = views[np.array([i])].pixels[0, 1].amax(1).sum()
        assert rows == bounds.r1 - bounds.r0
    full = c["field_mm"] > 210
    assert views.pixel_mm[full] * 32 == pytest.approx(c["field_mm"][full], rel=0.01)


def order(count, size, seed, epoch, shuffle=True):
    return [rows.tolist() for rows in batches(count, size, seed, epoch, shuffle)]


@settings(max_examples=60)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 2**40), st.integers(0, 9))
def test_the_order_of_an_epoch_depends_on_seed_and_epoch_only(count, size, seed, epoch):
    np.random.seed(epoch)
    first = order(count, size, seed, epoch)
    np.random.seed(epoch + 1)
    assert first == order(count, size, seed, epoch)
    rows = [i for part in first for i in part]
    assert len(rows) == len(set(rows))
    assert all(len(part) == size for part in first) or count < size
    assert len(rows) == (count - count % size if count >= size else count)


@given(st.integers(1, 200), st.integers(1, 40))
def test_without_shuffling_every_row_comes_once_in_order(count, size):
    assert [i for part in order(count, size, 0, 0, False) for i in part] == list(range(count))


def test_seeds_and_epochs_differ():
    assert len({str(order(50, 10, seed, epoch)) for seed in range(5) for epoch in range(5)}) == 25
