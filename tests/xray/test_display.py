"""Polarity, shutters, window and independence of the batch."""

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.xray.chain import XrayChain
from carm_env.xray.display import to_display
from tests.xray.frames import generators, request


def body_with_bone_and_air(frames: int = 1) -> np.ndarray:
    body = np.zeros((frames, 2, 128, 128), np.float32)
    body[:, 0, :, :96] = 18.0
    body[:, 1, :, 30:50] = 3.0
    return body


def test_bone_is_dark_tissue_grey_air_bright_and_shutters_black():
    taken = XrayChain().expose(body_with_bone_and_air(), request(field_mm=200.0), generators())
    image = to_display(taken.signal, taken.mask)[0]
    bone, tissue, air = image[40:90, 35:45].mean(), image[40:90, 60:80].mean(), image[40:90, 105:115].mean()
    assert bone + 40 < tissue < air - 40
    assert not image[~taken.mask[0]].any()


def test_an_image_does_not_depend_on_its_batch_or_on_the_dose_scale():
    taken = XrayChain().expose(body_with_bone_and_air(2), request(2, field_mm=np.array([100.0, 214.0])), generators(2))
    both = to_display(taken.signal, taken.mask)
    for i in range(2):
        np.testing.assert_array_equal(to_display(taken.signal[i : i + 1], taken.mask[i : i + 1])[0], both[i])
    brighter = to_display(taken.signal * np.float32(4.0), taken.mask)
    assert np.abs(brighter.astype(int) - both).max() <= 1


def test_an_even_field_is_an_even_grey_and_nothing_is_black():
    mask = np.ones((1, 64, 64), bool)
    even = to_display(np.full((1, 64, 64), 0.4, np.float32), mask)
    assert np.ptp(even) == 0
    assert 100 < even[0, 0, 0] < 155
    assert not to_display(np.zeros((1, 8, 8), np.float32), np.zeros((1, 8, 8), bool)).any()


def test_a_signal_of_zero_has_a_picture():
    signal = np.zeros((1, 64, 64), np.float32)
    signal[0, :, 32:] = 1.0
    image = to_display(signal, np.ones(signal.shape, bool))[0]
    assert image[:, :32].max() < image[:, 32:].min()


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(CarmError, match="do not agree"):
        to_display(np.zeros((1, 8, 8), np.float32), np.zeros((1, 8, 9), bool))


def test_a_head_beside_raised_arms_is_seen():
    """Arms and shoulders let through a hundredth of what a head does; both have greys of their own, apart from air."""
    body = np.zeros((1, 2, 128, 128), np.float32)
    body[:, 0, :64], body[:, 0, 64:] = 13.0, 34.0
    body[:, 0, :, 112:] = 0.0
    taken = XrayChain("ideal").expose(body, request(), generators())
    image = to_display(taken.signal, taken.mask)[0]
    head, arms, air = image[10:50, 20:90].mean(), image[80:120, 20:90].mean(), image[:, 118:].mean()
    assert arms + 60 < head < air - 10
