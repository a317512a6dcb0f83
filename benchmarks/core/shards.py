"""A suite's folder: what it is of, and its shards, each written whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from benchmarks.core.plan import Cell, Plan
from carm_env.episode import folder
from carm_env.episode.manifest import build_manifest, ct_hashes, dumps, plain
from carm_env.episode.schema import SUMMARY_FIELDS
from carm_env.errors import CarmError
from carm_env.patient.load import load_patient
from carm_env.patient.names import parse_name
from carm_env.whole import PARTS, whole

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "carm-bench"
VERSION = 1
RESULTS = "results.json"
_MADE = ("seeds", "packages", "git", "platform", "created")
_IDENTITY = ("version", "suite", "cells", "patients", "cts", "block", "packages")
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
        manifest = _manifest(plan, command)
        earlier = _earlier(self.out)
        if earlier is not None:
            _check_same(self.out, earlier, manifest)
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


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a suite's folder.

    Raises:
        CarmError: there is none, or it is of something else.
    """
    if not (path / folder.MANIFEST).is_file():
        raise CarmError(f"{path} is no benchmark's folder: it holds no {folder.MANIFEST}; want the out of `carm bench`")
    manifest = folder.read_json(path / folder.MANIFEST)
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise CarmError(f"{path} is no benchmark's folder of version {VERSION}; want the out of `carm bench`")
    return manifest


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


def _manifest(plan: Plan, command: str) -> dict[str, Any]:
    cells = [
        {"key": c.key, "policy": c.policy, "perception": c.perception, "error": c.error, "size": c.size,
         "words": list(c.words), "spec": plain(asdict(c.spec))}
        for c in plan.cells
    ]  # fmt: skip
    scans = dict.fromkeys(p for p in plan.patients if parse_name(p).kind != "phantom")
    made = build_manifest({}, "", range(len(plan.patients)), {}, "")
    about: dict[str, Any] = {
        "format": FORMAT, "version": VERSION, "suite": plan.suite, "command": command, "cells": cells,
        "patients": list(plan.patients), "cts": ct_hashes(load_patient(p) for p in scans), "block": plan.block,
        **{name: made[name] for name in _MADE},
    }  # fmt: skip
    about = json.loads(dumps(about))
    text = json.dumps({name: about[name] for name in _IDENTITY}, sort_keys=True)
    return about | {"identity": hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}


def _earlier(out: Path) -> dict[str, Any] | None:
    """The manifest of a folder that holds something."""
    try:
        names = set(os.listdir(out)) - {".lock"} if out.exists() else set()
    except OSError as error:
        raise CarmError(f"out={out} cannot be opened: {error.strerror}; want a folder") from None
    if not names or names == {"shards"}:
        return None
    if folder.MANIFEST not in names:
        raise CarmError(f"out={out} is a folder with other files in it; want a new one or an unfinished benchmark's")
    return read_manifest(out)


def _check_same(out: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if earlier.get("identity") == now["identity"]:
        return
    differs = next((name for name in _IDENTITY if earlier.get(name) != now[name]), "identity")
    raise CarmError(
        f"out={out} holds a benchmark with other {differs} ({earlier.get('command')}); want another folder, or that "
        "very command"
    )
