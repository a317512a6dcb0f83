"""What networks read, the same for data sets and for frames in the loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.data.pixels import CONTEXT, centred, context
from perception.network import _context, _pixels
from tests.perception.conftest import enlarged
from tests.sim.localisers.frames import make

VALUE = st.one_of(st.just(float("nan")), st.floats(-50, 300))
KNOWN = [CONTEXT.index(n) for n in CONTEXT if n.endswith("_known")]
FACTS = [CONTEXT.index(n) for n in ("sex", "age_years", "height_cm", "weight_kg", "arms_raised")]


def told(demographics, primary=0.0, quanta=1000.0):
    one = np.ones(1)
    return context(
        np.array([[primary, 5.0]]), np.abs([primary]) > 120, np.zeros(1, int), 200 * one, 1.5 * one, quanta * one,
        np.array([demographics]),
    )[0]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 8), st.integers(0, 8), st.floats(-9, 9))
def test_the_mean_inside_the_field_is_zero_and_outside_all_is(seed, top, left, level):
    logarithm = (level + np.random.default_rng(seed).normal(size=(16, 16))).astype(np.float32)
    mask = np.zeros((16, 16), bool)
    mask[top : top + 8, left : left + 9] = True
    image, field = centred(logarithm, mask)
    assert image[mask].mean() == pytest.approx(0.0, abs=1e-5)
    assert (image[~mask] == 0).all()
    assert (field == mask).all()
    assert np.diff(image[mask]) == pytest.approx(np.diff(logarithm[mask]), abs=1e-5)


def test_a_closed_field_gives_zeros():
    assert (centred(np.full((4, 4), -7, np.float32), np.zeros((4, 4), bool)) == 0).all()


@given(st.lists(VALUE, min_size=5, max_size=5))
def test_missing_demographics_are_zero_and_marked_so(demographics):
    row = told(demographics)
    assert np.isfinite(row).all()
    missing = np.isnan(demographics)
    assert (row[KNOWN] == ~missing).all()
    assert (row[np.array(FACTS)[missing]] == 0).all()


@given(st.floats(-180, 180), st.floats(0, 1e6))
def test_context_is_finite_and_small(primary, quanta):
    row = told([1.0, 60.0, 170.0, 70.0, 0.0], primary, quanta)
    assert row.shape == (len(CONTEXT),)
    assert np.abs(row).max() < 5.0
    assert row[CONTEXT.index("flipped")] == (abs(primary) > 120)


def test_a_data_set_and_the_loop_tell_a_network_the_same(views):
    """Row by row: the context of a view of a data set is that of the same frame in the loop."""
    c = views.views.columns
    frames, _ = make(np.zeros((1, 3)), plane=1, field_mm=150.0, quanta=700.0)
    names = ("primary_deg", "secondary_deg")
    frames.angles_deg[0] = [c[name][0] for name in names]
    frames.plane[:] = c["plane"][0]
    object.__setattr__(frames, "field_mm", c["field_mm"][:1].astype(float))
    object.__setattr__(frames, "quanta", c["quanta"][:1].astype(float))
    object.__setattr__(frames, "demographics", c["demographics"][:1].astype(float))
    loop, stored = _context(frames)[0], views.context[0].copy()
    pixel = CONTEXT.index("pixel_mm")
    assert stored[pixel] * 32 == pytest.approx(loop[pixel] * 128, rel=0.01)
    stored[pixel] = loop[pixel]
    assert loop == pytest.approx(stored, abs=1e-6)


@pytest.mark.parametrize("side", [64, 128, 256])
def test_frames_of_any_size_are_brought_to_one(side):
    frames, _ = make(np.zeros((1, 3)))
    frames = enlarged(frames, side // 64)
    pixels = _pixels(frames, 0)
    assert pixels.shape == (1, 2, 128, 128)
    image, field = pixels[0].numpy()
    assert set(np.unique(field)) <= {0.0, 1.0}
    assert image[field > 0].mean() == pytest.approx(0.0, abs=1e-3)
    assert (image[field == 0] == 0).all()
