"""What an import has done so far, kept so that it can be stopped at any moment and go on."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError
from carm_env.patient.intake.convert import Settings
from carm_env.whole import PARTS, whole

_VERSION = 1
_KEY_BYTES = 16


class Journal:
    """One line a finished case, appended when its files are in place; the folder holds:

    ``journal.jsonl`` (settings, then results), and ``private/`` for the owner alone: the key that turns identifiers
    into pseudonyms, what was imported, and which source each case came from.

    Raises:
        CarmError: the folder cannot be used, belongs to another import or to one that is running.
    """

    def __init__(self, out: Path, src: Path, settings: Settings) -> None:
        self.out, self._file = out, out / "journal.jsonl"
        private = out / "private"
        try:
            out.mkdir(parents=True, exist_ok=True)
            private.mkdir(mode=0o700, exist_ok=True)
            self._lock = (private / "lock").open("w")
            _lock(self._lock, out)
            self.secret = _secret(private / "key")
            for stray in out.glob(PARTS):
                stray.unlink()
        except OSError as error:
            raise CarmError(f"{out}: cannot be written ({error.strerror}); want a folder to write to") from error
        _claim(private / "source", src.resolve(), out)
        self.results = self._read(settings)
        self._stream = self._file.open("a", encoding="utf-8")
        if not self.results and self._file.stat().st_size == 0:
            self._append({"version": _VERSION, "settings": asdict(settings)})

    def close(self) -> None:
        self._stream.close()
        self._lock.close()

    def add(self, key: str, results: list[dict[str, Any]]) -> None:
        """Notes a finished case; on disk when this returns."""
        self._append({"case": key, "results": results})
        self.results[key] = results

    def done(self, key: str) -> bool:
        """Whether a case needs no more work: refused, or imported with its files in place."""
        results = self.results.get(key)
        return results is not None and all(
            r["state"] != "imported" or (self.out / f"{r['name']}.nii.gz").exists() for r in results
        )

    def remove_stale(self, keys: set[str]) -> None:
        """Removes the files of sources that are gone or have changed since: those of no case in ``keys``."""
        names = {key: {r["name"] for r in rs if r["state"] == "imported"} for key, rs in self.results.items()}
        current = set().union(*(names[key] for key in keys & names.keys()))
        for name in set().union(*names.values()) - current:
            for suffix in (".nii.gz", ".landmarks.json"):
                (self.out / f"{name}{suffix}").unlink(missing_ok=True)

    def write_sources(self, paths: dict[str, str]) -> None:
        """The list of cases with their sources, readable by the owner only."""
        lines = [json.dumps({"case": key, "source": paths[key]}) + "\n" for key in sorted(paths)]
        with _private(self.out / "private" / "sources.jsonl") as stream:
            stream.writelines(lines)

    def _append(self, record: dict[str, Any]) -> None:
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _read(self, settings: Settings) -> dict[str, list[dict[str, Any]]]:
        if not self._file.exists():
            return {}
        records, length = [], 0
        with self._file.open("rb") as stream:
            for line in stream:
                try:
                    records.append(json.loads(line))
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    records.pop()
                    break
                length += len(line)
        os.truncate(self._file, length)
        if not records:
            return {}
        earlier = records[0].get("settings")
        if earlier != asdict(settings):
            changed = [k for k, v in asdict(settings).items() if (earlier or {}).get(k, v) != v]
            raise CarmError(
                f"{self.out}: holds an import with other settings ({', '.join(changed) or 'of another version'}); "
                "want the same settings, or another --out"
            )
        return {r["case"]: r["results"] for r in records[1:]}


def _claim(path: Path, src: Path, out: Path) -> None:
    """A folder holds the import of one source."""
    own = os.fsencode(src)
    if not path.exists():
        with _private(path) as stream:
            stream.write(os.fsdecode(own))
    elif path.read_bytes() != own:
        raise CarmError(f"{out}: holds the import of another source; want the same source, or another --out")


def _secret(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    with _private(path) as stream:
        stream.write(secrets.token_hex(_KEY_BYTES // 2))
    return path.read_bytes()


@contextlib.contextmanager
def _private(path: Path) -> Iterator[Any]:
    with whole(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            yield stream


def _lock(stream: Any, out: Path) -> None:
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise CarmError(f"{out}: another import is writing there; want to wait for it, or another --out") from None
