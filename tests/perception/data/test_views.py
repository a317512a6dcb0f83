"""Which views a data set holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.machine.presets import device
from carm_env.patient.model import LANDMARKS
from carm_env.sim.actions import MIN_FIELD_MM
from perception.data.shoot import placed
from perception.data.views import DRIVE, GRID, JITTER_MM, LANDMARK, ViewCounts, plan_views
from tests.perception.conftest import FEW

ARTIS, CIOS = device("artis_biplane"), device("cios_spin")


@pytest.fixture(scope="module")
def setup(ct):
    return placed(str(ct), FEW, ARTIS, 5)


def plan(setup, counts, preset=ARTIS, seed=0):
    return plan_views(setup, preset, counts, np.random.default_rng(seed))


def known(setup):
    return int(np.isfinite(setup.landmarks_mm).all(axis=1).sum())


def test_as_many_of_each_kind_as_asked(setup):
    made = plan(setup, ViewCounts(100.0, 3, 17))
    assert 10 <= known(setup) <= len(LANDMARKS)
    assert (made.kind == LANDMARK).sum() == 3 * known(setup)
    assert (made.kind == DRIVE).sum() == 17
    assert (made.kind == GRID).sum() > 0
    assert set(np.bincount(made.label[made.kind == LANDMARK])) <= {0, 3}
    assert (made.label[made.kind != LANDMARK] == -1).all()
    assert not (plan(setup, ViewCounts(0.0, 3, 17)).kind == GRID).any()


@pytest.mark.parametrize("jitter_mm", [JITTER_MM, 5.0, 0.0])
def test_landmark_views_are_within_the_jitter_of_their_landmark(setup, jitter_mm):
    centred = replace(setup, landmarks_mm=setup.landmarks_mm * [0.1, 0.1, 0.5] - [0, 150, 300])
    made = plan(centred, ViewCounts(0.0, 200, 0, jitter_mm))
    apart = made.position[:, :3] - centred.landmarks_mm[made.label]
    assert np.abs(apart).max() <= jitter_mm + 1e-9
    assert (np.abs(apart).max(axis=0) >= 0.95 * jitter_mm).all()


def test_the_grid_covers_the_ct_at_its_spacing(setup):
    made = plan(setup, ViewCounts(40.0, 0, 0), CIOS)
    made_of = made.kind == GRID
    points = plan(setup, ViewCounts(40.0, 0, 0), replace(CIOS, x_mm=(-9e3, 9e3), y_mm=(-9e3, 9e3), z_mm=(-9e3, 9e3)))
    inside = setup.patient_to_table.inverse().points(points.position[None, made_of, :3])[0]
    low, high = np.sort(setup.patient.volume.to_mm([np.zeros(3), np.array(setup.patient.volume.hu.shape) - 1]), axis=0)
    for axis in (0, 2):
        at = np.unique(np.round(inside[:, axis], 6))
        assert np.diff(at) == pytest.approx(40.0)
        assert low[axis] < at[0] <= low[axis] + 40.0
        assert high[axis] - 40.0 <= at[-1] < high[axis]
    assert inside[:, 1] == pytest.approx((low[1] + high[1]) / 2)


@pytest.mark.parametrize("preset", [ARTIS, CIOS])
def test_every_pose_is_within_the_travel_and_every_field_on_the_detector(setup, preset):
    made = plan(setup, ViewCounts(50.0, 5, 2000), preset)
    limits = preset.limits
    assert (made.position >= limits[:, 0]).all() and (made.position <= limits[:, 1]).all()
    full = np.array([p.full_field_mm for p in preset.planes])[made.plane]
    assert (made.field_mm >= MIN_FIELD_MM - 1e-9).all() and (made.field_mm <= full + 1e-9).all()
    assert made.plane.max() == len(preset.planes) - 1
    assert set(made.preset) <= {0, 1, 2, 3}


def test_one_generator_state_gives_one_plan(setup):
    counts = ViewCounts(100.0, 2, 50)
    first, again, other = (plan(setup, counts, seed=s) for s in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    assert (first.position != other.position).any()


def test_a_patient_without_target_has_landmark_views_only(setup):
    setup = replace(setup, target_mm=np.full(3, np.nan))
    made = plan(setup, ViewCounts(0.0, 2, 50))
    assert (made.kind == LANDMARK).all()
    assert len(made) == 2 * known(setup)


@pytest.mark.parametrize(
    "counts",
    [
        {"grid_mm": -1.0}, {"grid_mm": 4.9}, {"grid_mm": float("nan")}, {"grid_mm": 1e9}, {"landmark_views": -1},
        {"jitter_mm": -1.0}, {"jitter_mm": 201.0}, {"jitter_mm": float("nan")},
        {"drive_views": -5}, {"drive_views": 10_001}, {"landmark_views": 0, "drive_views": 0},
    ],
)  # fmt: skip
def test_bad_counts_are_refused(counts):
    with pytest.raises(CarmError, match="want"):
        ViewCounts(**counts)
