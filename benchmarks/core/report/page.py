"""One self-contained page of a suite: no request leaves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.core.plan import Cell
from benchmarks.core.report.curves import curves
from benchmarks.core.report.pareto import pareto
from benchmarks.core.report.tables import failures, leaderboard
from benchmarks.core.report.worst import Played, play, worst_rows
from carm_env.whole import whole

CSS = """
:root { color-scheme: dark; }
body { margin: 0 auto; max-width: 1500px; padding: 12px 20px 40px; background: #0d1117; color: #e6edf3;
  font: 14px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 20px; margin: 8px 0; } h2 { font-size: 17px; margin: 28px 0 6px; }
h3 { font-size: 15px; margin: 18px 0 4px; }
p, li, small, th { color: #9aa7b4; } code { color: #e6edf3; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } table.narrow { width: auto; }
th, td { text-align: left; padding: 3px 10px 3px 0; border-bottom: 1px solid #2b333d; vertical-align: middle;
  font-weight: 400; }
td { white-space: nowrap; } td small { font-size: 12px; }
.scroll { overflow-x: auto; } .key { padding: 0; list-style: none; margin: 4px 0 8px; }
.grid { display: grid; gap: 8px; }
svg { max-width: 100%; height: auto; font-family: inherit; } td svg { max-width: none; }
svg text { paint-order: stroke; stroke: #0d1117; stroke-width: 3px; }
details { margin: 6px 0; border: 1px solid #2b333d; border-radius: 8px; background: #151b23; padding: 6px 10px; }
summary { cursor: pointer; } iframe { width: 100%; height: 900px; border: 0; margin-top: 8px; }
"""
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


def write_report(
    path: Path, results: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], cells: Mapping[str, Cell]
) -> Path:
    """Writes the page; returns its path.

    Args:
        results, rows: of the suite.
        cells: those whose worst episodes may be run again, by key.
    """
    with whole(path) as part:
        part.write_text(page(results, play(worst_rows(results, rows), cells)), encoding="utf-8")
    return path


def page(results: Mapping[str, Any], played: Sequence[Played]) -> str:
    """The page's text."""
    title = f"carm bench: {results['suite']}"
    sections = [_head(results)]
    for seen in dict.fromkeys(line["perception"] for line in results["table"]):
        sections.append(_of_perception(results, seen))
    sections += [_worst(played), _method(results)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(sections)
        + "\n<p>Simulation; not for clinical use.</p>\n</body>\n</html>\n"
    )


def _head(results: Mapping[str, Any]) -> str:
    git = results["git"] or {}
    code = f"commit {git['commit'][:10]}{' with changes' if git.get('changes') else ''}, " if git else ""
    many, each = results["episodes"], results["episodes_a_cell"]
    return (
        f"<p><code>{escape(results['command'])}</code></p><p>{many} episodes: {each} over {results['patients']} "
        f"patients for each line, the same for all; {code}{escape(results['platform']['cpu'])}, "
        f"{results['mean_wall_s']:.2f} s an episode. Intervals are 95 %.</p>"
    )


def _of_perception(results: Mapping[str, Any], seen: str) -> str:
    table = [line for line in results["table"] if line["perception"] == seen]
    plain = [line for line in table if not line["error"]]
    parts = [
        f"<h2>Perception: {escape(seen)}</h2>",
        leaderboard(plain, results["best_script"][seen]),
        "<h3>Dose and time</h3><p>Colour: success. Dashed: the front of the policies whose success is within the "
        "interval of the highest; hollow: the oracle, which knows the placement.</p>",
        pareto(plain),
        "<h3>How episodes fail</h3>",
        failures(plain),
    ]
    if len(plain) < len(table):
        parts += ["<h3>Injected errors</h3>", curves(table, seen)]
    return "".join(parts)


def _worst(played: Sequence[Played]) -> str:
    if not played:
        return ""
    text = "".join(_episode(one) for one in played)
    return f"<h2>Worst episodes of the best policies</h2><p>Run again from their seeds; open one to play it.</p>{text}"


def _episode(one: Played) -> str:
    row = one.row
    outcome = row["outcome"].replace("_", " ")
    what = (
        f"{row['policy']}, {row['perception']}, {row['patient']}, seed {row['seed']}: {outcome}, "
        f"{row['final_error_mm']:.1f} mm, {1000 * row['kap_gycm2']:.1f} mGy·cm², {row['time_s']:.1f} s"
    )
    return (
        f"<details><summary>{escape(what)}</summary><code>{escape(row['command'])}</code>"
        f'<iframe loading="lazy" sandbox="allow-scripts" title="{escape(what)}" srcdoc="{escape(one.page)}"></iframe>'
        "</details>"
    )


def _method(results: Mapping[str, Any]) -> str:
    rows = "".join(f"<li>{escape(name)}: {escape(text)}</li>" for name, text in results["method"].items())
    return f"<h2>How it is counted</h2><ul>{rows}</ul>"
