"""Pieces of hand-written SVG, and the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

PALETTE = ("#5cc8ff", "#ffb454", "#6ee787", "#ff8fb8", "#c4a7ff", "#f2e05c", "#7ee0d0", "#ff7b72", "#9aa7b4", "#e6edf3")
QUIET, LINE, TEXT = "#9aa7b4", "#2b333d", "#e6edf3"


def picture(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """An SVG element that shrinks with the page."""
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}">{body}</svg>'
    )


def text(x: float, y: float, words: str, colour: str = QUIET, anchor: str = "start", size: float = 12) -> str:
    """A line of text, its baseline at (x, y)."""
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} fill="{colour}" font-size="{size:g}">{escape(words)}</text>'


def line(x0: float, y0: float, x1: float, y1: float, colour: str = LINE, width: float = 1, dash: str = "") -> str:
    """A straight line."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" stroke-width="{width:g}"'
        f"{dashes}/>"
    )


def dot(x: float, y: float, colour: str, radius: float = 5, tip: str = "", hollow: bool = False) -> str:
    """A point, with a tooltip."""
    fill = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {fill}><title>{escape(tip)}</title></circle>'


def path(points: Sequence[tuple[float, float]], colour: str, width: float = 2, dash: str = "") -> str:
    """A line through points."""
    d = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{d}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes}/>'


def bar(x: float, y: float, width: float, height: float, colour: str, tip: str = "") -> str:
    """A filled rectangle, with a tooltip."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" fill="{colour}">'
        f"<title>{escape(tip)}</title></rect>"
    )


def success_colour(rate: float) -> str:
    """Red at 0, green at 1."""
    return f"hsl({130 * rate * rate:.0f} 75% 62%)"


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) within a range."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within a range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [k * 10.0**p for p in powers for k in (1, 2, 5) if low <= k * 10.0**p <= high]
