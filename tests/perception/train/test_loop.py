"""The training loop: one seed one result, killed and given again, and never a broken state."""

from __future__ import annotations

import pytest
import torch

from carm_env.errors import CarmError
from perception.augment import Augmentation
from perception.nets.localizer import LocalizerSmall
from perception.train.localiser import localiser_terms
from perception.train.loop import STATE, LoopSettings, train
from perception.weights import load, save

SHORT = LoopSettings(6, 16, 1e-3, warm=2, save_every=2)


def tiny():
    torch.manual_seed(1)
    return LocalizerSmall((4, 4, 8, 8), 4)


def trained(views, folder, settings=SHORT, terms=localiser_terms, on_step=None, net=None):
    torch.set_num_threads(1)
    return train(net or tiny(), views, terms, settings, folder, Augmentation(), on_step)


def same(a, b):
    return all(torch.equal(values, b.state_dict()[name]) for name, values in a.state_dict().items())


def stop_after(steps):
    def stop(done, terms):
        if done == steps:
            raise KeyboardInterrupt

    return stop


def broken_from(first, value):
    """The loss, which becomes ``value`` in a step."""
    calls = iter(range(10**6))

    def terms(net, batch):
        out = localiser_terms(net, batch)
        return out | {"broken": out["target"] * (value if next(calls) >= first else 0.0)}

    return terms


@pytest.fixture(scope="module")
def whole(views, tmp_path_factory):
    return trained(views, tmp_path_factory.mktemp("whole"))


def test_one_seed_gives_one_result(views, whole, tmp_path):
    torch.manual_seed(99)
    assert same(whole, trained(views, tmp_path / "b"))
    assert not same(whole, trained(views, tmp_path / "c", LoopSettings(**{**vars(SHORT), "seed": 1})))
    assert not whole.training


@pytest.mark.parametrize("steps", [1, 2, 5, 6])
def test_interrupted_and_given_again_is_as_if_uninterrupted(views, whole, tmp_path, steps):
    with pytest.raises(KeyboardInterrupt):
        trained(views, tmp_path, on_step=stop_after(steps))
    seen = []
    assert same(whole, trained(views, tmp_path, on_step=lambda done, terms: seen.append(done)))
    assert seen == list(range(steps - steps % 2 + 1, 7))


def test_how_often_a_state_is_saved_changes_nothing(views, whole, tmp_path):
    assert same(whole, trained(views, tmp_path, LoopSettings(**{**vars(SHORT), "save_every": 5})))


def test_training_learns(views, tmp_path):
    losses = []
    settings = LoopSettings(40, 16, 5e-3, warm=4, save_every=40)
    trained(views, tmp_path, settings, on_step=lambda done, terms: losses.append(sum(terms.values())))
    assert sum(losses[-8:]) < 0.8 * sum(losses[:8])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_refused_and_the_state_kept(views, whole, tmp_path, value):
    with pytest.raises(CarmError, match=r"diverged: loss .* in step 5; want a smaller rate than 0\.001"):
        trained(views, tmp_path, terms=broken_from(5, value))
    assert load(tmp_path / STATE)[1]["step"] == 4
    assert same(whole, trained(views, tmp_path))


def test_weights_that_are_not_finite_are_never_saved(views, tmp_path):
    """A finite loss whose gradient is not: the root of zero."""

    def terms(net, batch):
        out = localiser_terms(net, batch)
        return out | {"root": (out["target"] * 0.0).abs().sqrt()}

    with pytest.raises(CarmError, match="diverged"):
        trained(views, tmp_path, LoopSettings(**{**vars(SHORT), "save_every": 1}), terms)
    assert not (tmp_path / STATE).exists()


def test_a_rate_that_is_far_too_great_is_told_or_leaves_finite_weights(views, tmp_path):
    settings = LoopSettings(30, 16, 1e6, warm=1, save_every=1)
    with pytest.raises(CarmError, match=r"diverged.*smaller rate than 1e\+06"):
        trained(views, tmp_path, settings)
    if (tmp_path / STATE).exists():
        assert all(torch.isfinite(t).all() for t in load(tmp_path / STATE)[0].values())


@pytest.mark.parametrize("other", [{"seed": 3}, {"rate": 2e-3}, {"steps": 8}, {"batch": 8}, {"bf16": False}])
def test_a_state_of_other_settings_is_refused(views, tmp_path, other):
    with pytest.raises(KeyboardInterrupt):
        trained(views, tmp_path, on_step=stop_after(2))
    with pytest.raises(CarmError, match="another training"):
        trained(views, tmp_path, LoopSettings(**{**vars(SHORT), **other}))


def test_a_state_of_another_network_is_refused(views, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trained(views, tmp_path, on_step=stop_after(2))
    with pytest.raises(CarmError, match="another training"):
        trained(views, tmp_path, net=LocalizerSmall((4, 4, 8, 8), 8))


@pytest.mark.parametrize("damage", ["cut", "no step", "no net", "odd names", "pickle"])
def test_a_damaged_state_is_refused(views, tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        trained(views, tmp_path, on_step=stop_after(2))
    path = tmp_path / STATE
    tensors, record = load(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "pickle":
        path.unlink()
        torch.save(record, path)
    elif damage == "no step":
        save(path, tensors, {k: v for k, v in record.items() if k != "step"})
    elif damage == "no net":
        save(path, {k: v for k, v in tensors.items() if not k.startswith("net.to_heat")}, record)
    else:
        save(path, {k.replace("adam.", "adam.x"): v for k, v in tensors.items()}, record)
    with pytest.raises(CarmError) as told:
        trained(views, tmp_path)
    assert "\n" not in str(told.value) and STATE in str(told.value)


def test_too_few_views_are_refused(views, tmp_path):
    with pytest.raises(CarmError, match="too few for batches of 4096"):
        trained(views, tmp_path, LoopSettings(6, 4096))
    assert not list(tmp_path.iterdir())


def test_the_rate_rises_then_falls_as_a_cosine():
    rates = [LoopSettings(1000, warm=100, rate=1e-2).rate_at(step) for step in range(1000)]
    assert rates.index(max(rates)) == 99
    assert rates[0] == pytest.approx(1e-4, rel=0.02)
    assert max(rates) == pytest.approx(1e-2, rel=0.03)
    assert 0 < rates[-1] < 1e-5
