"""The trunk's outline: weight, bones and organs inside it, and what lies where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carm_env.patient import phantom
from carm_env.patient.anatomy import cage, flesh
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.flesh_outline import ANGLES, ROUNDED_MM, draw_outline, mass_kg
from carm_env.patient.anatomy.shapes import vec
from tests.patient.anatomy.probe import organ

SEEDS = range(0, 20)


def _extreme(seed: int, bmi: float, height_mm: float, age: float) -> Build:
    build = draw_build(seed)
    return replace(build, person=replace(build.person, bmi=bmi, height_mm=height_mm, age_years=age))


def test_estimated_mass_is_the_weight() -> None:
    for seed in SEEDS:
        build = draw_build(seed)
        assert mass_kg(build, draw_outline(build)) == pytest.approx(build.person.weight_kg, rel=0.04)


def test_muscle_covers_the_ribs_and_skin_the_muscle() -> None:
    angles = np.linspace(-np.pi, np.pi, 24, endpoint=False)
    for seed in SEEDS:
        build = draw_build(seed)
        outline = draw_outline(build)
        closed = outline.z > outline.z[0] + ROUNDED_MM
        assert (outline.skin - outline.muscle >= 2.0)[closed].all()
        muscle = replace(outline, skin=outline.muscle)
        for level in ("T4", "T6", "T8"):
            wall = cage.wall(build, build.z(level), angles)
            assert muscle.clearance(wall).max() < -1.0


def test_hips_shoulders_and_chest_are_human() -> None:
    for seed in SEEDS:
        build = draw_build(seed)
        o = draw_outline(build)
        width = (o.skin[:, 0] + o.skin[:, len(ANGLES) // 2]) / build.person.height_mm
        at = lambda z: float(np.interp(z, o.z, width))  # noqa: B023
        assert 0.17 < at(build.hip[2]) < 0.36
        assert 0.13 < at(build.z("L3")) < 0.36
        assert 0.05 < at(build.z("C4") + 8.0) < 0.13


def test_women_carry_more_fat_on_the_hips_than_men() -> None:
    share: dict[str, list[float]] = {"F": [], "M": []}
    for seed in SEEDS:
        build = draw_build(seed)
        o = draw_outline(build)
        hip, belly = (int(np.argmin(np.abs(o.z - z))) for z in (build.hip[2], build.z("L3")))
        share[build.person.sex].append(float((o.skin - o.muscle)[hip, 0] / (o.skin - o.muscle)[belly, 0]))
    assert np.mean(share["F"]) > 1.2 * np.mean(share["M"])


def test_psoas_lies_in_fat_beside_the_spine() -> None:
    for seed in range(0, 6):
        build = draw_build(seed)
        parts = flesh.parts(build)
        low = build.vertebrae["L4"]
        for side in (-1.0, 1.0):
            assert organ(build, parts, low + vec(side * 42.0, 0.0, 0.0)) == "muscle"
        assert organ(build, parts, low + vec(0.0, -45.0 * build.width, 0.0)) == "peritoneum"
        assert organ(build, parts, low + vec(0.0, -400.0, 0.0)) == "background"


@pytest.mark.parametrize("seed", [2, 6])
def test_extremes_have_a_body(seed: int) -> None:
    for bmi in (17.0, 48.0):
        for height in (1400.0, 2050.0):
            for age in (20.0, 90.0):
                parts = flesh.parts(_extreme(seed, bmi, height, age))
                assert all(np.isfinite(s.row).all() for part in parts for s in part.shapes)
                assert all(np.isfinite(s.table).all() for part in parts for s in part.shapes if s.table is not None)


@pytest.mark.slow
def test_painted_mass_is_the_weight() -> None:
    for seed in range(0, 12):
        build = draw_build(seed)
        patient = phantom.make_phantom(seed, 8.0)
        hu = np.where(patient.labels == phantom_table(), -1000, patient.volume.hu)
        kg = np.clip(1.0 + hu / 1000.0, 0.0, 2.5).sum() * 8.0**3 * 1e-6 + 0.17 * build.person.weight_kg
        assert kg == pytest.approx(build.person.weight_kg, rel=0.08), seed


def phantom_table() -> int:
    """Label id of the table."""
    from carm_env.patient.anatomy.labels import LABELS

    return LABELS["table"]
