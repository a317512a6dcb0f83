"""A network's answers beside the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from perception.nets.localizer import UNIT_MM, LocalizerSmall
from perception.quality.answers import ask
from tests.perception.quality.synthetic import answers


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return LocalizerSmall((4, 4, 8, 8), 4).eval()


def test_answers_are_the_networks_in_the_order_of_the_views(net, views):
    got = ask(net, views, size=32)
    assert len(got.valid) == len(views)
    row = 50
    batch = views[np.array([row])]
    with torch.inference_mode():
        said = net(batch.pixels, batch.context)
    assert got.mean_mm[row] == pytest.approx(said.mean[0].numpy() * UNIT_MM, abs=1e-2)
    assert got.visible[row] == pytest.approx(said.visible[0].numpy(), abs=1e-4)
    assert got.true_mm[row] == pytest.approx(batch.points_mm[0].numpy(), nan_ok=True)
    assert got.is_nearest[row] == batch.nearest[0]
    assert np.linalg.eigvalsh(got.covariance_mm2).min() > 0


def test_errors_and_distances_by_hand():
    made = answers(10)
    made.mean_mm[0, 20], made.true_mm[0, 20] = (3.0, 0.0), (0.0, 4.0, 12.0)
    made.covariance_mm2[0, 20] = np.diag([9.0, 4.0])
    assert made.error_mm(20)[0] == pytest.approx(5.0)
    assert made.distance_mm(20)[0] == pytest.approx(np.hypot(4, 12))
    assert made.mahalanobis2(20)[0] == pytest.approx(1.0 + 4.0)


def test_some_of_the_views():
    made = answers(10)
    chosen = np.arange(10) % 3 == 0
    part = made.where(chosen)
    assert all(len(values) == 4 for values in vars(part).values())
    assert (part.mean_mm == made.mean_mm[chosen]).all()
