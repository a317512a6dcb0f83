"""``localizer-small``."""

from __future__ import annotations

import pytest
import torch

from perception.data.pixels import CONTEXT
from perception.nets.localizer import PIXEL_MM, POINTS, UNIT_MM, K, LocalizerSmall
from perception.nets.points import covariance
from perception.weights import save_net


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    made = LocalizerSmall()
    made(*inputs(8))
    return made.eval()


def inputs(n, side=128, seed=0):
    g = torch.Generator().manual_seed(seed)
    context = torch.randn(n, len(CONTEXT), generator=g)
    context[:, PIXEL_MM] = 214.0 / side
    return torch.randn(n, 2, side, side, generator=g), context


def said(net, pixels, context):
    with torch.inference_mode():
        return net(pixels, context)


def test_a_row_of_everything_a_frame(net):
    out = said(net, *inputs(3))
    shapes = [tuple(part.shape) for part in out]
    assert shapes == [(3, POINTS, 2), (3, POINTS, 3), (3, POINTS, 2), (3, POINTS), (3, K), (3, 2), (3,)]
    assert POINTS == K + 1 == 21


def test_an_answer_does_not_depend_on_its_batch(net):
    pixels, context = inputs(7)
    whole = said(net, pixels, context)
    for rows in ([4], [4, 0], [6, 5, 4, 3]):
        part = said(net, pixels[rows], context[rows])
        for a, b in zip(whole, part, strict=True):
            assert (a[rows] - b).abs().max() < 1e-4


def test_an_answer_depends_on_pixels_and_context(net):
    pixels, context = inputs(2)
    first = said(net, pixels, context)
    assert (said(net, pixels.flip(0), context).mean - first.mean).abs().max() > 1e-4
    assert (said(net, pixels, context.flip(0)).mean - first.mean).abs().max() > 1e-5


@pytest.mark.parametrize("scale", [0.0, 1e-30, 20.0, 1e4])
def test_outputs_are_finite_and_covariances_proper_for_extreme_inputs(net, scale):
    pixels, context = inputs(2)
    out = said(net, pixels * scale, context.abs() * min(scale, 100.0))
    assert all(torch.isfinite(part).all() for part in out)
    assert torch.linalg.eigvalsh(covariance(out.factor).double()).min() > 0


@pytest.mark.parametrize("side", [64, 96, 128, 256])
def test_images_of_other_sizes_pass(net, side):
    assert said(net, *inputs(1, side)).mean.shape == (1, POINTS, 2)


def test_the_heatmaps_scale_with_the_pixels(net):
    pixels, context = inputs(2)
    out = said(net, pixels, context)
    half_mm = context[:, PIXEL_MM] * 64
    assert (out.heat.abs() * UNIT_MM <= half_mm[:, None, None]).all()


def test_an_untrained_network_is_unsure():
    out = said(LocalizerSmall().eval(), *inputs(4))
    sd_mm = covariance(out.factor).diagonal(dim1=-2, dim2=-1).sqrt() * UNIT_MM
    assert 60.0 < sd_mm.median() < 250.0


def test_every_parameter_learns():
    net = LocalizerSmall((4, 4, 8, 8), 4)
    out = net(*inputs(4, 64))
    torch.stack([part.square().mean() for part in out]).sum().backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]


def test_the_weights_take_at_most_8_mb(net, tmp_path):
    save_net(tmp_path / "w.safetensors", net, {})
    assert (tmp_path / "w.safetensors").stat().st_size <= 8 * 2**20
