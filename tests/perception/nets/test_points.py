"""Points in images and Gaussian errors in the plane."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal

from perception.nets.points import LOG_MM_RANGE, bounded_factor, covariance, gaussian_nll, soft_argmax

RAW = st.tuples(*[st.floats(-1e4, 1e4)] * 3)
MODEST = st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-5, 5))


@settings(deadline=None)
@given(st.floats(4, 27), st.floats(4, 19), st.floats(0.8, 2.0))
def test_the_centre_of_a_blob_is_found_to_a_tenth_of_a_cell(column, row, sd):
    x, y = torch.arange(32.0), torch.arange(24.0)
    spread = ((x[None, :] - column) ** 2 + (y[:, None] - row) ** 2) / (2 * sd**2)
    mean, look = soft_argmax(-spread[None, None])
    cells = (mean[0, 0] + 1) * torch.tensor([32.0, 24.0]) / 2 - 0.5
    assert cells.tolist() == pytest.approx([column, row], abs=0.1)
    assert look[0, 0, 0] == pytest.approx(1 / (2 * math.pi * sd**2), rel=0.35)
    assert look[0, 0, 1] == pytest.approx(sd * math.hypot(2 / 32, 2 / 24), rel=0.1)


@pytest.mark.parametrize("level", [0.0, -1e6, 1e6])
def test_an_even_heatmap_points_to_the_middle_widely(level):
    mean, look = soft_argmax(torch.full((2, 3, 8, 8), level))
    assert mean.abs().max() < 1e-6
    assert look[0, 0, 0] == pytest.approx(1 / 64)
    assert look[0, 0, 1] == pytest.approx(math.sqrt(2 / 3), rel=0.02)


def test_heatmaps_do_not_touch_each_other():
    heat = torch.randn(4, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    other = heat.clone()
    other[2, 3] += torch.randn(8, 8)
    mean, changed = soft_argmax(heat)[0], soft_argmax(other)[0]
    apart = (mean != changed).any(-1)
    assert apart[2, 3] and apart.sum() == 1


@settings(deadline=None)
@given(MODEST, st.tuples(st.floats(-5, 5), st.floats(-5, 5)))
def test_the_likelihood_is_that_of_a_normal_distribution(numbers, error):
    factor, apart = torch.tensor(numbers, dtype=torch.float64), torch.tensor(error, dtype=torch.float64)
    log_a, log_b, c = factor
    inverse = torch.stack([torch.stack([log_a.exp(), 0 * c]), torch.stack([c, log_b.exp()])])
    normal = MultivariateNormal(torch.zeros(2, dtype=torch.float64), precision_matrix=inverse.T @ inverse)
    want = -normal.log_prob(apart) - math.log(2 * math.pi)
    assert gaussian_nll(apart, factor, beta=0.0).item() == pytest.approx(want.item(), rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(MODEST)
def test_covariance_is_the_inverse_of_the_factors_square(numbers):
    log_a, log_b, c = numbers
    inverse = torch.tensor([[math.exp(log_a), 0.0], [c, math.exp(log_b)]], dtype=torch.float64)
    both = covariance(torch.tensor(numbers, dtype=torch.float64)) @ (inverse.T @ inverse)
    assert both.flatten().tolist() == pytest.approx([1, 0, 0, 1], abs=1e-6)


def test_beta_weighs_as_a_power_of_the_variance_and_moves_no_gradient():
    factor = torch.tensor([[0.5, -1.0, 0.3]], requires_grad=True)
    error = torch.tensor([[0.4, -0.2]])
    plain, half = (gaussian_nll(error, factor, beta) for beta in (0.0, 0.5))
    assert (half / plain).item() == pytest.approx(math.exp(0.25))
    ratio = torch.autograd.grad(half.sum(), factor)[0] / torch.autograd.grad(plain.sum(), factor)[0]
    assert ratio.flatten().tolist() == pytest.approx([math.exp(0.25)] * 3)


@settings(deadline=None)
@given(RAW)
def test_whatever_the_network_says_its_covariance_is_proper_and_in_range(raw):
    factor = bounded_factor(torch.tensor(raw), 100.0)
    matrix = covariance(factor) * 100.0**2
    assert torch.isfinite(matrix).all()
    assert matrix[0, 1] == matrix[1, 0]
    assert torch.linalg.eigvalsh(matrix.double()).min() > 0
    low, high = LOG_MM_RANGE
    sds = -factor[:2] + math.log(100.0)
    assert (sds >= low - 1e-4).all() and (sds <= high + 1e-4).all()
    assert math.exp(low) * 0.99 <= matrix[0, 0].sqrt() <= math.exp(high) * 1.01
    assert matrix[1, 1].sqrt() <= math.exp(high) * math.sqrt(1 + math.exp(high - low))


def test_the_range_is_reached_and_passed_through_smoothly():
    raw = torch.linspace(-50, 50, 201)
    sds = (-bounded_factor(torch.stack([raw, raw, 0 * raw], -1), 100.0)[:, 0]).exp() * 100
    assert sds[0] == pytest.approx(0.5, rel=1e-3) and sds[-1] == pytest.approx(400, rel=1e-3)
    assert (sds.diff() >= 0).all()
