"""The networks of the seed papers: their sizes, what depends on a batch, what probing leaves alone."""

from __future__ import annotations

import pytest
import torch

from carm_env.errors import CarmError
from perception.data.pixels import CONTEXT
from perception.nets.registry import make_net
from perception.nets.seed import covariates

NETS = [
    ("positional", {"attention": "tokens"}),
    ("positional", {"attention": "paper"}),
    ("positional", {"attention": "none"}),
    ("posenet", {}),
    ("resnet34", {}),
]


def net(name, outputs=3, **settings):
    torch.manual_seed(0)
    return make_net(name, outputs=outputs, **settings).eval()


def batch(n=4, side=64):
    g = torch.Generator().manual_seed(1)
    return torch.randn(n, 2, side, side, generator=g), torch.randn(n, len(CONTEXT), generator=g)


@pytest.mark.parametrize(("name", "settings"), NETS)
def test_only_attention_as_published_depends_on_the_batch_and_says_so(name, settings):
    made, (pixels, context) = net(name, **settings), batch()
    with torch.inference_mode():
        apart = (made(pixels, context)[:1] - made(pixels[:1], context[:1])).abs().max()
    assert bool(apart > 1e-3) == made.batch_dependent == (settings.get("attention") == "paper")


@pytest.mark.parametrize(("name", "millions"), [("positional", 21.45), ("posenet", 2.92), ("resnet34", 21.3)])
def test_sizes_are_the_published_ones(name, millions):
    assert sum(p.numel() for p in net(name).parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_without_attention_the_covariates_do_not_matter():
    pixels, context = batch()
    with torch.inference_mode():
        blind, told = (net("positional", attention=a) for a in ("none", "tokens"))
        assert torch.equal(blind(pixels, context), blind(pixels, -context))
        assert not torch.allclose(told(pixels, context), told(pixels, -context))


def test_missing_demographics_are_the_mean_and_of_no_sex():
    context = torch.zeros(1, len(CONTEXT))
    assert (covariates(context) == 0).all()
    context[0, CONTEXT.index("sex_known")], context[0, CONTEXT.index("sex")] = 1.0, -1.0
    assert covariates(context)[0].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(("name", "settings"), NETS[:1] + NETS[3:])
def test_probing_moves_the_last_layers_only(name, settings):
    made = net(name, **settings)
    layers = 1 if name == "resnet34" else 2
    made.probe(layers).train()
    before = {n: t.clone() for n, t in made.state_dict().items()}
    optimiser = torch.optim.AdamW(made.parameters(), 0.1)
    made(*batch()).square().sum().backward()
    optimiser.step()
    moved = {n for n, t in made.state_dict().items() if not torch.equal(t, before[n])}
    linear = [i for i, module in enumerate(made.head) if isinstance(module, torch.nn.Linear)][-layers:]
    assert moved == {f"head.{i}.{kind}" for i in linear for kind in ("weight", "bias")}
    assert all(p.requires_grad for p in made.probe(0).parameters())


def test_more_layers_than_there_are_cannot_be_probed():
    with pytest.raises(CarmError, match="probe=2 is out of range; resnet34 has 1"):
        net("resnet34").probe(2)


def test_an_unknown_attention_is_refused():
    with pytest.raises(CarmError, match="attention 'batch' is unknown; want one of tokens, paper, none"):
        net("positional", attention="batch")
