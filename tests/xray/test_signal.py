"""Noise that follows the dose, independence of the batch, the mask, scatter."""

import numpy as np
import pytest

from carm_env.xray import scatter
from carm_env.xray.chain import ELECTRONIC_QUANTA, XrayChain
from carm_env.xray.collimation import collimate
from tests.xray.frames import SIZE, generators, locked, request, slab


def middle(image: np.ndarray) -> np.ndarray:
    """The part over which scatter is flat enough to call the phantom uniform."""
    return image[..., 56:72, 56:72].astype(float)


def noise_of(k_ngy: float, body: np.ndarray, electronic: float = 0.0, frames: int = 40) -> tuple[float, float, float]:
    """Detector kerma, mean and variance over repeated frames of a signal in units of nGy."""
    chain = XrayChain("ideal", preset_ngy=(1.0, 2.0, k_ngy, 4.0), electronic_quanta=electronic)
    taken = chain.expose(np.repeat(body, frames, 0), request(frames), generators(frames))
    signal = middle(taken.signal) * k_ngy
    return float(taken.k_detector_ngy[0]), float(signal.mean()), float(signal.var(axis=0, ddof=1).mean())


def test_noise_variance_is_proportional_to_mean_from_1_to_100_ngy():
    """One beam quality over the whole range; the least tube load makes the lowest kerma 1.1 nGy."""
    kerma, mean, variance = np.array([noise_of(k, slab(20, 0.8)) for k in (1.0, 3.0, 10.0, 30.0, 100.0)]).T
    assert kerma[0] < 1.2
    assert kerma[-1] > 99.9
    np.testing.assert_allclose(mean / kerma, (mean / kerma).mean(), rtol=0.01)
    np.testing.assert_allclose(variance / mean, (variance / mean).mean(), rtol=0.03)


def test_noise_is_that_of_the_reported_quanta():
    """Relative variance = 1 / (quanta in a pixel), times the width of the spectrum over the light factor."""
    chain = XrayChain("ideal", electronic_quanta=0.0)
    taken = chain.expose(slab(20, 1, 150), request(150), generators(150))
    signal = middle(taken.signal)
    pixel = taken.quanta[0] * (300.0 / SIZE) ** 2
    relative = (signal.var(axis=0, ddof=1) / signal.mean(axis=0) ** 2).mean()
    assert relative * pixel == pytest.approx(1.013 / 0.9, rel=0.025)


def test_noise_follows_the_tube_load():
    chain = XrayChain("lagged", electronic_quanta=0.0)
    relative = []
    for mas in (0.1, 0.4, 1.6):
        signal = middle(chain.expose(slab(16, 1, 30), request(30, previous=locked(30, mas=mas)), generators(30)).signal)
        relative.append((signal.std(axis=0, ddof=1) / signal.mean(axis=0)).mean())
    np.testing.assert_allclose(relative, relative[0] / np.array([1, 2, 4]), rtol=0.03)


def test_electronic_noise_adds_a_constant_variance_and_matters_at_low_dose():
    gained = []
    for k_ngy in (3.0, 60.0):
        quiet, loud = (noise_of(k_ngy, slab(20, 0.8), electronic)[2] for electronic in (0.0, ELECTRONIC_QUANTA))
        gained.append((loud - quiet, (loud - quiet) / quiet))
    assert gained[0][0] == pytest.approx(gained[1][0], rel=0.25)
    assert gained[0][1] > 1.0
    assert gained[1][1] < 0.1


def test_signal_1_is_the_open_beam_at_the_preset_s_kerma():
    chain = XrayChain("lagged", electronic_quanta=0.0)
    taken = chain.expose(slab(0.0), request(previous=locked(mas=0.2)), generators())
    assert middle(taken.signal).mean() == pytest.approx(taken.k_detector_ngy[0] / 30.0, rel=2e-3)


def test_frames_do_not_depend_on_their_batch():
    rng = np.random.default_rng(0)
    body = rng.uniform(0, 30, (6, 2, 64, 64)).astype(np.float32) * np.array([1, 0.1], np.float32)[:, None, None]
    fields, presets = np.array([60.0, 214, 100, 150, 400, 90]), np.array([0, 1, 2, 3, 2, 2])
    order = np.array([3, 0, 5, 1, 4, 2])
    chain = XrayChain()
    whole = chain.expose(body, request(6, 64, field_mm=fields, preset=presets), generators(6))
    mixed = chain.expose(
        body[order], request(6, 64, field_mm=fields[order], preset=presets[order]), [generators(6)[i] for i in order]
    )
    for i in range(6):
        alone = chain.expose(body[i : i + 1], request(1, 64, field_mm=fields[i], preset=presets[i]), [generators(6)[i]])
        at = int(np.flatnonzero(order == i)[0])
        for other, row in ((alone, 0), (mixed, at)):
            np.testing.assert_array_equal(other.signal[row], whole.signal[i])
            np.testing.assert_array_equal(other.mask[row], whole.mask[i])
            for name in ("ka_r_mgy", "kap_gycm2", "k_detector_ngy", "quanta", "limited"):
                assert getattr(other, name)[row] == getattr(whole, name)[i]


