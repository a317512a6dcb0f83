"""Figures of a localiser."""

from __future__ import annotations

import json

import numpy as np
import pytest

from perception.data.views import DRIVE, LANDMARK
from perception.quality import measure as module
from perception.quality.calibrate import Calibration
from perception.quality.measure import clustered, f1, in_short, measure
from tests.perception.quality.synthetic import answers


def no_nan(constant):
    raise AssertionError(f"{constant} in JSON")


def plain(figures):
    return json.loads(json.dumps(figures), parse_constant=no_nan)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "RESAMPLES", 20)


def test_f1_by_hand():
    got = f1([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0], 4)
    assert got["micro"] == pytest.approx(4 / 6)
    assert got["macro"] == pytest.approx(np.mean([2 * 1 / 4, 2 * 1 / 3, 2 * 2 / 5]))
    assert f1([1, 1], [1, 1], 3) == {"micro": 1.0, "macro": 1.0}
    assert f1([0, 0], [1, 1], 3) == {"micro": 0.0, "macro": 0.0}


def test_intervals_draw_whole_patients():
    patient = np.repeat(np.arange(10), 100)
    same = np.repeat(np.random.default_rng(0).normal(size=10), 100)
    apart = np.random.default_rng(0).normal(size=1000)
    width = [np.diff(clustered(v, patient, np.mean)[1:])[0] for v in (same, apart)]
    assert width[0] == pytest.approx(2 * 1.96 * same.std() / np.sqrt(10), rel=0.25)
    assert width[1] < 0.3 * width[0]
    value, low, high = clustered(same, patient, np.mean)
    assert value == pytest.approx(same.mean()) and low < value < high


def test_of_one_patient_the_interval_has_no_width_and_of_none_no_numbers():
    value, low, high = clustered(np.arange(5.0), np.zeros(5, int), np.median)
    assert value == low == high == 2.0
    assert clustered(np.zeros(0), np.zeros(0, int), np.mean) == [None, None, None]


def test_figures_of_known_answers(quick):
    made = answers(800)
    figures = plain(measure(made, Calibration()))
    assert figures["views"] == 800 and figures["patients"] == 8 and figures["valid"] == 1.0
    landmark = made.kind == LANDMARK
    right = made.nearest.argmax(1) == made.is_nearest
    assert figures["nearest_landmark"]["micro_f1"][0] == pytest.approx(right[landmark].mean())
    error = np.linalg.norm(made.mean_mm[:, 20] - made.true_mm[:, 20, :2], axis=1)
    seen = made.is_visible[:, 20]
    for name, chosen in (("in_field", seen), ("outside", ~seen), ("in_field_b", seen & (made.plane == 1))):
        assert figures["target"][name]["views"] == chosen.sum()
        assert figures["target"][name]["median_mm"][0] == pytest.approx(np.median(error[chosen]))
        assert figures["target"][name]["p95_mm"][0] == pytest.approx(np.percentile(error[chosen], 95))
    near = np.linalg.norm(made.true_mm[:, 20], axis=1) <= 40
    assert figures["target"]["within_40mm"]["views"] == near.sum()


def test_a_patients_row_agrees_with_the_figures_of_that_patient_alone(quick):
    made = answers(400)
    alone = made.where(made.patient == 0)
    row, figures = plain(in_short(alone)), measure(alone, Calibration())
    assert row["landmark_views"] == figures["nearest_landmark"]["views"]
    assert row["nearest_micro_f1"] == pytest.approx(figures["nearest_landmark"]["micro_f1"][0], abs=1e-4)
    assert row["visible_micro_f1"] == pytest.approx(figures["visible_landmarks"]["micro_f1"], abs=1e-4)
    for name in ("everywhere", "within_40mm", "in_field", "outside"):
        assert row[f"{name}_views"] == figures["target"][name]["views"]
        for what in ("median_mm", "p95_mm"):
            assert row[f"{name}_{what}"] == pytest.approx(figures["target"][name][what][0], abs=0.01)


def test_a_patients_row_holds_none_where_no_view_is():
    nothing = answers(40).where(np.zeros(40, bool))
    row = plain(in_short(nothing))
    assert row["views"] == 0
    assert row["nearest_micro_f1"] is None and row["in_field_median_mm"] is None


def test_visible_landmarks_by_hand(quick):
    logits, seen = -np.ones((200, 21)), np.zeros((200, 21), bool)
    logits[:, :4], seen[:, 2:8] = 1.0, True
    figures = measure(answers(200, visible=logits, is_visible=seen), Calibration())
    assert figures["visible_landmarks"]["micro_f1"] == pytest.approx(2 * 2 / (4 + 6))


@pytest.mark.parametrize(
    "changes",
    [
        {"true_mm": np.full((120, 21, 3), np.nan)}, {"is_nearest": np.full(120, -1)}, {"kind": np.full(120, DRIVE)},
        {"is_visible": np.zeros((120, 21), bool), "visible": np.full((120, 21), -5.0)}, {"plane": np.zeros(120, int)},
        {"patient": np.zeros(120, int)}, {"valid": np.full(120, -3.0)},
    ],
)  # fmt: skip
def test_figures_are_json_without_nan_whatever_is_missing(changes, quick):
    plain(measure(answers(120, **changes), Calibration()))
