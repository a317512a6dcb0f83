"""A suite's folder and its shards, each written whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from benchmarks.core.manifest import check_same, describe, earlier_manifest
from benchmarks.core.plan import Cell, Plan
from carm_env.episode import folder
from carm_env.episode.schema import SUMMARY_FIELDS
from carm_env.errors import CarmError
from carm_env.whole import PARTS, whole

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS = "results.json"
COLUMNS: dict[str, str] = {
    "cell": "string", "patient_name": "string", **SUMMARY_FIELDS, "idle_s": "float64", "failure": "string",
    "command": "string",
}  # fmt: skip
"""A shard's columns: the summary of `carm run`, and where the episode belongs."""


class Store:
    """The folder of one suite, held for this process; use as a context manager.

    Args:
        out: new, empty, or of the very same suite, which then goes on.

    Raises:
        CarmError: other files, another configuration, another process at work, or not writable.
    """

    def __init__(self, out: Path | str, plan: Plan, command: str) -> None:
        self.out, self.plan = folder.resolved(out), plan
        manifest = describe(plan, command)
        earlier = earlier_manifest(self.out)
        if earlier is not None:
            check_same(self.out, earlier, manifest)
        folder.make_folder(self.out / "shards", self.out)
        self._lock = folder.lock(self.out, self.out)
        for left in (self.out / "shards").glob(PARTS):
            left.unlink()
        self.manifest = earlier or manifest
        if earlier is None:
            folder.write_json(self.out / folder.MANIFEST, manifest)

    def path(self, cell: Cell, block: int) -> Path:
        """The file of a shard."""
        return self.out / "shards" / f"{cell.key}.{block:03d}.parquet"

    def missing(self, block: int) -> list[Cell]:
        """Cells without their shard of a block."""
        return [cell for cell in self.plan.cells if not self.path(cell, block).exists()]

    def write(self, cell: Cell, block: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Puts a shard in place, whole."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in rows], _schema())
        with whole(self.path(cell, block)) as part:
            pq.write_table(table, part)

    def rows(self) -> list[dict[str, Any]]:
        """Every episode, by cell and seed.

        Raises:
            CarmError: a shard is missing or damaged.
        """
        return read_rows(self.out, self.manifest)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.close()


def read_rows(out: Path, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every episode of a finished suite, by cell and seed.

    Raises:
        CarmError: a shard is missing or damaged.
    """
    n, block = len(manifest["patients"]), int(manifest["block"])
    rows = []
    for cell in manifest["cells"]:
        for number, first in enumerate(range(0, n, block)):
            path = out / "shards" / f"{cell['key']}.{number:03d}.parquet"
            rows += _read(path, list(range(first, min(first + block, n))))
    return rows


def _read(path: Path, seeds: list[int]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise CarmError(f"{path} is missing; give the command that made the folder again, it goes on from there")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise CarmError(f"{path} cannot be read: {str(error).splitlines()[0]}; delete it and go on") from None
    if not table.schema.equals(_schema()) or table["seed"].to_pylist() != seeds:
        raise CarmError(f"{path} holds other columns or episodes than it should; delete it and go on")
    return table.to_pylist()


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = {"string": pa.string(), "bool": pa.bool_(), "int64": pa.int64(), "float64": pa.float64()}
    return pa.schema([pa.field(name, kinds[kind]) for name, kind in COLUMNS.items()])
