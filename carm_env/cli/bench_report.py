"""`carm bench report`: the page of a finished suite again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from carm_env.cli.options import check_writable, options
from carm_env.errors import CarmError

if TYPE_CHECKING:
    from benchmarks.core.plan import Cell

HELP = """\
carm bench report DIR [--out page.html]

  DIR     out folder of a finished `carm bench suite=core`, smoke or perception_errors
  --out   where the page goes; DIR/report.html by default

The worst episodes of the best policies are run again from their seeds. Policies and perceptions named module:attribute
are not imported from a folder: their episodes are left out.
"""


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    from benchmarks.core.manifest import read_manifest
    from benchmarks.core.report.page import write_report
    from benchmarks.core.shards import RESULTS, read_rows
    from carm_env.episode.folder import read_json

    found, rest = options(argv, ("--out",))
    if len(rest) != 1:
        raise CarmError(f"carm bench report takes one folder, got {len(rest)}; want the out of `carm bench suite=core`")
    folder = Path(rest[0])
    manifest = read_manifest(folder)
    if not (folder / RESULTS).is_file():
        raise CarmError(f"{folder} is unfinished; give its command again: {manifest.get('command')}")
    target = Path(found.get("--out", folder / "report.html"))
    check_writable(target)
    cells = {cell.key: cell for cell in map(_cell, manifest["cells"]) if _is_own(cell)}
    print(write_report(target, read_json(folder / RESULTS), read_rows(folder, manifest), cells))
    return 0


def _cell(about: dict[str, Any]) -> Cell:
    from benchmarks.core.plan import Cell

    return Cell(about["policy"], about["perception"], tuple(about["words"]), about["error"], float(about["size"]))


def _is_own(cell: Cell) -> bool:
    """Whether nothing in a recorded cell names somebody else's code."""
    named = ("policy", "perception", "renderer")
    settings = (word.partition("=") for word in cell.words)
    return not any(":" in value for key, _, value in settings if key.split(".")[0] in named)
