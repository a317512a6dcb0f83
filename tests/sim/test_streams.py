"""Counter-based streams: what a policy did before does not change the noise of a step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.sim.streams import STREAMS, stream
from tests.sim.drive import action, at_target, simulator


@given(st.integers(0, 2**63 - 1), st.sampled_from(STREAMS), st.integers(0, 10**6), st.integers(0, 1))
def test_a_stream_is_a_function_of_its_key(seed, name, step, plane):
    key = (seed, name, step, plane)
    np.testing.assert_array_equal(stream(*key).normal(size=4), stream(*key).normal(size=4))


@given(st.integers(0, 2**62), st.integers(0, 1000))
def test_seeds_streams_steps_and_planes_differ(seed, step):
    base = stream(seed, "noise", step).integers(2**62)
    others = [(seed + 1, "noise", step), (seed, "task", step), (seed, "noise", step + 1), (seed, "noise", step, 1)]
    assert base not in [stream(*key).integers(2**62) for key in others]


def test_steps_do_not_overlap_in_long_draws():
    first = stream(1, "noise", 0).integers(2**62, size=100_000)
    second = stream(1, "noise", 1).integers(2**62, size=1000)
    assert not np.isin(second, first).any()


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_out_of_range_are_named(seed):
    with pytest.raises(ValueError, match=str(seed)):
        stream(seed, "noise")


def test_two_policies_meet_the_same_noise_at_the_same_step():
    """One exposed before, the other did not; at the same pose and technique, step 3 shows them the same frame."""
    frames = []
    for habit in (-1.0, 1.0):
        sim = simulator(exposure_control="ideal")
        sim.reset([5])
        at_target(sim)
        for _ in range(2):
            sim.step(action(deploy=1, expose_a=habit)[None])
        frames.append(sim.step(action(deploy=1, expose_a=1)[None]).image[0, 0].copy())
    np.testing.assert_array_equal(*frames)
    assert frames[0].std() > 5


def test_the_noise_changes_from_step_to_step():
    sim = simulator()
    sim.reset([5])
    at_target(sim)
    hashes = [int(sim.step(action(deploy=1, expose_a=1)[None]).frame_hash[0, 0]) for _ in range(3)]
    assert len(set(hashes)) == 3
