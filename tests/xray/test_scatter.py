"""Scatter ratios of the reference, their dependence on body, field and gap, modes and the anti-scatter grid."""

import json

import numpy as np
import pytest

from benchmarks import scatter_monte_carlo
from benchmarks.scatter_transport import SHAPES
from carm_env.xray import scatter
from carm_env.xray.chain import XrayChain
from carm_env.xray.collimation import collimate
from carm_env.xray.config import XrayConfig
from carm_env.xray.lookup import SIGNAL, beam_table, direct
from carm_env.xray.signal import expected
from carm_env.xray.spectra import mass_attenuation
from carm_env.xray.survey import survey
from tests.xray.frames import SIZE, generators, request, slab

RADII_CM = (8.0, 11.0, 15.0, 20.0)
MONTE_CARLO = {  # reference physics, section 4.3: gap and thickness in cm, ratios at RADII_CM
    (5, 12): (1.0, 1.3, 1.7, 1.9),
    (5, 20): (1.7, 2.4, 3.1, 3.7),
    (5, 28): (2.4, 3.5, 4.9, 6.1),
    (15, 12): (0.43, 0.66, 0.96, 1.3),
    (15, 20): (0.78, 1.2, 1.8, 2.5),
    (15, 28): (1.2, 1.9, 3.0, 4.2),
    (25, 12): (0.25, 0.39, 0.59, 0.85),
    (25, 20): (0.47, 0.74, 1.2, 1.7),
    (25, 28): (0.71, 1.2, 1.9, 2.8),
}
WATER_G_CM2 = 1 / scatter.WATER_PER_SOFT
RESULT = json.loads(scatter_monte_carlo.RESULT.read_text(encoding="utf-8"))


def look(frame, field_mm=214.0, mode="fast", sod=785.0, sid=1100.0):
    field = collimate((SIZE, SIZE), 300 / SIZE, sid / sod, field_mm)
    return survey(frame, field, sod, sid, 300 / SIZE, 1 / 3, mode)


