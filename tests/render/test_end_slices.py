"""Repeating end slices shows other renderers what `numba` continues by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.geometry import cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render.end_slices import MAX_REPEATED, repeat_ends, slices_beyond
from carm_env.render.protocol import Renderer

SIZE = (24, 20)


@settings(deadline=None, max_examples=60)
@given(z=st.floats(-300, 300), primary=st.floats(-180, 180), secondary=st.floats(-80, 80))
def test_no_ray_sees_beyond_what_was_repeated(
    z: float, primary: float, secondary: float, body: Patient, renderer: Renderer
) -> None:
    cameras = cone_beam([[5.0, 3.0, z]], primary, secondary, 500, 800, 8)
    below, above = (int(count) for count in slices_beyond(body.volume, cameras, SIZE)[0])
    longer = repeat_ends(body.volume, below, above)
    assert not slices_beyond(longer, cameras, SIZE).any() or max(below, above) == MAX_REPEATED
    images = [renderer.render([Patient(f"longer-{z}-{primary}-{secondary}", longer)], cameras, SIZE)]
    images.append(renderer.render([body], cameras, SIZE))
    assert np.allclose(*images, rtol=1e-4, atol=1e-4)


def test_a_field_within_the_ct_needs_no_more_slices(body: Patient) -> None:
    assert not slices_beyond(body.volume, cone_beam([[0, 0, 0]], 0, 0, 500, 800, 4), SIZE).any()


def test_rays_that_miss_the_body_need_none(body: Patient) -> None:
    assert not slices_beyond(body.volume, cone_beam([[0, 5000.0, 900]], 90, 0, 500, 800, 1), SIZE).any()


def test_every_camera_has_its_own_count(body: Patient) -> None:
    cameras = cone_beam([[0, 0, 0], [0, 0, 140], [0, 0, -140]], 10, 5, 500, 800, 8)
    together = slices_beyond(body.volume, cameras, SIZE)
    assert together.shape == (3, 2) and together[1, 1] > 0 and together[2, 0] > 0
    for row in range(3):
        assert np.array_equal(slices_beyond(body.volume, cameras[[row]], SIZE)[0], together[row])
    assert slices_beyond(body.volume, cameras[:0], SIZE).shape == (0, 2)


def test_repeated_slices_keep_their_place(body: Patient) -> None:
    longer = repeat_ends(body.volume, 3, 5)
    assert longer.hu.shape[2] == body.volume.hu.shape[2] + 8
    assert np.allclose(longer.to_mm([4, 5, 9]), body.volume.to_mm([4, 5, 6]))
    assert np.array_equal(longer.hu[:, :, :4], np.repeat(body.volume.hu[:, :, :1], 4, axis=2))


@pytest.mark.parametrize("counts", [(-1, 0), (0, MAX_REPEATED + 1)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(CarmError, match="repeated"):
        repeat_ends(Volume(np.zeros((2, 2, 2), np.int16), np.eye(4)), *counts)
