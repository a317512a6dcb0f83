"""The head: landmarks where the label volume says, sides right, sizes within human ranges, no crash at the extremes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carm_env.patient.anatomy import head, head_vault
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.field import draw_field
from carm_env.patient.anatomy.head_frame import draw_head
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.painter import STILL, paint
from carm_env.patient.anatomy.part import tissue
from carm_env.patient.anatomy.shapes import rotation
from tests.patient.anatomy import probe

HOME = {"skull": {"brain", "ventricle"}, "sella": {"pituitary"}, "right_eye_lens": {"right_eye_lens"},
        "left_eye_lens": {"left_eye_lens"}}  # fmt: skip


def upright(seed: int) -> Build:
    """A body whose head is not turned."""
    return replace(draw_build(seed), head_turn=rotation())


def line(build: Build, start: tuple[float, float, float], step: tuple[float, float, float], count: int) -> np.ndarray:
    """Labels at ``count`` points of the head, from ``start`` in steps (head mm)."""
    parts = head.parts(build)
    along, size = int(np.argmax(np.abs(step))), [1, 1, 1]
    size[along] = count
    first = build.head(np.array(start) + (0.0 if step[along] > 0 else np.array(step) * (count - 1)))
    hu, labels = np.full(size, -1000, np.int16), np.zeros(size, np.uint8)
    paint(parts, STILL, first, abs(step[along]) * build.head_scale, hu, labels)
    found = labels.ravel()
    return found if step[along] > 0 else found[::-1]


@pytest.mark.parametrize("seed", range(0, 40, 3))
def test_landmarks_lie_in_what_they_name(seed: int) -> None:
    build = draw_build(seed)
    parts = head.parts(build)
    for name, point in head.points(build).items():
        assert probe.organ(build, parts, point) in HOME[name], name


def test_right_is_on_the_patients_right() -> None:
    points = head.points(upright(1))
    assert points["right_eye_lens"][0] < points["skull"][0] < points["left_eye_lens"][0]
    assert points["left_eye_lens"][1] < points["sella"][1] < points["skull"][1] + 5.0
    assert 55.0 < points["left_eye_lens"][0] - points["right_eye_lens"][0] < 75.0


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_braincase_has_human_size(seed: int) -> None:
    """Length 160 to 205 mm, breadth 125 to 165 mm, vault 3 to 12 mm thick."""
    build = upright(seed)
    scale = build.head_scale
    bone = LABELS["skull"]
    sagittal = np.nonzero(line(build, (12.0, -125.0, -2.0), (0.0, 1.0, 0.0), 250) == bone)[0]
    coronal = np.nonzero(line(build, (-95.0, 12.0, 4.0), (1.0, 0.0, 0.0), 190) == bone)[0]
    assert 160.0 < np.ptp(sagittal) * scale < 205.0
    assert 125.0 < np.ptp(coronal) * scale < 165.0
    assert 3.0 <= (coronal < 95).sum() * scale <= 12.0


@pytest.mark.parametrize("seed", [0, 2, 4, 6])
def test_cavity_has_human_volume(seed: int) -> None:
    """Intracranial volume 1.0 to 1.95 litres."""
    build = upright(seed)
    brain = tissue("brain", [head_vault.braincase(draw_head(build)).cavity], 35.0)
    hu, labels = np.full((44, 54, 44), -1000, np.int16), np.zeros((44, 54, 44), np.uint8)
    paint([brain], STILL, build.head((0.0, 0.0, 0.0)) - [86.0, 110.0, 84.0], 4.0, hu, labels)
    assert 1.0 < (labels > 0).sum() * 64e-6 < 1.95


def test_mouth_and_jaw_lie_below_the_nose_and_in_front_of_the_spine() -> None:
    build = upright(2)
    hu, labels = np.full((70, 70, 90), -1000, np.int16), np.zeros((70, 70, 90), np.uint8)
    paint(head.parts(build), STILL, build.head((-70.0, -120.0, -165.0)), 2.0, hu, labels)
    middle = {name: np.argwhere(labels == LABELS[name]).mean(0) for name in ("mandible", "teeth", "tongue", "sinus")}
    assert middle["mandible"][2] < middle["teeth"][2] + 6.0 < middle["sinus"][2]
    assert middle["teeth"][1] < middle["tongue"][1]
    assert abs(middle["mandible"][0] - 35.0) < 3.0
    spine = (build.vertebrae["C3"] - build.head((-70.0, -120.0, -165.0))) / 2.0
    assert np.argwhere(labels == LABELS["mandible"])[:, 1].max() < spine[1]


@pytest.mark.parametrize(("age", "height", "bmi"), [(20.0, 1400.0, 17.0), (90.0, 2050.0, 48.0), (90.0, 1400.0, 48.0)])
def test_extremes_do_not_crash(age: float, height: float, bmi: float) -> None:
    build = draw_build(7)
    person = replace(build.person, age_years=age, height_mm=height, bmi=bmi)
    build = replace(build, person=person, fat_mm=60.0 if bmi > 40.0 else 4.0, width=(height / 1700.0) ** 0.8)
    parts = head.parts(build)
    low = build.head((0.0, 0.0, 0.0)) - [100.0, 130.0, 170.0]
    field = draw_field(build.rng("field"), low, low + 260.0)
    hu, labels = np.full((40, 44, 50), -1000, np.int16), np.zeros((40, 44, 50), np.uint8)
    paint(parts, field, low, 5.0, hu, labels)
    assert {LABELS[name] for name in ("skull", "mandible", "brain", "airway", "skin")} <= set(np.unique(labels))
    assert np.isfinite(np.concatenate([s.row for p in parts for s in p.shapes])).all()
