"""Table and mattress in the beam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.geometry import cone_beam
from carm_env.xray.config import XrayConfig
from carm_env.xray.lookup import KERMA, direct
from carm_env.xray.support import add_support

LOW, HIGH = np.array([-225.0, 0.0, -3000.0]), np.array([225.0, 20.0, 0.0])
GCM2 = 1.2


def crossed(isocentre, primary=0.0, secondary=0.0, size=9, gcm2=GCM2):
    cameras = cone_beam(np.atleast_2d(isocentre), primary, secondary, 785.0, 1100.0, 300.0 / size)
    out = np.zeros((1, 2, size, size), np.float32)
    add_support(out, cameras, LOW, HIGH, gcm2)
    assert not out[:, 1].any()
    return out[0, 0]


def test_a_perpendicular_ray_meets_the_slab_once():
    assert crossed([0, -150, -800])[4, 4] == pytest.approx(GCM2, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.floats(-50, 50), st.floats(-45, 45))
def test_an_oblique_ray_meets_more_as_its_cosine_says(primary, secondary):
    middle = crossed([0, -100, -800], primary, secondary)[4, 4]
    cosine = np.cos(np.radians(primary)) * np.cos(np.radians(secondary))
    assert middle == pytest.approx(GCM2 / cosine, rel=1e-4)


def test_a_lateral_beam_above_the_table_misses_it_and_one_through_it_meets_its_width():
    above, through = crossed([0, -300, -800], 90.0), crossed([0, 10, -800], 90.0)
    assert not above[:, 4].any()
    assert through[4, 4] == pytest.approx(GCM2 * 450 / 20, rel=1e-4)


def test_beyond_the_table_s_head_end_nothing_is_met():
    assert not crossed([0, -150, 400]).any()
    edge = crossed([0, -150, 0])
    assert not edge[0].any()
    assert edge[-1].all()


def test_no_table_adds_nothing():
    assert not crossed([0, -150, -800], gcm2=0.0).any()


@pytest.mark.parametrize(("cu_mm", "measured"), [(0.1, 0.73), (0.9, 0.81)])
def test_table_and_mattress_transmit_what_was_measured_of_an_artis_zeego_within_5_percent(cu_mm, measured):
    table = XrayConfig().table_gcm2
    assert np.exp(direct(80.0, cu_mm, table, 0.0)[KERMA]) == pytest.approx(measured, rel=0.05)
