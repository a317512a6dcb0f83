"""Devices: each by its own chance, where it belongs, of metal's density, nothing beside the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carm_env.patient.anatomy import devices, spine_sizes
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.device_sites import Site, thin
from carm_env.patient.anatomy.device_skin import STEP_MM
from carm_env.patient.anatomy.part import Part

SEEDS = range(4)
BUILDS = {seed: draw_build(seed) for seed in SEEDS}
SITES = {seed: Site(build) for seed, build in BUILDS.items()}
KINDS = {device.name: device for device in devices.DEVICES}


def made(name: str, seed: int) -> list[Part]:
    rng = BUILDS[seed].rng(f"device {name}")
    rng.random()
    return KINDS[name].make(SITES[seed], rng)


def points(parts: list[Part]) -> np.ndarray:
    """First points of all shapes [K, 3]."""
    return np.array([shape.row[9:12] for part in parts for shape in part.shapes])


@pytest.mark.parametrize("name", KINDS)
def test_every_device_can_be_made_and_is_labelled(name) -> None:
    label = "table" if name in ("table", "headrest") else "device"
    count = 0
    for seed in SEEDS:
        for part in made(name, seed):
            count += 1
            assert part.label == label or (name == "hip joint" and part.label == "muscle")
            assert -1024.0 <= part.hu <= 16000.0
            assert np.isfinite([shape.row for shape in part.shapes]).all()
    assert count


@pytest.mark.parametrize("extreme", [(17.0, 1400.0, 90.0), (48.0, 2050.0, 20.0)])
def test_extreme_people_do_not_break_them(extreme) -> None:
    bmi, height, age = extreme
    build = BUILDS[1]
    person = replace(build.person, bmi=bmi, height_mm=height, age_years=age)
    site = Site(replace(build, person=person, fat_mm=4.0 if bmi < 20 else 55.0))
    for device in devices.DEVICES:
        device.make(site, build.rng(device.name))


def test_devices_come_as_often_as_the_table_says() -> None:
    build = BUILDS[0]
    people = [replace(build, seed=seed) for seed in range(80)]
    for device in devices.DEVICES:
        share = np.mean([device in devices.worn(person) for person in people])
        likely = device.likely(build.person)
        if device.unless:
            likely *= 1.0 - KINDS[device.unless].likely(build.person)
        assert share == pytest.approx(likely, abs=4.0 * np.sqrt(likely * (1 - likely) / 80) + 1e-9), device.name


def test_one_device_more_does_not_change_the_others(monkeypatch) -> None:
    monkeypatch.setattr(devices, "worn", lambda _: [KINDS["port"], KINDS["coils"]])
    both = devices.parts(BUILDS[2])
    monkeypatch.setattr(devices, "worn", lambda _: [KINDS["coils"]])
    alone = devices.parts(BUILDS[2])
    np.testing.assert_array_equal(points(both)[-len(points(alone)) :], points(alone))


def test_leads_do_not_enlarge_the_grid() -> None:
    for seed in SEEDS:
        skin = SITES[seed].skin
        low = skin.low + STEP_MM
        high = skin.low + STEP_MM * (np.array(skin.hu.shape) - 2)
        for name in KINDS:
            if name in ("table", "headrest"):
                continue
            found = [s.row for part in made(name, seed) for s in part.shapes if s.row[1] == 0.0]
            if name in ("tracheal tube", "stomach tube", "coils", "arterial catheter", "oximeter") or not found:
                continue
            rows = np.array(found)
            assert (rows[:, 3:5].min(0) > low[:2] - 30.0).all(), (name, seed)
            assert (rows[:, 6:8].max(0) < high[:2] + 30.0).all(), (name, seed)


def test_electrodes_lie_on_the_skin() -> None:
    for seed in SEEDS:
        parts = made("electrocardiogram", seed)
        skin = SITES[seed].skin
        pads = points(parts[:1])
        inside, outside = skin.at(pads + np.array([0.0, 6.0, 0.0])), skin.at(pads - np.array([0.0, 9.0, 0.0]))
        assert (inside > -700.0).mean() > 0.7, seed
        assert (outside < -500.0).mean() > 0.7, seed


def test_pacemakers_lie_under_the_skin_and_their_leads_end_in_the_heart() -> None:
    for seed in SEEDS:
        build: Build = BUILDS[seed]
        parts = made("pacemaker", seed)
        can = parts[1].shapes[0].row[9:12]
        assert SITES[seed].skin.at(can[None])[0] > -300.0
        tips = [p.shapes[0].row[12:15] for p in parts if p.hu == 16000.0]
        assert tips
        for tip in tips:
            assert build.z("T11") - 10.0 < tip[2] < build.z("T4"), seed


def test_screws_run_through_the_pedicles() -> None:
    for seed in SEEDS:
        screws = made("spinal fusion", seed)[0].shapes
        spine = {v.level: v for v in spine_sizes.vertebrae(BUILDS[seed])}
        for screw in screws:
            a, b = screw.row[9:12], screw.row[12:15]
            v = min(spine.values(), key=lambda u: float(np.linalg.norm(u.centre - b)))
            start, tip = ((p - v.centre) @ v.turn for p in (a, b))
            share = (v.back + 4.0 - start[1]) / (tip[1] - start[1])
            x = abs(start[0] + share * (tip[0] - start[0]))
            middle = 0.5 * (v.canal_width + v.pedicle_width)
            assert abs(x - middle) < 0.45 * v.pedicle_width + 1.0, (seed, v.level)
            assert abs(tip[0]) < 0.5 * v.width_up and abs(tip[1]) < 0.5 * v.depth


def test_the_stem_of_a_hip_joint_stays_in_the_shaft() -> None:
    for seed in SEEDS:
        parts = made("hip joint", seed)
        ball = parts[-1].shapes[0].row[9:12]
        assert np.linalg.norm(np.abs(ball) - np.abs(BUILDS[seed].hip)) < 4.0
        assert 13.0 < parts[-1].shapes[0].row[18] < 30.0


def test_test_patients_have_other_makes() -> None:
    sizes: dict[str, list[float]] = {"train": [], "test": []}
    for seed in range(60):
        build = draw_build(seed)
        if build.split in sizes:
            sizes[build.split].append(Site(build).size(0.0, 1.0))
    assert min(sizes["train"]) >= 0.0
    assert not set(np.round(sizes["train"], 2)) & set(np.round(sizes["test"], 2))


def test_thin_wires_keep_their_mass() -> None:
    assert thin(12000.0, 0.5) < 12000.0
    assert thin(7500.0, 2.0) == 7500.0
