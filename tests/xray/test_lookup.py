"""Look-ups against integration over the spectrum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.xray.curves import CURVES
from carm_env.xray.lookup import KERMA, MEAN_KEV, NOISE_KEV, SIGNAL, beam_table, direct, evaluate

QUALITIES = [(row[0], row[1]) for row in CURVES["siemens_like"].rows]
CHANNELS = (SIGNAL, KERMA, NOISE_KEV, MEAN_KEV)


def ray(soft: float, bone: float) -> np.ndarray:
    return np.array([soft, bone], np.float32).reshape(1, 2, 1, 1)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(QUALITIES), st.floats(0, 60), st.floats(0, 20))
def test_a_look_up_agrees_with_the_spectrum_within_a_thousandth(quality, soft, bone):
    table, exact = beam_table(*quality), direct(*quality, soft, bone)
    exact[[SIGNAL, KERMA]] = np.exp(exact[[SIGNAL, KERMA]])
    for channel in CHANNELS:
        assert float(evaluate(table, ray(soft, bone), channel)[0, 0, 0]) == pytest.approx(exact[channel], rel=1e-3)


@given(st.sampled_from(QUALITIES), st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4))
@settings(max_examples=60, deadline=None)
def test_more_material_never_transmits_more(quality, soft, bone, more_soft, more_bone):
    table = beam_table(*quality)
    thin = evaluate(table, ray(soft, bone), SIGNAL)[0, 0, 0]
    thick = evaluate(table, ray(soft + more_soft, bone + more_bone), SIGNAL)[0, 0, 0]
    assert 0.0 <= thick <= thin * (1 + 1e-5)
    assert thin <= 1.0 + 1e-6


def test_beyond_the_grid_the_logarithm_stays_within_2_percent():
    for quality in QUALITIES:
        got = np.log(float(evaluate(beam_table(*quality), ray(80.0, 0.0), SIGNAL)[0, 0, 0]))
        assert got == pytest.approx(direct(*quality, 80.0, 0.0)[SIGNAL], rel=0.02)


def test_slightly_negative_line_integrals_are_air():
    assert evaluate(beam_table(77.0, 0.6), ray(-1e-3, -0.5), SIGNAL)[0, 0, 0] == pytest.approx(1.0, abs=1e-3)


def test_the_negative_soft_tissue_of_metal_in_air_is_looked_up_within_3_percent():
    """Half a millimetre and 3 mm of titanium, alone in the beam."""
    for cm in (0.05, 0.3):
        soft, bone = -16.6 * cm, 21.8 * cm
        got = float(evaluate(beam_table(77.0, 0.6), ray(soft, bone), KERMA)[0, 0, 0])
        assert got == pytest.approx(np.exp(direct(77.0, 0.6, soft, bone)[KERMA]), rel=0.03)


def test_noise_factor_lies_between_mean_energy_and_tube_voltage():
    for kv, cu_mm in QUALITIES:
        values = beam_table(kv, cu_mm).values
        assert np.all(values[..., NOISE_KEV] >= values[..., MEAN_KEV])
        assert np.all(values[..., NOISE_KEV] < kv)


def test_fluence_per_kerma_behind_a_body_is_the_reference_s():
    """About 30 (28 to 33) photons per mm2 and nGy behind 16 to 28 cm of water, 0.80 to 0.90 of them absorbed."""
    table = beam_table(77.0, 0.6)
    signal, kerma, _, mean = direct(77.0, 0.6, 20.0, 0.0)
    absorbed = table.kev_per_mm2_ngy * np.exp(signal - kerma) / mean
    assert 28 * 0.80 < absorbed < 33 * 0.90


def test_a_beam_outside_the_tables_is_refused():
    with pytest.raises(CarmError, match="130"):
        beam_table(130.0, 0.1)
