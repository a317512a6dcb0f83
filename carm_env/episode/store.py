"""Run folders: written crash-safe, read back with every doubt told in one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from carm_env.episode import folder
from carm_env.episode.manifest import FORMAT, plain
from carm_env.episode.recorder import EpisodeRecord, FrameLog
from carm_env.episode.schema import SCHEMA_VERSION, episodes_schema, steps_schema
from carm_env.episode.summary import episode_row, row_summary, run_summary
from carm_env.errors import CarmError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_EPISODES = 1_000_000
MAX_STEPS = 50_000_000


class RunWriter:
    """Writes one run folder; use as a context manager.

    Work happens in the hidden sibling ``.NAME.partial``: each finished episode becomes a shard there at once, and
    ``commit`` builds the run and renames it to ``out``. A killed run leaves only that sibling, which no reader takes
    for a run and which the next writer of the same identity resumes. Files put into ``folder`` before ``commit``
    (a player, a video) become part of the run. An earlier run at ``out`` stays untouched until then.

    Args:
        out: the run folder to be.
        manifest: from ``build_manifest``; a partial run is resumed only if its ``identity`` is the same.

    Raises:
        CarmError: ``out`` cannot be written, holds files that are not ours or is being written by another process.
    """

    def __init__(self, out: Path | str, manifest: Mapping[str, Any]) -> None:
        self.out = folder.resolved(out)
        self._manifest = dict(manifest)
        folder.check_replaceable(self.out)
        folder.restore_retired(self.out)
        self._partial = folder.partial_folder(self.out)
        self._made = folder.make_folder(self._partial, self.out)
        self._lock = folder.lock(self._partial, self.out)
        self.folder = self._partial / "run"
        self._shards = self._partial / "shards"
        self._resume_or_clear()

    def _resume_or_clear(self) -> None:
        stamp = self._partial / "identity.json"
        try:
            resumed = folder.read_json(stamp).get("identity") == self._manifest["identity"]
        except CarmError:
            resumed = False
        if not resumed:
            shutil.rmtree(self._shards, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._shards.mkdir(exist_ok=True)
        self.folder.mkdir()
        folder.write_json(stamp, {"identity": self._manifest["identity"]})

    def completed(self) -> list[int]:
        """Indices of the episodes that are finished and need not run again."""
        return sorted(int(p.stem) for p in self._shards.glob("*.json") if p.stem.isdigit())

    def add(self, index: int, record: EpisodeRecord, frames: bool = True) -> None:
        """Stores a finished episode; ``frames`` keeps its images too, so that a resumed run can still show them."""
        import pyarrow.parquet as pq

        stem = self._shards / f"{index:07d}"
        pq.write_table(record.table(index), stem.with_suffix(".parquet"))
        if frames and len(record.frames):
            log = record.frames
            np.savez_compressed(stem.with_suffix(".npz"), row=log.row, plane=log.plane, image=log.image)
        folder.write_json(stem.with_suffix(".json"), plain(record.summary))

    def record(self, index: int) -> EpisodeRecord:
        """A finished episode, with the frames that were kept."""
        stem = self._shards / f"{index:07d}"
        summary = folder.read_json(stem.with_suffix(".json"))
        return EpisodeRecord.from_table(_read_table(stem.with_suffix(".parquet")), summary, _load_frames(stem))

    def summaries(self) -> list[dict[str, Any]]:
        """Summaries of the finished episodes, in order."""
        return [folder.read_json(self._shards / f"{index:07d}.json") for index in self.completed()]

    def commit(self, extra_summary: Mapping[str, Any] | None = None) -> Path:
        """Builds the run from its shards and puts it in place; returns ``out``.

        Args:
            extra_summary: merged into ``summary.json`` (intervals, statistics).
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        indices = self.completed()
        if not indices:
            raise ValueError("commit() without a finished episode")
        rows = self.summaries()
        episodes = [episode_row(i, row) for i, row in zip(indices, rows, strict=True)]
        pq.write_table(pa.Table.from_pylist(episodes, episodes_schema()), self.folder / "episodes.parquet")
        self._merge_steps(indices)
        folder.write_json(self.folder / "summary.json", run_summary(rows) | dict(extra_summary or {}))
        files = sorted(p.name for p in self.folder.iterdir())
        counted = {"episodes": len(indices), "files": [*files, folder.MANIFEST]}
        folder.write_json(self.folder / folder.MANIFEST, self._manifest | counted)
        folder.put_in_place(self.folder, self.out)
        shutil.rmtree(self._partial, ignore_errors=True)
        self._lock.close()
        return self.out

    def _merge_steps(self, indices: list[int]) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetWriter(self.folder / "steps.parquet", steps_schema(), compression="zstd") as writer:
            for index in indices:
                writer.write_table(_read_table(self._shards / f"{index:07d}.parquet"))

    def discard(self) -> None:
        """Drops everything that was not committed, and the parent folders made for it."""
        shutil.rmtree(self._partial, ignore_errors=True)
        self._lock.close()
        for made in self._made[1:]:
            if any(made.iterdir()):
                break
            made.rmdir()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._lock.closed and not self.completed():
            self.discard()
        self._lock.close()


