"""What `carm run` says on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import carm_env
from carm_env.episode.recorder import EpisodeRecord
from carm_env.episode.store import Run
from configs.schema import RunConfig

MAX_ROWS = 24


def announce(config: RunConfig, episodes: int) -> None:
    """What is about to happen, and that a first call compiles."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    what = f"{episodes} episodes" if episodes > 1 else f"seed {config.seed}"
    name = Path(config.patient).name
    console.print(
        f"{config.policy['name']} over {name} ({what}; {config.perception['name']} perception, "
        f"{config.device['name']}, renderer {config.renderer})"
    )
    if not _compiled():
        console.print("first run on this machine: compiling the renderer, about half a minute", style="yellow")


def _compiled() -> bool:
    return any(Path(carm_env.__file__).parent.glob("render/**/*.nbc"))


def show(run: Run, first: EpisodeRecord) -> None:
    """Exposures of the first episode, the summary, and where the files are."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if len(run) == 1:
        console.print(_exposures(first))
    console.print(_summary(run.summary))
    for message in first.summary.get("messages", []):
        console.print(f"note: {message}", style="yellow")
    console.print(f"written to {_relative(run.path)}: " + ", ".join(sorted(p.name for p in run.path.iterdir())))
    if (run.path / "index.html").exists():
        console.print(f"open {_relative(run.path / 'index.html')} in a browser to watch it")


def _relative(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _exposures(record: EpisodeRecord) -> Table:
    """A row an exposed frame; long episodes are thinned."""
    title = "exposures (lengths in mm)"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", header_style="bold", padding=(0, 0, 0, 1))
    for heading in ("t s", "plane", "z", "field", "dose", "kV/Cu", "mAs", "mGy cm2", "estimate", "error"):
        left = heading in ("plane", "dose")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    steps, marks = record.steps, "ab"[: record.planes]
    shots = [(row, p) for row in range(len(record)) for p in marks if steps[f"exposed_{p}"][row]]
    thin = [shots[i * (len(shots) - 1) // (MAX_ROWS - 1)] for i in range(MAX_ROWS)] if len(shots) > MAX_ROWS else shots
    for row, p in thin:
        at = {name: values[row] for name, values in steps.items()}
        away = sum(at[f"estimate_{axis}_mm_{p}"] ** 2 for axis in "xyz") ** 0.5
        table.add_row(
            f"{at['elapsed_s']:.1f}",
            p.upper(),
            f"{at['z_mm']:.0f}",
            f"{at[f'field_mm_{p}']:.0f}",
            str(at["preset"]),
            f"{at[f'kv_{p}']:.0f}/{at[f'cu_mm_{p}']:.1f}",
            f"{at[f'mas_{p}']:.3f}",
            f"{1000 * at[f'kap_gycm2_{p}']:.2f}",
            f"{away:.0f}" if at[f"estimate_valid_{p}"] else "-",
            f"{at['error_mm']:.0f}",
        )
    if len(thin) < len(shots):
        table.caption = f"{len(thin)} of {len(shots)} exposures"
    return table


def _summary(summary: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_header=False, title="summary", title_justify="left")
    for name, value in _lines(summary):
        table.add_row(name, value)
    return table


def _lenses(s: dict[str, Any]) -> str:
    left, right = s.get("lens_left_mgy"), s.get("lens_right_mgy")
    if left is None or right is None:
        return "their place is not known"
    return f"left {1000 * left:.2f}, right {1000 * right:.2f} uGy"


def _lines(s: dict[str, Any]) -> list[tuple[str, str]]:
    many = s["episodes"] > 1
    outcomes = s["outcome"].items() if many else []
    lines = [("outcome", ", ".join(f"{name} {count}" for name, count in outcomes) or str(s["outcome"]))]
    if many:
        low, high = s["success_interval"]
        lines.append(("success", f"{s['successes']} of {s['episodes']} (95 % Wilson {low:.2f} to {high:.2f})"))
    lines += [
        ("final error", f"{s['final_error_mm']:.1f} mm, {s['final_error_deg']:.1f} deg"),
        ("time", f"{s['time_s']:.1f} s"),
        ("path", f"{s['path_mm']:.0f} mm"),
        ("exposures", f"{s['exposures']:g}"),
        ("KAP", f"{1000 * s['kap_gycm2']:.2f} mGy cm2, of which search {1000 * s['kap_search_gycm2']:.2f}"),
        ("K_a,r", f"{1000 * s['ka_r_mgy']:.1f} uGy"),
        ("skin", f"{1000 * s['psd_mgy']:.1f} uGy at its peak, of which search {1000 * s['psd_search_mgy']:.1f}"),
        ("eye lenses", _lenses(s)),
        ("effective dose", f"{s['effective_usv']:.2f} uSv, of which search {s['effective_search_usv']:.2f}"),
        ("operator", f"{1000 * s['operator_usv']:.1f} nSv"),
        ("speed", f"{s['steps_per_s']:.0f} steps/s ({s['wall_s']:.1f} s)"),
    ]
    compared = s.get("compare")
    if compared:
        lines.append(("difference", f"from {compared['with']}, {compared['pairs']} pairs"))
        for name, row in compared["differences"].items():
            lines.append((f"  {name}", f"{row['value']:+.4g} (95 % {row['low']:+.4g} to {row['high']:+.4g})"))
    return lines
