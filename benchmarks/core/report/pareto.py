"""Dose against time: a point a policy, coloured by success, with the front of those that succeed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.core.plan import ORACLE
from benchmarks.core.report import svg

WIDTH, HEIGHT = 860.0, 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 60.0, 20.0, 16.0, 46.0
LABEL_PX = 15.0
Line = Mapping[str, Any]


def pareto(lines: Sequence[Line]) -> str:
    """The plot of one perception's cells.

    Args:
        lines: rows of ``results``'s table.
    """
    x, y = _x_axis(lines), _y_axis(lines)
    front = [(x(_kap(r)), y(_time(r))) for r in front_of(lines)]
    parts = [*_grid(lines, x, y), svg.path(front, svg.TEXT, 1.5, "5 4")]
    for row in lines:
        parts += _whiskers(row, x, y)
    for row, at in zip(lines, _labels(lines, y), strict=True):
        success = 100 * row["success"]["value"]
        colour = svg.success_colour(row["success"]["value"])
        tip = f"{row['policy']}: {success:.1f} %, {_kap(row):.1f} mGy cm2, {_time(row):.1f} s"
        px = x(_kap(row))
        near_end = px > WIDTH - 190
        parts.append(svg.dot(px, y(_time(row)), colour, 6, tip, hollow=row["policy"] == ORACLE))
        words = f"{row['policy']} {success:.0f} %"
        parts.append(svg.text(px + (-11 if near_end else 11), at, words, colour, "end" if near_end else "start"))
    return svg.picture(WIDTH, HEIGHT, parts, "mean dose against mean time of every policy")


def good_enough(lines: Sequence[Line]) -> list[Line]:
    """Policies but the oracle whose success rate is at least the lower Wilson limit of the highest one."""
    others = [row for row in lines if row["policy"] != ORACLE]
    if not others:
        return []
    least = max(others, key=lambda row: row["success"]["value"])["success"]["low"]
    return [row for row in others if row["success"]["value"] >= least]


def front_of(lines: Sequence[Line]) -> list[Line]:
    """Of ``good_enough`` those that no other one beats in mean dose and mean time, by dose."""
    front: list[Line] = []
    for row in sorted(good_enough(lines), key=lambda row: (_kap(row), _time(row))):
        if not front or _time(row) < _time(front[-1]):
            front.append(row)
    return front


def _mean(row: Line, name: str, which: str = "value", factor: float = 1.0) -> float:
    return factor * float(row["figures"][name]["mean"][which])


def _kap(row: Line, which: str = "value") -> float:
    return max(_mean(row, "kap_gycm2", which, 1000.0), 1e-3)


def _time(row: Line, which: str = "value") -> float:
    return _mean(row, "time_s", which)


def _x_range(lines: Sequence[Line]) -> tuple[float, float]:
    return 0.7 * min(_kap(r, "low") for r in lines), 1.6 * max(_kap(r, "high") for r in lines)


def _y_range(lines: Sequence[Line]) -> tuple[float, float]:
    return 0.0, 1.08 * max(_time(r, "high") for r in lines)


def _x_axis(lines: Sequence[Line]) -> Any:
    low, high = _x_range(lines)
    return lambda v: _LEFT + (WIDTH - _LEFT - _RIGHT) * math.log(v / low) / math.log(high / low)


def _y_axis(lines: Sequence[Line]) -> Any:
    low, high = _y_range(lines)
    return lambda v: HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (v - low) / (high - low)


def _grid(lines: Sequence[Line], x: Any, y: Any) -> list[str]:
    parts = []
    for v in svg.log_ticks(*_x_range(lines)):
        parts += [svg.line(x(v), _TOP, x(v), HEIGHT - _BOTTOM), svg.text(x(v), HEIGHT - 28, f"{v:g}", anchor="middle")]
    for v in svg.ticks(*_y_range(lines)):
        parts += [svg.line(_LEFT, y(v), WIDTH - _RIGHT, y(v)), svg.text(_LEFT - 8, y(v) + 4, f"{v:g}", anchor="end")]
    parts.append(svg.text((_LEFT + WIDTH) / 2, HEIGHT - 8, "mean KAP, mGy·cm² (logarithmic)", anchor="middle"))
    middle = (HEIGHT - _BOTTOM) / 2
    name = svg.text(16, middle, "mean time, s", anchor="middle")
    return [*parts, f'<g transform="rotate(-90 16 {middle:g})">{name}</g>']


def _whiskers(row: Line, x: Any, y: Any) -> list[str]:
    px, py = x(_kap(row)), y(_time(row))
    return [
        svg.line(x(_kap(row, "low")), py, x(_kap(row, "high")), py, svg.QUIET),
        svg.line(px, y(_time(row, "low")), px, y(_time(row, "high")), svg.QUIET),
    ]


def _labels(lines: Sequence[Line], y: Any) -> list[float]:
    """Baselines of the labels, moved down where two would lie on each other."""
    at, lowest = [0.0] * len(lines), -math.inf
    for i in sorted(range(len(lines)), key=lambda i: y(_time(lines[i]))):
        lowest = at[i] = max(y(_time(lines[i])) - 5, lowest + LABEL_PX)
    return at