@dataclass(frozen=True, eq=False)
class Run:
    """A committed run: its folder, manifest, summary and a row an episode; the steps are read when asked for."""

    path: Path
    manifest: dict[str, Any]
    summary: dict[str, Any]
    episodes: pa.Table

    @cached_property
    def steps(self) -> pa.Table:
        """All steps of all episodes, ``steps_schema``."""
        return _read_table(self.path / "steps.parquet")

    def __len__(self) -> int:
        return self.episodes.num_rows

    def record(self, row: int = 0) -> EpisodeRecord:
        """One episode by its row in ``episodes``, without frames (replay renders them again)."""
        import pyarrow.compute as pc

        if not 0 <= row < len(self):
            raise CarmError(f"episode {row} is not in {self.path}; it has {len(self)}, counted from 0")
        about = self.episodes.slice(row, 1).to_pylist()[0]
        mine = self.steps.filter(pc.equal(self.steps["episode"], about["episode"]))
        if not mine.num_rows:
            raise CarmError(f"{self.path / 'steps.parquet'} has no steps of episode {about['episode']}")
        try:
            return EpisodeRecord.from_table(mine, row_summary(about))
        except ValueError as e:
            raise CarmError(f"{self.path} is damaged at episode {row}: {str(e).splitlines()[0]}") from None


def read_run(path: Path | str) -> Run:
    """Reads a committed run.

    Raises:
        CarmError: no run folder, an unfinished one, another schema version, or a damaged file.
    """
    path = Path(path)
    if not (path / folder.MANIFEST).is_file():
        raise CarmError(_why_no_run(path))
    manifest = folder.read_json(path / folder.MANIFEST)
    if manifest.get("format") != FORMAT:
        raise CarmError(f"{path / folder.MANIFEST} is no manifest of a run; want format {FORMAT!r}")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        found = manifest.get("schema_version")
        raise CarmError(f"{path} has schema version {found!r}; this program reads version {SCHEMA_VERSION}")
    episodes = _read_table(path / "episodes.parquet")
    if episodes.num_rows != manifest.get("episodes"):
        raise CarmError(f"{path} holds {episodes.num_rows} episodes, its manifest says {manifest.get('episodes')!r}")
    return Run(path, manifest, folder.read_json(path / "summary.json"), episodes)


def _why_no_run(path: Path) -> str:
    if not path.exists() and folder.partial_folder(Path(os.path.abspath(path))).exists():
        return f"{path} is unfinished; run the command that was writing it again to resume it"
    if path.name.endswith(".partial") and path.is_dir():
        return f"{path} is an unfinished run; run the command that was writing it again to resume it"
    what = "does not exist" if not path.exists() else "is a file" if path.is_file() else f"holds no {folder.MANIFEST}"
    return f"{path} is not a run folder: it {what}; want the out folder of a finished `carm run`"


def _read_table(path: Path) -> pa.Table:
    """A table of one of the two schemas (by the presence of ``step``), its row count checked before it is loaded."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow
            schema, most = (steps_schema(), MAX_STEPS) if "step" in found.names else (episodes_schema(), MAX_EPISODES)
            if not found.equals(schema):
                raise CarmError(f"{path} has other columns than schema version {SCHEMA_VERSION}")
            if file.metadata.num_rows > most:
                raise CarmError(f"{path} has {file.metadata.num_rows} rows; want at most {most}")
            table = file.read()
            table.validate(full=True)
            return table
    except FileNotFoundError:
        raise CarmError(f"{path} is missing; the run folder is damaged") from None
    except CarmError:
        raise
    except (pa.ArrowException, OSError, ValueError) as e:
        raise CarmError(f"{path} cannot be read as Parquet: {str(e).splitlines()[0]}") from None


def _load_frames(stem: Path) -> FrameLog:
    path = stem.with_suffix(".npz")
    if not path.exists():
        return FrameLog.empty()
    with np.load(path, allow_pickle=False) as data:
        return FrameLog(data["row"], data["plane"], data["image"])
