"""The presets' numbers, and what may be overridden."""

from __future__ import annotations

import math

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.presets import PRESETS, device
from carm_env.machine.state import AXES, Z


def test_artis_has_the_reference_geometry_and_travels():
    artis = device("artis_biplane")
    a, b = artis.planes
    assert (a.sod_mm, a.sid_mm, b.sod_mm, b.sid_mm) == (785, 1100, 780, 1100)
    assert a.irp_mm == 635
    assert a.full_field_mm == pytest.approx(300 * 785 / 1100)
    assert artis.limits[Z, 1] - artis.limits[Z, 0] == 1700
    assert artis.limits[1].tolist() == [740 - 1070, 1080 - 1070]
    assert artis.home.tolist() == [0, 0, 0, 0, 0, 90, 0, 0]


def test_cios_has_the_seed_papers_geometry():
    cios = device("cios_spin")
    (plane,) = cios.planes
    assert not cios.has_plane_b
    assert plane.full_field_mm == pytest.approx(154.8, abs=0.05)
    assert plane.home_deg == (180, 0)
    assert plane.flip


@pytest.mark.parametrize("name", PRESETS)
def test_arrays_cover_every_axis_and_home_lies_within_the_limits(name):
    preset = device(name)
    assert preset.limits.shape == (len(AXES), 2)
    assert preset.max_rates.shape == preset.accelerations.shape == preset.home.shape == (len(AXES),)
    assert (preset.limits[:, 0] < preset.limits[:, 1]).all()
    assert (preset.accelerations > 0).all()
    angles = slice(3, 8)
    assert (preset.limits[angles, 0] <= preset.home[angles]).all()
    assert (preset.home[angles] <= preset.limits[angles, 1]).all()
    with pytest.raises(ValueError, match="read-only"):
        preset.limits[0, 0] = 1.0


def test_overriding_a_speed_changes_only_that():
    fast = device("artis_biplane", speed_z_mm_s=300)
    assert fast.max_rates[Z] == 300
    assert np.delete(fast.max_rates, Z).tolist() == np.delete(device("artis_biplane").max_rates, Z).tolist()
    assert device("artis_biplane").max_rates[Z] == 150


@pytest.mark.parametrize(
    ("name", "overrides", "told"),
    [
        ("artis", {}, "artis_biplane, cios_spin"),
        ("artis_biplane", {"sod_mm": 700}, "speed_z_mm_s"),
        ("artis_biplane", {"speed_z_mm_s": -1}, "from 0 to 10000"),
        ("artis_biplane", {"speed_z_mm_s": math.nan}, "from 0 to 10000"),
        ("artis_biplane", {"speed_z_mm_s": 1e300}, "from 0 to 10000"),
        ("artis_biplane", {"speed_z_mm_s": "fast"}, "from 0 to 10000"),
        ("artis_biplane", {"accel_table_mm_s2": 0}, "above 0"),
    ],
)
def test_bad_settings_are_told_in_one_line(name, overrides, told):
    with pytest.raises(CarmError, match=told) as caught:
        device(name, **overrides)
    assert "\n" not in str(caught.value)


def test_cameras_follow_pose_plane_and_lane():
    artis = device("artis_biplane")
    poses = np.stack([artis.home, artis.home])
    poses[1, :3] = 10, -150, -300
    views = plane_cameras(artis, poses, [0, 1, 1], [0, 0, 1], 128)
    np.testing.assert_allclose(views.source_mm, [[0, 785, 0], [-780, 0, 0], [-770, -150, -300]], atol=1e-9)
    np.testing.assert_allclose(views.centre_mm, [[0, -315, 0], [320, 0, 0], [330, -150, -300]], atol=1e-9)
    assert views.pitch_mm.tolist() == [300 / 128] * 3
    assert len(plane_cameras(artis, poses, [], [], 128)) == 0


def test_full_field_reaches_the_image_border():
    for preset in PRESETS.values():
        for plane, spec in enumerate(preset.planes):
            view = plane_cameras(preset, preset.home, plane, 0, 128)
            edge = view.u[0] * spec.full_field_mm / 2
            assert view.project(edge, (128, 128))[0, 0, 0] == pytest.approx(127.5)


def test_a_missing_plane_is_refused():
    cios = device("cios_spin")
    with pytest.raises(CarmError, match="cios_spin"):
        plane_cameras(cios, cios.home, [1], [0], 128)
