"""Kerma at the reference point, kerma-area product, charging of pulses, exposure control."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.xray import control, spectra
from carm_env.xray.chain import XrayChain
from carm_env.xray.config import XrayConfig
from carm_env.xray.curves import CURVES
from carm_env.xray.exposure import Technique
from tests.xray.frames import generators, locked, request, slab

DISTANCES = st.tuples(st.floats(500, 1000), st.floats(1.05, 1.8))


def expose(chain=None, frames=1, line_integrals=None, **values):
    size = values.get("size", 128)
    body = slab(16, frames=frames, size=size) if line_integrals is None else line_integrals
    return (chain or XrayChain("ideal")).expose(body, request(frames, **values), generators(frames))


@settings(max_examples=25, deadline=None)
@given(DISTANCES, st.floats(0.05, 3.0))
def test_reference_kerma_follows_tube_output_and_inverse_square(distances, mas):
    sod, ratio = distances
    taken = expose(XrayChain("lagged"), size=16, sod_mm=sod, sid_mm=sod * ratio, previous=locked(mas=mas))
    at_one_metre = spectra.tube_output(77.0, 0.6) * XrayConfig().output_factor * mas / 1000.0
    assert taken.ka_r_mgy[0] == pytest.approx(at_one_metre * (1000.0 / (sod - 150.0)) ** 2, rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.floats(850, 1400), st.floats(30, 150))
def test_kap_does_not_depend_on_the_detector_s_distance(sid, field):
    near, far = (
        expose(XrayChain("lagged"), size=32, sid_mm=s, field_mm=field, previous=locked()) for s in (900.0, sid)
    )
    assert near.kap_gycm2[0] == pytest.approx(far.kap_gycm2[0], rel=1e-9)


def test_kap_is_kerma_times_the_field_s_area_at_the_reference_point():
    taken = expose(field_mm=150.0)
    side_cm = 15.0 * (785.0 - 150.0) / 785.0
    assert taken.kap_gycm2[0] == pytest.approx(taken.ka_r_mgy[0] / 1000.0 * side_cm**2, rel=1e-9)


def test_a_field_beyond_the_detector_is_charged_as_the_detector():
    side_cm = 30.0 * 635.0 / 1100.0
    taken = expose(field_mm=400.0)
    assert taken.kap_gycm2[0] == pytest.approx(taken.ka_r_mgy[0] / 1000.0 * side_cm**2, rel=1e-9)


def test_collimation_at_a_locked_technique_lowers_kap_as_area_does():
    fields = np.array([60.0, 80.0, 120.0, 200.0])
    taken = expose(XrayChain("lagged"), frames=4, field_mm=fields, previous=locked(4))
    np.testing.assert_allclose(taken.kap_gycm2 / fields**2, taken.kap_gycm2[0] / fields[0] ** 2, rtol=1e-12)
    assert np.ptp(taken.ka_r_mgy) == 0.0


def test_exposure_control_makes_the_lost_scatter_good():
    """The kerma at the detector is kept; the kerma at the entrance rises as scatter falls, KAP falls all the same."""
    fields = np.array([60.0, 100.0, 150.0, 210.0])
    taken = expose(frames=4, line_integrals=slab(20, 1, 4), field_mm=fields)
    assert np.all(np.diff(taken.ka_r_mgy) < 0)
    assert np.all(np.diff(taken.kap_gycm2) > 0)
    np.testing.assert_allclose(taken.k_detector_ngy, 30.0, rtol=1e-3)


def test_prepulse_adds_exactly_5_percent_and_changes_nothing_else():
    ideal, measured = expose(XrayChain("ideal")), expose(XrayChain("prepulse"))
    np.testing.assert_allclose(measured.ka_r_mgy / ideal.ka_r_mgy, 1.05, rtol=1e-12)
    np.testing.assert_allclose(measured.kap_gycm2 / ideal.kap_gycm2, 1.05, rtol=1e-12)
    np.testing.assert_array_equal(measured.signal, ideal.signal)
    np.testing.assert_array_equal(measured.technique.mas, ideal.technique.mas)


@pytest.mark.parametrize("name", control.CONTROLS)
def test_pulses_multiply_dose_and_not_the_image(name):
    taken = expose(XrayChain(name), frames=3, pulses=np.array([1, 2, 3]))
    np.testing.assert_allclose(taken.ka_r_mgy, taken.ka_r_mgy[0] * np.array([1, 2, 3]), rtol=1e-12)
    np.testing.assert_allclose(taken.kap_gycm2, taken.kap_gycm2[0] * np.array([1, 2, 3]), rtol=1e-12)
    assert np.ptp(taken.technique.mas) == 0.0
    assert np.ptp(taken.k_detector_ngy) == 0.0


@pytest.mark.parametrize("off", [{"field_mm": 0.0}, {"pulses": 0}])
def test_no_field_or_no_pulse_no_dose_and_no_image(off):
    taken = expose(XrayChain("prepulse"), **off)
    assert taken.ka_r_mgy[0] == taken.kap_gycm2[0] == taken.quanta[0] == 0.0
    assert not taken.mask.any()
    assert not taken.signal.any()
    assert np.isnan(taken.technique.mas[0])


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 60), st.floats(0, 20), st.floats(20, 400), st.integers(0, 3), st.sampled_from(control.CONTROLS))
def test_dose_is_never_negative_and_grows_with_nothing_but_exposure(soft, bone, field, preset, name):
    body = slab(soft / 1.06, bone / 1.92, size=16)
    taken = expose(XrayChain(name), line_integrals=body, size=16, field_mm=field, preset=preset)
    assert taken.ka_r_mgy[0] > 0
    assert taken.kap_gycm2[0] > 0
    assert np.isfinite(taken.ka_r_mgy[0])
    assert np.all(taken.signal >= 0)
    assert np.all(np.isfinite(taken.signal))


def test_presets_scale_the_detector_kerma():
    taken = expose(frames=4, line_integrals=slab(20, 1, 4), preset=np.arange(4))
    np.testing.assert_allclose(taken.k_detector_ngy, XrayConfig().preset_ngy, rtol=1e-3)


@pytest.mark.parametrize("name", CURVES)
def test_lagged_fires_the_previous_technique_or_the_curve_s_default(name):
    kv = np.array([81.0, np.nan])
    previous = Technique(kv, np.array([0.3, 0.6]), np.array([0.7, 0.4]), np.array([6.0, 5.0]))
    taken = expose(XrayChain("lagged", XrayConfig(curve=name)), frames=2, previous=previous)
    np.testing.assert_array_equal(taken.technique.kv, [81.0, CURVES[name].default.kv])
    np.testing.assert_array_equal(taken.technique.mas, [0.7, CURVES[name].default.mas])
    np.testing.assert_array_equal(taken.technique.ms, [6.0, CURVES[name].default.ms])


def test_lagged_reaches_the_wanted_kerma_one_pulse_later():
    body = slab(20, 2)
    first = expose(XrayChain("lagged"), line_integrals=body)
    second = expose(XrayChain("lagged"), line_integrals=body, previous=first.advised)
    assert abs(first.k_detector_ngy[0] / 30.0 - 1) > 0.1
    assert second.k_detector_ngy[0] == pytest.approx(30.0, rel=1e-3)


def test_an_unknown_control_is_refused_by_name():
    with pytest.raises(CarmError, match="'manual' is unknown: want one of prepulse, lagged, ideal"):
        XrayChain("manual")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"field_mm": -1.0}, "field_mm of frame 0 is -1.0"),
        ({"field_mm": np.inf}, "field_mm of frame 0 is inf"),
        ({"field_mm": 0.5}, "field 0.5 mm at the isocentre holds no pixel"),
        ({"pulses": -1}, "pulses of frame 0 is -1"),
        ({"preset": 4}, "preset of frame 0 is 4"),
        ({"sod_mm": 150.0}, "sod_mm of frame 0 is 150.0"),
        ({"sid_mm": 700.0}, "sid_mm of frame 0 is 700.0"),
        ({"pitch_mm": 0.0}, "pitch_mm of frame 0 is 0.0"),
        ({"previous": locked(mas=-0.1)}, "previous mas of frame 0 is -0.1"),
        ({"previous": locked(ms=0.0)}, "previous ms of frame 0 is 0.0"),
        ({"previous": locked(kv=200.0)}, "200.0 kV"),
        ({"previous": locked(cu_mm=-1.0)}, "-1.0 mm"),
        ({"previous": locked(2)}, r"previous kv has shape \(2,\)"),
    ],
)
def test_impossible_requests_are_refused_by_name_and_value(values, says):
    with pytest.raises(CarmError, match=says):
        expose(XrayChain("lagged"), **values)


def test_line_integrals_without_numbers_or_pixels_are_refused():
    body = slab(10)
    body[0, 1, 3, 4] = np.nan
    with pytest.raises(CarmError, match=r"line integral at \(0, 1, 3, 4\).* is nan"):
        expose(line_integrals=body)
    with pytest.raises(CarmError, match="no pixels"):
        expose(line_integrals=np.zeros((1, 2, 0, 8), np.float32))
    with pytest.raises(CarmError, match="want \\[M, 2, H, W\\]"):
        expose(line_integrals=np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(CarmError, match="generators"):
        XrayChain().expose(slab(10), request(), [])


def test_no_frames_are_no_exposures():
    taken = XrayChain().expose(np.zeros((0, 2, 8, 8), np.float32), request(0), [])
    assert taken.signal.shape == (0, 8, 8)
    assert taken.kap_gycm2.shape == (0,)
