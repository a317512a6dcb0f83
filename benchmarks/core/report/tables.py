"""Leaderboard and kinds of failure, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.core.episodes import FAILURES
from benchmarks.core.plan import ORACLE
from benchmarks.core.report import svg

Line = Mapping[str, Any]
FAILURE_COLOURS = dict(zip(FAILURES, ("#ff7b72", "#ffb454", "#c4a7ff", "#9aa7b4"), strict=True))
BAR = 120.0


def leaderboard(lines: Sequence[Line], best: str | None) -> str:
    """The cells of one perception, most successes first, then least dose; means with 95 % intervals."""
    heads: tuple[str, ...] = (
        "policy", "success", "", "5 / 20 mm", "false arrivals", "KAP, mGy·cm²", "IQM", "search", "verification",
        "times the oracle's", "time, s", "final error, mm",
    )  # fmt: skip
    if best:
        heads += (f"KAP less that of {best}",)
    ranked = sorted(lines, key=lambda r: (-r["success"]["value"], r["figures"]["kap_gycm2"]["mean"]["value"]))
    body = "".join(f"<tr>{_cells(row, best)}</tr>" for row in ranked)
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(row: Line, best: str | None) -> str:
    f, success = row["figures"], row["success"]
    name = escape(row["policy"]) + ("<br><small>knows the placement</small>" if row["policy"] == ORACLE else "")
    cells = [
        name,
        _rate(success),
        _interval_bar(success),
        f"{100 * row['success_5mm']['value']:.0f} / {100 * row['success_20mm']['value']:.0f} %",
        _rate(row["false_arrival"]),
        _figure(f["kap_gycm2"]["mean"], 1000.0),
        _figure(f["kap_gycm2"]["iqm"], 1000.0),
        _figure(f["kap_search_gycm2"]["mean"], 1000.0),
        _figure(f["kap_verification_gycm2"]["mean"], 1000.0),
        _figure(row["kap_ratio"], 1.0, 2) if row["kap_ratio"] else "",
        _figure(f["time_s"]["mean"]),
        _figure(f["final_error_mm"]["mean"]),
    ]
    if best:
        found = row["against"].get(best)
        cells.append(_figure(found["kap_gycm2"], 1000.0, sign="+") if found else "")
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _rate(interval: Mapping[str, float]) -> str:
    low, high = 100 * interval["low"], 100 * interval["high"]
    return f"<b>{100 * interval['value']:.1f} %</b><br><small>{low:.1f} to {high:.1f}</small>"


def _figure(interval: Mapping[str, float], factor: float = 1.0, digits: int = 1, sign: str = "") -> str:
    value, low, high = (f"{factor * interval[name]:{sign}.{digits}f}" for name in ("value", "low", "high"))
    return f"<b>{value}</b><br><small>{low} to {high}</small>"


def _interval_bar(interval: Mapping[str, float]) -> str:
    colour = svg.success_colour(interval["value"])
    low, value, high = (4 + (BAR - 8) * interval[name] for name in ("low", "value", "high"))
    parts = [svg.line(4, 7, BAR - 4, 7), svg.line(low, 7, high, 7, colour, 3), svg.dot(value, 7, colour, 4)]
    return svg.picture(BAR, 14, parts, f"{100 * interval['value']:.1f} %")


def failures(lines: Sequence[Line]) -> str:
    """A bar a cell: shares of the kinds of failure."""
    key = "".join(
        f'<li><span style="color:{FAILURE_COLOURS[kind]}">&#9632;</span> {kind.replace("_", " ")}: {escape(text)}</li>'
        for kind, text in FAILURES.items()
    )
    cells = ((escape(row["policy"]), _stack(row), _counts(row)) for row in lines)
    rows = "".join(f"<tr><td>{name}</td><td>{stack}</td><td>{counts}</td></tr>" for name, stack, counts in cells)
    return f'<ul class="key">{key}</ul><table class="narrow">{rows}</table>'


def _counts(row: Line) -> str:
    told = [f"{count} {kind.replace('_', ' ')}" for kind, count in row["failures"].items() if count]
    return f"{', '.join(told) or 'none'} of {row['n']}"


def _stack(row: Line) -> str:
    width, x, parts = 420.0, 0.0, [svg.bar(0, 1, 420, 12, "#1d3b2a", "success")]
    for kind, count in row["failures"].items():
        share = width * count / row["n"]
        parts.append(svg.bar(x, 1, share, 12, FAILURE_COLOURS[kind], f"{kind}: {count}"))
        x += share
    return svg.picture(width, 14, parts, _counts(row))
