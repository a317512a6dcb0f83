"""Organs of the abdomen: inside the cavity, on their sides, of human size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from carm_env.patient.anatomy import abdomen, domes, flesh
from carm_env.patient.anatomy.abdomen_cavity import draw_cavity
from carm_env.patient.anatomy.abdomen_hollow import hollow_parts
from carm_env.patient.anatomy.abdomen_solid import solid_parts
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.part import Part
from carm_env.patient.phantom import paint
from tests.patient.anatomy.probe import STILL

SPACING_MM = 6.0
SEEDS = (0, 3, 7, 12)


def _painted(build: Build, parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, labels and the position of voxel (0, 0, 0) of a coarse trunk."""
    low = np.array([-200.0, -230.0, build.symphysis[2] - 30.0])
    high = np.array([200.0, 190.0, build.z("T7")])
    shape = tuple(np.ceil((high - low) / SPACING_MM).astype(int) + 1)
    hu, labels = np.full(shape, -1000, np.int16), np.zeros(shape, np.uint8)
    paint(build, [*flesh.parts(build), *parts], STILL, low, SPACING_MM, hu, labels)
    return hu, labels, low


def _millilitres(labels: np.ndarray, *names: str) -> float:
    return float(np.isin(labels, [LABELS[n] for n in names]).sum() * SPACING_MM**3 / 1000.0)


def _middle(labels: np.ndarray, low: np.ndarray, name: str) -> np.ndarray:
    return np.argwhere(labels == LABELS[name]).mean(0) * SPACING_MM + low


@pytest.mark.parametrize("seed", SEEDS)
def test_organs_lie_on_their_sides_and_have_human_sizes(seed: int) -> None:
    build = draw_build(seed)
    hu, labels, low = _painted(build, abdomen.parts(build))
    assert 700.0 < _millilitres(labels, "liver") < 2500.0
    assert 40.0 < _millilitres(labels, "spleen") < 450.0
    for kidney in ("right_kidney", "left_kidney"):
        assert 55.0 < _millilitres(labels, kidney) < 270.0
    assert 30.0 < _millilitres(labels, "bladder") < 600.0
    assert _millilitres(labels, "bowel", "bowel_content", "bowel_gas") > 600.0
    for name, side in (
        ("liver", -1.0),
        ("right_kidney", -1.0),
        ("spleen", 1.0),
        ("left_kidney", 1.0),
        ("stomach", 1.0),
    ):
        assert side * _middle(labels, low, name)[0] > 15.0, name
    assert 25.0 < np.median(hu[labels == LABELS["spleen"]]) < 125.0
    assert np.median(hu[labels == LABELS["bowel_gas"]]) < -600.0


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_gas_of_the_stomach_lies_in_front_and_nothing_above_the_diaphragm(seed: int) -> None:
    build = draw_build(seed)
    cavity = draw_cavity(build)
    _, labels, low = _painted(build, [*solid_parts(build, cavity), *hollow_parts(build, cavity)])
    names = ("liver", "spleen", "stomach")
    at = np.argwhere(np.isin(labels, [LABELS[n] for n in names])) * SPACING_MM + low
    assert (at[:, 2] <= domes.heights(build, at[:, 0], at[:, 1]) + SPACING_MM).all()
    assert _middle(labels, low, "bowel_gas")[1] < _middle(labels, low, "stomach")[1] - 5.0


def test_extreme_bodies_do_not_crash() -> None:
    for seed, sex, height, bmi, age in (
        (1, "F", 1400.0, 17.0, 90.0),
        (2, "M", 2050.0, 48.0, 20.0),
        (3, "F", 1450.0, 48.0, 60.0),
    ):
        build = draw_build(seed)
        build = replace(build, person=replace(build.person, sex=sex, height_mm=height, bmi=bmi, age_years=age))
        parts = abdomen.parts(build)
        assert all(np.isfinite(s.row).all() for p in parts for s in p.shapes)
        assert sum(len(p.shapes) for p in parts) < 700


def test_the_same_seed_gives_the_same_organs() -> None:
    first, second = (abdomen.parts(draw_build(5)) for _ in range(2))
    assert all(
        np.array_equal(a.row, b.row)
        for p, q in zip(first, second, strict=True)
        for a, b in zip(p.shapes, q.shapes, strict=True)
    )
