"""Noise that follows the dose, blur, independence of the batch, the mask."""

import numpy as np
import pytest

from carm_env.xray.chain import XrayChain
from carm_env.xray.collimation import collimate
from carm_env.xray.config import XrayConfig
from carm_env.xray.signal import blur_taps
from tests.xray.frames import SIZE, generators, locked, request, slab

QUIET = XrayConfig(electronic_quanta=0.0)


def middle(image: np.ndarray) -> np.ndarray:
    """The part over which scatter is flat enough to call the phantom uniform."""
    return image[..., 56:72, 56:72].astype(float)


def noise_of(k_ngy: float, body: np.ndarray, electronic: float = 0.0, frames: int = 40) -> tuple[float, float, float]:
    """Detector kerma, mean and variance over repeated frames of a signal in units of nGy, of one beam quality."""
    chain = XrayChain("lagged", XrayConfig(preset_ngy=(1.0, 2.0, k_ngy, 4.0), electronic_quanta=electronic))
    per_mas = chain.expose(body, request(previous=locked(mas=1.0)), generators()).k_detector_ngy[0]
    previous = locked(frames, mas=k_ngy / per_mas)
    taken = chain.expose(np.repeat(body, frames, 0), request(frames, previous=previous), generators(frames))
    signal = middle(taken.signal) * k_ngy
    return float(taken.k_detector_ngy[0]), float(signal.mean()), float(signal.var(axis=0, ddof=1).mean())


def test_noise_variance_is_proportional_to_mean_from_1_to_100_ngy():
    wanted = (1.0, 3.0, 10.0, 30.0, 100.0)
    kerma, mean, variance = np.array([noise_of(k, slab(20, 0.8)) for k in wanted]).T
    np.testing.assert_allclose(kerma, wanted, rtol=1e-6)
    np.testing.assert_allclose(mean / kerma, (mean / kerma).mean(), rtol=0.01)
    np.testing.assert_allclose(variance / mean, (variance / mean).mean(), rtol=0.03)


def test_noise_is_that_of_the_reported_quanta():
    """Relative variance = 1 / (quanta in a pixel), times the width of the spectrum over the light factor."""
    chain = XrayChain("ideal", XrayConfig(electronic_quanta=0.0, screen_blur_mm=0.0))
    taken = chain.expose(slab(20, 1, 150), request(150), generators(150))
    signal = middle(taken.signal)
    pixel = taken.quanta[0] * (300.0 / SIZE) ** 2
    relative = (signal.var(axis=0, ddof=1) / signal.mean(axis=0) ** 2).mean()
    assert relative * pixel == pytest.approx(1.013 / 0.9, rel=0.025)


def test_noise_follows_the_tube_load():
    chain = XrayChain("lagged", QUIET)
    relative = []
    for mas in (0.1, 0.4, 1.6):
        signal = middle(chain.expose(slab(16, 1, 30), request(30, previous=locked(30, mas=mas)), generators(30)).signal)
        relative.append((signal.std(axis=0, ddof=1) / signal.mean(axis=0)).mean())
    np.testing.assert_allclose(relative, relative[0] / np.array([1, 2, 4]), rtol=0.03)


def test_electronic_noise_adds_a_constant_variance_and_matters_at_low_dose():
    gained = []
    for k_ngy in (3.0, 60.0):
        quanta = (0.0, XrayConfig().electronic_quanta)
        quiet, loud = (noise_of(k_ngy, slab(20, 0.8), electronic)[2] for electronic in quanta)
        gained.append((loud - quiet, (loud - quiet) / quiet))
    assert gained[0][0] == pytest.approx(gained[1][0], rel=0.25)
    assert gained[0][1] > 1.0
    assert gained[1][1] < 0.1


def test_signal_1_is_the_open_beam_at_the_preset_s_kerma():
    chain = XrayChain("lagged", QUIET)
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
    chain = XrayChain("ideal", QUIET)
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


