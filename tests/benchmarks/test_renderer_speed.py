"""The speed benchmark measures what it says."""

import json

import pytest

from benchmarks import renderer_speed


@pytest.mark.slow
def test_numba_is_ten_times_as_fast_as_nanodrr_at_no_larger_error() -> None:
    pytest.importorskip("nanodrr")
    report = renderer_speed.measure(rounds=5)
    assert json.loads(json.dumps(report)) == report
    assert report["numba"]["error_percent"] <= min(0.05, report["nanodrr_cpu"]["error_percent"])
    assert report["numba_over_nanodrr"] >= 10