def test_two_techniques_meet_the_same_noise_field():
    chain = XrayChain("ideal", electronic_quanta=0.0)
    fields = []
    for preset in (1, 3):
        taken = chain.expose(slab(16, 1), request(preset=preset), generators())
        clean = chain.expose(slab(16, 1, 200, 128), request(200, preset=preset), generators(200, seed=99)).signal
        noise = middle(taken.signal)[0] - middle(clean).mean(axis=0)
        fields.append(noise.ravel() / noise.std())
    assert np.corrcoef(fields)[0, 1] > 0.98


def test_every_frame_draws_two_normals_a_pixel_whatever_its_field():
    used, expected = generators(2), generators(2)
    XrayChain().expose(slab(16, 0, 2), request(2, field_mm=np.array([60.0, 400.0])), used)
    for rng in expected:
        for _ in range(2):
            rng.standard_normal((SIZE, SIZE), np.float32)
    assert [rng.integers(2**62) for rng in used] == [rng.integers(2**62) for rng in expected]


@pytest.mark.parametrize("field_mm", [60.0, 100.0, 157.3, 214.0])
def test_mask_is_the_magnified_square_field(field_mm):
    taken = XrayChain().expose(slab(10), request(field_mm=field_mm), generators())
    offset = (np.arange(SIZE) - (SIZE - 1) / 2) * 300.0 / SIZE
    inside = np.abs(offset) <= field_mm * 1100.0 / 785.0 / 2
    np.testing.assert_array_equal(taken.mask[0], inside[:, None] & inside)
    assert not taken.signal[0][~taken.mask[0]].any()
    assert (taken.signal[0][taken.mask[0]] > 0).mean() > 0.99


def test_a_rectangular_detector_clips_each_side_alone():
    field = collimate((64, 128), 2.0, 1.25, 160.0)
    assert (field.r0, field.r1, field.height_mm, field.width_mm) == (0, 64, 128.0, 200.0)
    assert field.c1 - field.c0 == 100


def test_scatter_ratios_are_the_reference_s_and_grow_with_body_and_field():
    curve = scatter.spr_by_thickness(15.0, 15.0)
    np.testing.assert_allclose(scatter.spr(curve, [12, 20, 28]), [0.96, 1.8, 3.0])
    assert scatter.spr(scatter.spr_by_thickness(11.0, 25.0), 20.0) == pytest.approx(0.74)
    assert np.all(np.diff(scatter.spr(curve, np.linspace(0, 40, 81))) > 0)
    at_20 = [scatter.spr(scatter.spr_by_thickness(r, 20.0), 20.0) for r in (0, 4, 8, 12, 18)]
    assert at_20[0] == 0.0
    assert np.all(np.diff(at_20) > 0)


def test_scatter_is_a_haze_that_lowers_contrast_and_spares_the_open_beam():
    body = slab(20)
    body[:, 1, 60:68, 60:68] = 2.0
    noiseless = XrayChain("ideal", preset_ngy=(1e9,) * 4, electronic_quanta=0.0)
    wide, narrow = (noiseless.expose(body, request(field_mm=f), generators()).signal[0] for f in (214.0, 60.0))
    contrast = [1 - image[63:65, 63:65].mean() / image[63:65, 54:58].mean() for image in (wide, narrow)]
    assert contrast[0] < contrast[1] * 0.95


def test_scatter_of_a_uniform_slab_is_the_table_s_at_the_centre():
    from carm_env.xray import survey as surveys
    from carm_env.xray.lookup import SIGNAL, beam_table, direct
    from carm_env.xray.signal import expected

    frame = slab(20, 1)[0]
    view = surveys.survey(frame, collimate((SIZE, SIZE), 300 / SIZE, 1100 / 785, 214.0), 785.0, 1100.0, 300 / SIZE)
    relative, _ = expected(view, beam_table(77.0, 0.6))
    bare = np.exp(direct(77.0, 0.6, float(frame[0, 0, 0]), float(frame[1, 0, 0]))[SIGNAL])
    added = relative[62:66, 62:66].mean() / bare - 1
    assert added == pytest.approx(view.spr * scatter.GRID_SCATTER_OVER_PRIMARY, rel=0.02)
    assert 0.8 < view.spr < 2.0
    assert relative[1, 1] < relative[64, 64]


def test_water_equivalents_follow_from_the_attenuation_at_60_kev():
    from carm_env.xray.spectra import mass_attenuation

    water = mass_attenuation("water", 60.0)
    assert mass_attenuation("soft", 60.0) / water == pytest.approx(scatter.WATER_PER_SOFT, rel=2e-3)
    assert mass_attenuation("bone", 60.0) / water == pytest.approx(scatter.WATER_PER_BONE, rel=2e-3)
