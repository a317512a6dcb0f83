"""Answers whose errors are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, softmax

from perception.data.views import DRIVE, LANDMARK
from perception.quality.answers import Answers

POINTS = 21


def answers(
    n: int = 4000, seed: int = 0, wrong: tuple[float, float] = (1.0, 1.0), sharp: float = 1.0, tails: float = np.inf,
    **changes: Any,
) -> Answers:
    """n views of 8 patients.

    Args:
        wrong: true over reported standard deviation of points found and inferred; sharp: factor of all logits.
        tails: degrees of freedom of the errors' t distribution.
    """
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, POINTS, 2, 2)) * 5 + 4 * np.eye(2)
    logits, nearest = rng.normal(0, 2, (n, POINTS)), rng.normal(0, 2, (n, 20))
    is_visible = rng.random((n, POINTS)) < expit(logits)
    is_nearest = np.array([rng.choice(20, p=p) for p in softmax(nearest, axis=1)])
    true = rng.uniform(-150, 150, (n, POINTS, 3))
    size = np.where(logits > 0, wrong[0], wrong[1])[..., None]
    draw = rng.standard_t(tails, (n, POINTS, 2)) if np.isfinite(tails) else rng.normal(size=(n, POINTS, 2))
    error = size * np.einsum("vkij,vkj->vki", root, draw)
    parts: dict[str, Any] = {
        "mean_mm": true[..., :2] + error, "covariance_mm2": root @ root.swapaxes(-1, -2), "true_mm": true,
        "visible": logits * sharp, "nearest": nearest * sharp, "valid": np.ones(n), "is_visible": is_visible,
        "is_nearest": is_nearest, "patient": rng.integers(8, size=n),
        "kind": np.where(rng.random(n) < 0.4, LANDMARK, DRIVE), "plane": rng.integers(2, size=n), "label": is_nearest,
        "field_mm": np.full(n, 214.0), "quanta": np.full(n, 1000.0),
    }  # fmt: skip
    return Answers(**(parts | changes))
