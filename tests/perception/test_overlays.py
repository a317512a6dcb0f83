"""Metal and limbs in the beam: where, how much, and in how many images."""

from __future__ import annotations

import pytest
import torch

from perception.overlays import limb, metal

SIDE = 48


def rng():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("overlay", [metal, limb])
def test_nothing_lies_there_with_share_0_and_something_with_share_1(overlay):
    assert (overlay(8, SIDE, 0.0, rng()) == 0).all()
    depth = overlay(64, SIDE, 1.0, rng())
    assert depth.shape == (64, SIDE, SIDE)
    assert (depth >= 0).all() and (depth.flatten(1).amax(1) > 0).float().mean() > 0.9
    assert depth.max() < 5.0


@pytest.mark.parametrize("overlay", [metal, limb])
def test_the_share_of_images_is_the_one_asked_for(overlay):
    touched = (overlay(2000, 16, 0.2, rng()).flatten(1).amax(1) > 0).float().mean()
    expected = 0.2 if overlay is limb else 1.0 - 0.8**2
    assert float(touched) == pytest.approx(expected, abs=0.12)


def test_a_limb_darkens_a_part_of_the_image_only():
    depth = limb(200, SIDE, 1.0, rng())
    middle = depth.amax((1, 2))
    inside = (depth > 0).float().mean((1, 2))
    assert ((middle > 0.3) & (inside < 0.9)).float().mean() > 0.6
