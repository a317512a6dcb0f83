"""Exact distances against dense sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.geometry.distance import segment_box_mm, segment_segment_mm

coordinate = st.integers(-8, 8).map(lambda k: 25.0 * k)
point = st.tuples(coordinate, coordinate, coordinate).map(np.array)
LOW, HIGH = np.array([-60.0, -10, -150]), np.array([60.0, 10, 40])


def along(a: np.ndarray, b: np.ndarray, samples: int = 401) -> np.ndarray:
    return a + np.linspace(0, 1, samples)[:, None] * (b - a)


@settings(max_examples=200, deadline=None)
@given(point, point, point, point)
def test_segment_segment_is_the_least_of_all_point_pairs(a, b, c, d):
    """Includes degenerate and parallel ones: coordinates come from a coarse grid."""
    sampled = np.sqrt(((along(a, b)[:, None] - along(c, d)[None]) ** 2).sum(-1)).min()
    spacing = (np.linalg.norm(b - a) + np.linalg.norm(d - c)) / 400
    assert sampled - spacing <= segment_segment_mm(a, b, c, d) <= sampled + 1e-6


@settings(max_examples=200, deadline=None)
@given(point, point, point, point)
def test_segment_segment_knows_no_order(a, b, c, d):
    first = segment_segment_mm(a, b, c, d)
    for other in ((c, d, a, b), (b, a, c, d), (a, b, d, c)):
        assert segment_segment_mm(*other) == pytest.approx(first, abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(point, point)
def test_segment_box_is_the_least_of_all_points(a, b):
    points = along(a, b, 2001)
    sampled = np.sqrt(((points - np.clip(points, LOW, HIGH)) ** 2).sum(-1)).min()
    assert sampled - np.linalg.norm(b - a) / 2000 <= segment_box_mm(a, b, LOW, HIGH) <= sampled + 1e-6


def test_known_distances():
    x = np.eye(3) * 100
    assert segment_segment_mm(-x[0], x[0], x[2] - x[1], x[2] + x[1]) == pytest.approx(100)
    assert segment_segment_mm(np.zeros(3), np.zeros(3), x[0], x[0]) == pytest.approx(100)
    assert segment_box_mm(-x[1], x[1], LOW, HIGH) == pytest.approx(0, abs=1e-6)
    assert segment_box_mm(np.array([100.0, 30, 0]), np.array([200.0, 90, 0]), LOW, HIGH) == pytest.approx(
        np.hypot(40, 20)
    )