@pytest.mark.parametrize(("gap_cm", "thickness_cm"), MONTE_CARLO)
def test_ratios_of_discs_are_the_monte_carlo_s_within_10_percent(gap_cm, thickness_cm):
    """Round fields on slabs of water, blocks of 0.5 cm. The table is another Monte Carlo's than the kernels'."""
    blocks, block_cm = 96, 0.5
    centres = (np.arange(blocks) - (blocks - 1) / 2) * block_cm
    kernel = scatter.kernels_at(gap_cm + thickness_cm / 2)
    thickness = np.full((blocks, blocks), float(thickness_cm))
    node = int(np.flatnonzero(thickness_cm == scatter.THICKNESS_CM)[0])
    ratios = []
    for radius in RADII_CM:
        layers = np.zeros((len(scatter.THICKNESS_CM), blocks, blocks))
        layers[node][np.hypot(*np.meshgrid(centres, centres)) <= radius] = 1.0
        haze = scatter.haze(layers, thickness, (block_cm, block_cm), kernel)
        ratios.append(haze[blocks // 2, blocks // 2])
    np.testing.assert_allclose(ratios, MONTE_CARLO[gap_cm, thickness_cm], rtol=0.10)


def test_kernels_are_those_of_the_committed_monte_carlo():
    for row in RESULT["slabs"]:
        g = int(np.flatnonzero(row["gap_cm"] == scatter.GAP_CM)[0])
        t = int(np.flatnonzero(row["thickness_cm"] == scatter.THICKNESS_CM)[0]) - 1
        np.testing.assert_allclose(scatter.KERNELS[g, t], row["kernel"], atol=0.006)


@pytest.mark.parametrize("row", RESULT["bodies"], ids=lambda r: f"{r['body']}-{r['thickness_cm']:g}-{r['field_cm']:g}")
def test_scatter_behind_round_bodies_is_the_monte_carlo_s_within_10_percent(row):
    """Their edges are thin and bright: without what the body's middle takes off it would be up to twice as much."""
    ours = scatter_monte_carlo.model(SHAPES.index(row["body"]), row["thickness_cm"], row["field_cm"])
    assert ours == pytest.approx(row["spr"], rel=0.10)


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("thickness_cm", [12.0, 20.0, 28.0])
def test_ratio_of_a_whole_chain_s_slab_is_the_table_s(thickness_cm, mode):
    """Square fields of the area of the table's discs, from line integrals; gaps between its own are interpolated."""
    sod, sid = 785.0, 1100.0
    exit_cm = sod / 10 + thickness_cm / 2
    gap = sid / 10 - exit_cm
    frame = slab(thickness_cm * WATER_G_CM2 / 1.06)[0]
    for radius in (8.0, 11.0):
        side_mm = np.sqrt(np.pi) * radius * 10 * sod / (exit_cm * 10)
        view = look(frame, side_mm, mode)
        curve = [MONTE_CARLO[g, int(thickness_cm)][RADII_CM.index(radius)] for g in (5, 15, 25)]
        assert view.spr == pytest.approx(np.interp(gap, (5, 15, 25), curve), rel=0.10)


def test_ratios_grow_with_body_and_field_and_fall_with_the_gap():
    assert np.all(np.diff([look(slab(t)[0]).spr for t in range(0, 41, 4)]) > 0)
    assert np.all(np.diff([look(slab(20)[0], f).spr for f in (30, 60, 100, 150, 214)]) > 0)
    assert np.all(np.diff([look(slab(20)[0], sid=s).spr for s in (920.0, 1000.0, 1100.0)]) < 0)


def test_air_scatters_nothing_and_metal_no_less_than_nothing():
    assert look(slab(0)[0]).spr == 0.0
    metal = slab(20)[0]
    metal[0] -= 40.0
    assert look(metal).spr >= 0.0


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_scatter_of_a_uniform_slab_reaches_the_signal_through_the_grid(mode):
    frame, config = slab(20, 1)[0], XrayConfig(scatter=mode)
    view = look(frame, mode=mode)
    relative, _ = expected(view, beam_table(77.0, 0.6), config)
    bare = np.exp(direct(77.0, 0.6, float(frame[0, 0, 0]), float(frame[1, 0, 0]))[SIGNAL])
    added = relative[44:84, 44:84].mean() / bare - 1
    assert added == pytest.approx(view.spr * config.grid_scatter, rel=0.02)
    assert relative[1, 1] < relative[64, 64]


def test_fast_and_full_agree_on_a_body_of_one_thickness_and_are_close_on_others():
    body = slab(20)[0]
    assert look(body, mode="fast").spr == pytest.approx(look(body, mode="full").spr, rel=0.01)
    body[0, :, 64:] *= 0.4
    assert look(body, mode="fast").spr == pytest.approx(look(body, mode="full").spr, rel=0.08)


def test_without_scatter_the_signal_is_the_primary_and_control_needs_more_tube_load():
    body, quiet = slab(20, 1), {"electronic_quanta": 0.0, "preset_ngy": (1e7,) * 4, "rate_limit_mgy_min": 1e6}
    off, fast = (
        XrayChain("lagged", XrayConfig(scatter=m, **quiet)).expose(body, request(), generators())
        for m in ("off", "fast")
    )
    assert off.signal.sum() < fast.signal.sum()
    frame = body[0]
    bare = np.exp(direct(77.0, 0.6, float(frame[0, 0, 0]), float(frame[1, 0, 0]))[SIGNAL])
    relative, _ = expected(look(frame, mode="off"), beam_table(77.0, 0.6), XrayConfig(scatter="off"))
    np.testing.assert_allclose(relative, bare, rtol=1e-3)
    doses = [
        XrayChain("ideal", XrayConfig(scatter=m)).expose(body, request(), generators()).ka_r_mgy[0]
        for m in ("off", "fast")
    ]
    assert doses[0] > 1.5 * doses[1]


def test_scatter_is_a_haze_that_lowers_contrast():
    body = slab(20)
    body[:, 1, 60:68, 60:68] = 2.0
    noiseless = XrayChain("ideal", XrayConfig(preset_ngy=(1e8,) * 4, electronic_quanta=0.0))
    wide, narrow = (noiseless.expose(body, request(field_mm=f), generators()).signal[0] for f in (214.0, 60.0))
    contrast = [1 - image[63:65, 63:65].mean() / image[63:65, 54:58].mean() for image in (wide, narrow)]
    assert contrast[0] < contrast[1] * 0.95


def test_beside_the_body_scatter_falls_off_and_the_open_beam_stays_what_it_is():
    frame = slab(20)[0]
    frame[:, :, 64:] = 0.0
    relative, _ = expected(look(frame), beam_table(77.0, 0.6), XrayConfig())
    air = relative[64, 70:] - 1.0
    assert 0.0 < air[-1] < air[0] < 0.02


def test_water_equivalents_follow_from_the_attenuation_at_60_kev():
    water = mass_attenuation("water", 60.0)
    assert float(water) == pytest.approx(scatter.MU_WATER, rel=1e-3)
    assert mass_attenuation("soft", 60.0) / water == pytest.approx(scatter.WATER_PER_SOFT, rel=2e-3)
    assert mass_attenuation("bone", 60.0) / water == pytest.approx(scatter.WATER_PER_BONE, rel=2e-3)