@pytest.mark.parametrize(("pitch_mm", "variance_mm2"), [(0.154, 0.15**2 + 0.154**2 / 6), (2.34, 0.15 * 2.34 * 0.798)])
def test_blur_keeps_the_signal_and_spreads_it_by_the_light_s_and_the_pixel_s_width(pitch_mm, variance_mm2):
    """Gathering by pixels adds pitch^2 / 6 to a wide spread; of a narrow one only what crosses a border moves."""
    taps = blur_taps(0.15, pitch_mm)
    assert taps[0] + 2 * taps[1:].sum() == pytest.approx(1.0, abs=1e-6)
    distance = np.arange(len(taps)) * pitch_mm
    assert 2 * (taps * distance**2).sum() == pytest.approx(variance_mm2, rel=0.01)
    assert np.all(np.diff(taps) < 0)


def test_light_spreads_noise_to_the_neighbours_before_the_read_out_adds_its_own():
    """Quantum noise is correlated between neighbours, electronic noise is not."""

    def correlation(config: XrayConfig, preset: int) -> float:
        taken = XrayChain("ideal", config).expose(slab(20, 1, 60), request(60, preset=preset), generators(60))
        noise = middle(taken.signal) - middle(taken.signal).mean(axis=0)
        return float((noise[:, :, 1:] * noise[:, :, :-1]).mean() / (noise**2).mean())

    blurred = XrayConfig(electronic_quanta=0.0, screen_blur_mm=1.0)
    assert correlation(blurred, 3) > 0.2
    assert abs(correlation(XrayConfig(electronic_quanta=0.0, screen_blur_mm=0.0), 3)) < 0.02
    assert correlation(XrayConfig(electronic_quanta=50.0, screen_blur_mm=1.0), 0) < 0.02


def test_an_edge_is_blurred_by_the_screen_but_its_signal_is_kept():
    body = slab(10)
    body[:, 1, :, :64] = 3.0
    loud = {"preset_ngy": (1e8,) * 4, "electronic_quanta": 0.0, "scatter": "off", "focal_spot_mm": 0.0}
    sharp, soft = (
        XrayChain("ideal", XrayConfig(**loud, screen_blur_mm=b)).expose(body, request(), generators()).signal[0, 64]
        for b in (0.0, 2.0)
    )
    np.testing.assert_allclose(soft[30:98].sum(), sharp[30:98].sum(), rtol=2e-3)
    assert abs(sharp[64] - sharp[63]) > 1.5 * abs(soft[64] - soft[63])


def test_few_quanta_are_counted_one_by_one():
    """At a fine pixel and scout dose a pixel sees a quantum or two: Poisson's zeros and skewness, mean kept."""
    config = XrayConfig(electronic_quanta=0.0, screen_blur_mm=0.0, scatter="off")
    chain = XrayChain("ideal", config)
    frames, size = 20, 128
    taken = chain.expose(
        slab(20, 1, frames), request(frames, size, preset=0, pitch_mm=0.2, field_mm=10.0), generators(frames)
    )
    signal = taken.signal[taken.mask].astype(float)
    mean = taken.quanta[0] * 0.2**2 * 0.9 / 1.013
    assert 0.3 < mean < 3.0
    assert (signal == 0).mean() == pytest.approx(np.exp(-mean), rel=0.05)
    assert signal.var() / signal.mean() ** 2 == pytest.approx(1 / mean, rel=0.05)
    third = ((signal - signal.mean()) ** 3).mean() / signal.std() ** 3
    assert third == pytest.approx(mean**-0.5, rel=0.15)


@pytest.mark.parametrize("mean", [0.05, 1.0, 5.0, 19.0, 21.0, 100.0])
def test_counts_have_poisson_moments_on_both_sides_of_the_switch(mean):
    from carm_env.xray import kernels

    z = np.random.default_rng(0).standard_normal((400, 400), dtype=np.float32)
    out, ones = np.empty_like(z), np.ones_like(z)
    kernels.absorb(ones, ones, np.float32(mean), np.float32(1.0), z, 0, 400, 0, 400, out)
    assert out.mean() == pytest.approx(mean, rel=4 / np.sqrt(mean * z.size))
    assert out.var() == pytest.approx(mean, rel=0.02)
