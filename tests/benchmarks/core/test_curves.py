"""The curves over injected errors show the figures they are made from."""

from xml.etree import ElementTree

import pytest

from benchmarks.core.report.curves import curves, series
from benchmarks.core.report.pareto import front_of
from benchmarks.core.report.svg import log_ticks, ticks

SVG = "{http://www.w3.org/2000/svg}"
SUCCESS = {"a": (1.0, 0.8, 0.2), "b": (1.0, 0.5, 0.0)}


def interval(value: float) -> dict:
    return {"value": value, "low": max(value - 0.1, 0.0), "high": min(value + 0.1, 1.0)}


def line(policy: str, size: float, success: float, kap: float = 0.004, time_s: float = 9.0, error: str = "delay"):
    mean = {"kap_gycm2": {"mean": interval(kap)}, "time_s": {"mean": interval(time_s)}}
    about = {"policy": policy, "perception": "noisy", "error": error if size else "", "size": size}
    return {**about, "success": interval(success), "false_arrival": interval(1.0 - success), "figures": mean}


@pytest.fixture(scope="module")
def table() -> list[dict]:
    shuffled = [(size, k) for k, size in enumerate((0.0, 1.0, 3.0))][::-1]
    return [line("oracle", 0.0, 1.0), *(line(p, size, SUCCESS[p][k]) for p in "ab" for size, k in shuffled)]


@pytest.fixture(scope="module")
def plots(table) -> list[ElementTree.Element]:
    html = curves(table, "noisy").replace("&#9644;", "")
    return ElementTree.fromstring(f"<div>{html}</div>").findall(f".//{SVG}svg")


def heights(plot: ElementTree.Element) -> list[list[float]]:
    """y of every point of every curve, 0 at the bottom and 1 at the top tick."""
    at = {t.text: float(t.get("y")) - 4 for t in plot.findall(f"{SVG}text") if t.get("text-anchor") == "end"}
    bottom, top = at["0"], at["100"]
    points = [[float(p.split(",")[1]) for p in c.get("points").split()] for c in plot.findall(f"{SVG}polyline")]
    return [[(bottom - y) / (bottom - top) for y in curve] for curve in points]


def test_a_series_begins_without_error_and_grows(table):
    assert [row["size"] for row in series(table, "a", "delay")] == [0.0, 1.0, 3.0]
    assert [row["size"] for row in series(table, "a", "dropout")] == [0.0]


def test_a_row_a_measure_and_a_curve_a_policy_without_the_oracle(plots):
    assert [len(plot.findall(f"{SVG}polyline")) for plot in plots] == [2, 2, 2]


def test_curves_go_through_the_rates(plots):
    for curve, wanted in zip(heights(plots[0]), SUCCESS.values(), strict=True):
        assert curve == pytest.approx(wanted, abs=2e-3)
    for curve, wanted in zip(heights(plots[1]), SUCCESS.values(), strict=True):
        assert curve == pytest.approx([1.0 - rate for rate in wanted], abs=2e-3)


def test_intervals_of_two_policies_at_one_size_stand_apart(plots):
    upright = [el for el in plots[0].findall(f"{SVG}line") if el.get("x1") == el.get("x2")]
    assert len({el.get("x1") for el in upright}) == len(upright) == 6


def test_nothing_lies_outside_its_picture(plots):
    for plot in plots:
        for el in plot.iter():
            across = [float(v) for k, v in el.items() if k in ("x", "x1", "x2", "cx")]
            down = [float(v) for k, v in el.items() if k in ("y", "y1", "y2", "cy")]
            assert all(0 <= x <= 260 for x in across) and all(0 <= y <= 180 for y in down)


def test_the_front_holds_what_no_other_good_policy_beats():
    lines = [
        line("oracle", 0, 1.0, 0.001, 5.0), line("cheap", 0, 1.0, 0.002, 12.0), line("fast", 0, 0.95, 0.004, 6.0),
        line("worse", 0, 1.0, 0.004, 13.0), line("fails", 0, 0.2, 0.001, 1.0),
    ]  # fmt: skip
    assert [row["policy"] for row in front_of(lines)] == ["cheap", "fast"]


def test_ticks_are_round_and_inside():
    assert ticks(0.0, 100.0, 4) == [0.0, 50.0, 100.0]
    assert log_ticks(0.9, 21.0) == [1.0, 2.0, 5.0, 10.0, 20.0]
