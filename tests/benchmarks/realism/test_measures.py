"""The realism measures tell what differs and do not tell apart what does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.realism.measures import auc, classifier_auc, frame_statistics, patches


def fields(count: int, sigma: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array(
        [3 * ndimage.gaussian_filter(rng.standard_normal((96, 96)), sigma) * sigma - 4 for _ in range(count)],
        np.float32,
    )


def test_auc_of_perfect_reversed_and_tied_scores() -> None:
    truth = np.array([0, 0, 1, 1])
    assert auc(np.array([1, 2, 3, 4]), truth) == 1.0
    assert auc(np.array([4, 3, 2, 1]), truth) == 0.0
    assert auc(np.zeros(4), truth) == 0.5


def test_patches_are_standardised_and_even_ground_is_passed_over() -> None:
    images = fields(3, 2.0, 0)
    images[0] = -3.0
    got = patches(images, 40, np.random.default_rng(1))
    assert got.shape == (40, 1, 32, 32)
    np.testing.assert_allclose(got.mean((1, 2, 3)), 0.0, atol=1e-4)
    np.testing.assert_allclose(got.std((1, 2, 3)), 1.0, atol=1e-4)


def test_a_classifier_tells_textures_apart_and_not_the_same_texture() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    a, b, c, d = (patches(fields(6, s, i), 300, rng) for i, s in enumerate((1.2, 2.5, 1.2, 2.5)))
    assert classifier_auc((a, b), (c, d)) > 0.9
    same = [patches(fields(6, 2.0, 10 + i), 300, rng) for i in range(4)]
    assert abs(classifier_auc((same[0], same[1]), (same[2], same[3])) - 0.5) < 0.2


def test_statistics_follow_contrast_and_sharpness() -> None:
    smooth, sharp = (frame_statistics(fields(4, s, 3)) for s in (4.0, 1.0))
    assert sharp["fine_detail"][0] > 2 * smooth["fine_detail"][0]
    images = fields(4, 2.0, 4)
    strong = frame_statistics(images * 2)
    assert strong["gradient_p95"][0] == pytest.approx(2 * frame_statistics(images)["gradient_p95"][0], rel=1e-3)
