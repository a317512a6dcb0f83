import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.statistics import bootstrap, interquartile_mean, mean, paired_difference, ratio_of_means, wilson
from carm_env.errors import CarmError

figures = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30)


def test_wilson_matches_the_published_example():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81/263 and 0/20
    assert (round(wilson(81, 263).low, 4), round(wilson(81, 263).high, 4)) == (0.2553, 0.3662)
    assert (wilson(0, 20).low, round(wilson(0, 20).high, 4)) == (0.0, 0.1611)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_rate_stays_in_bounds_and_is_symmetric(n, data):
    k = data.draw(st.integers(0, n))
    interval, mirror = wilson(k, n), wilson(n - k, n)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0
    assert interval.low == pytest.approx(1.0 - mirror.high, abs=1e-12)


@given(st.integers(1, 200), st.data())
def test_wilson_narrows_with_episodes_and_widens_with_level(n, data):
    k = data.draw(st.integers(0, n))
    width = wilson(k, n).high - wilson(k, n).low
    assert wilson(2 * k, 2 * n).high - wilson(2 * k, 2 * n).low < width
    assert wilson(k, n, 0.99).high - wilson(k, n, 0.99).low > width


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.95])
def test_wilson_covers_the_true_rate_about_as_often_as_it_says(rate):
    counts = np.random.default_rng(0).binomial(40, rate, size=2000)
    hits = [wilson(int(k), 40).low <= rate <= wilson(int(k), 40).high for k in counts]
    assert 0.92 <= np.mean(hits) <= 0.985


def test_interquartile_mean_drops_a_quarter_at_each_end():
    assert interquartile_mean([0, 1, 2, 3, 4, 5, 6, 1000]) == pytest.approx(3.5)
    assert interquartile_mean([0, 1, 2, 3, 100]) == pytest.approx((0.75 * 1 + 2 + 0.75 * 3) / 2.5)
    assert interquartile_mean([7.0]) == 7.0


@given(figures, st.floats(-10, 10), st.randoms())
def test_interquartile_mean_ignores_order_and_shifts_with_the_values(values, shift, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    expected = interquartile_mean(values) + shift
    assert interquartile_mean(np.add(shuffled, shift)) == pytest.approx(expected, abs=1e-9)
    assert min(values) - 1e-9 <= interquartile_mean(values) <= max(values) + 1e-9


@settings(max_examples=25)
@given(figures)
def test_bootstrap_stays_within_the_values_and_repeats_with_its_seed(values):
    interval = bootstrap(values, resamples=200)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
    assert interval == bootstrap(values, resamples=200)
    assert interval.value == pytest.approx(np.mean(values))


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    intervals = [bootstrap(rng.normal(3.0, 2.0, 30), resamples=400, seed=i) for i in range(300)]
    assert 0.88 <= np.mean([i.low <= 3.0 <= i.high for i in intervals]) <= 0.98


@settings(max_examples=25)
@given(figures, st.floats(-5, 5))
def test_a_constant_paired_difference_is_certain_and_changes_sign_with_the_order(values, gap):
    better = np.add(values, gap)
    forth = paired_difference(better, values, resamples=200)
    back = paired_difference(values, better, resamples=200)
    assert forth.low == pytest.approx(gap, abs=1e-9)
    assert forth.high == pytest.approx(gap, abs=1e-9)
    assert back.value == pytest.approx(-forth.value, abs=1e-9)


def test_pairing_finds_what_the_spread_between_patients_hides():
    rng = np.random.default_rng(2)
    patient = rng.normal(0.0, 50.0, 40)
    a, b = patient + 1.0 + rng.normal(0, 0.5, 40), patient + rng.normal(0, 0.5, 40)
    assert paired_difference(a, b).low > 0.0
    assert bootstrap(a).low < mean(b) < bootstrap(a).high


def test_clusters_widen_the_interval_when_patients_repeat():
    patient = np.random.default_rng(3).normal(0.0, 1.0, 10)
    values, labels = np.repeat(patient, 8), np.repeat(np.arange(10), 8)
    alone, clustered = bootstrap(values, resamples=1000), bootstrap(values, clusters=labels, resamples=1000)
    assert clustered.high - clustered.low > 2.0 * (alone.high - alone.low)


def test_a_constant_ratio_is_certain():
    b = np.random.default_rng(4).uniform(1.0, 9.0, 20)
    ratio = ratio_of_means(2.5 * b, b, resamples=200)
    assert [ratio.value, ratio.low, ratio.high] == pytest.approx([2.5] * 3)
    assert ratio_of_means([1.0, 5.0], [1.0, 3.0], resamples=50).value == pytest.approx(1.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
        lambda: wilson(1, 2, 1.0),
        lambda: bootstrap([]),
        lambda: bootstrap([1.0, float("nan")]),
        lambda: bootstrap([1.0, 2.0], clusters=[0]),
        lambda: paired_difference([1.0], [1.0, 2.0]),
        lambda: ratio_of_means([1.0], [0.0]),
    ],
)
def test_impossible_input_is_told_in_one_line(call):
    with pytest.raises(CarmError) as told:
        call()
    assert "\n" not in str(told.value)
    assert "want" in str(told.value)
