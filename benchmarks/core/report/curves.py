"""Success, false arrivals and dose over the size of an injected error: a line a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.core.plan import ORACLE
from benchmarks.core.report import svg

Line = Mapping[str, Any]
WIDTH, HEIGHT = 260.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 10.0, 24.0, 36.0
MEASURES = ("success, %", "false arrivals, %", "mean KAP, mGy·cm²")
DODGE_PX = 3.0
"""Between policies at the same size, so that their intervals stay apart."""
AXES = {
    "bias_mm": "shift, mm", "noise_mm": "noise, mm sd", "dropout": "share dropped", "delay": "exposures late",
    "overconfidence": "true over reported sd",
}  # fmt: skip


def curves(table: Sequence[Line], perception: str) -> str:
    """Small multiples of one perception: a row a measure, a column an error."""
    lines = [row for row in table if row["perception"] == perception and row["policy"] != ORACLE]
    errors = list(dict.fromkeys(row["error"] for row in lines if row["error"]))
    policies = list(dict.fromkeys(row["policy"] for row in lines))
    colours = {name: svg.PALETTE[i % len(svg.PALETTE)] for i, name in enumerate(policies)}
    keys = "".join(f'<span style="color:{colour}">&#9644; {name}</span> ' for name, colour in colours.items())
    plots = [_plot(lines, error, measure, colours) for measure in MEASURES for error in errors]
    grid = f"grid-template-columns:repeat({len(errors)},minmax(0,{WIDTH:g}px))"
    return f'<p class="key">{keys}</p><div class="grid" style="{grid}">{"".join(plots)}</div>'


def series(lines: Sequence[Line], policy: str, error: str) -> list[Line]:
    """The cells of a policy by size; the one without error stands first."""
    mine = [row for row in lines if row["policy"] == policy and row["error"] in ("", error)]
    return sorted(mine, key=lambda row: float(row["size"]))


def _measure(row: Line, measure: str) -> Mapping[str, float]:
    if measure == MEASURES[2]:
        return _scaled(row["figures"]["kap_gycm2"]["mean"], 1000.0)
    return _scaled(row["success" if measure == MEASURES[0] else "false_arrival"], 100.0)


def _scaled(interval: Mapping[str, float], factor: float) -> dict[str, float]:
    return {name: factor * interval[name] for name in ("value", "low", "high")}


def _plot(lines: Sequence[Line], error: str, measure: str, colours: Mapping[str, str]) -> str:
    found = {policy: series(lines, policy, error) for policy in colours}
    sizes = sorted({float(row["size"]) for rows in found.values() for row in rows})
    dose = measure == MEASURES[2]
    top = 1.05 * max(_measure(row, measure)["high"] for row in lines) if dose else 100.0
    step = (WIDTH - _LEFT - _RIGHT - 16) / max(len(sizes) - 1, 1)
    x = {size: _LEFT + 8 + step * i for i, size in enumerate(sizes)}

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top

    parts = [svg.text(_LEFT, 14, measure, svg.TEXT)]
    for tick in svg.ticks(0, top, 4):
        parts.append(svg.line(_LEFT, y(tick), WIDTH - _RIGHT, y(tick)))
        parts.append(svg.text(_LEFT - 5, y(tick) + 4, f"{tick:g}", anchor="end"))
    for size, at in x.items():
        parts.append(svg.text(at, HEIGHT - 20, f"{size:g}" if size else "none", anchor="middle", size=11))
    parts.append(svg.text((_LEFT + WIDTH) / 2, HEIGHT - 5, AXES[error], anchor="middle", size=11))
    for i, (policy, rows) in enumerate(found.items()):
        aside = DODGE_PX * (i - (len(found) - 1) / 2)
        points = [(x[float(row["size"])] + aside, _measure(row, measure)) for row in rows]
        parts += _curve(points, colours[policy], y, policy)
    return svg.picture(WIDTH, HEIGHT, parts, f"{measure} over {AXES[error]}")


def _curve(points: Sequence[tuple[float, Mapping[str, float]]], colour: str, y: Any, policy: str) -> list[str]:
    parts = [svg.line(x, y(at["low"]), x, y(at["high"]), colour, 1) for x, at in points]
    parts.append(svg.path([(x, y(at["value"])) for x, at in points], colour))
    return parts + [svg.dot(x, y(at["value"]), colour, 3, f"{policy}: {at['value']:.3g}") for x, at in points]
