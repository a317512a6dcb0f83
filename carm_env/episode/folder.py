"""Folders that appear whole or not at all: work in a hidden sibling, then one rename."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

from carm_env.episode.manifest import FORMAT, dumps
from carm_env.errors import CarmError
from carm_env.whole import whole

MANIFEST = "manifest.json"
OWN_FILES = frozenset({MANIFEST, "episodes.parquet", "steps.parquet", "summary.json", "index.html", "episode.mp4"})
MAX_JSON_BYTES = 16 * 2**20


def write_json(path: Path, value: Any) -> None:
    """Writes strict JSON; the file appears whole or not at all."""
    with whole(path) as part:
        part.write_text(dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of bounded size.

    Raises:
        CarmError: the file is missing, too large, not JSON or not an object.
    """
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise CarmError(f"{path} is {size} bytes; want at most {MAX_JSON_BYTES}")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise CarmError(f"cannot read {path}: {e.strerror}") from None
    except (ValueError, RecursionError) as e:
        raise e if isinstance(e, CarmError) else CarmError(f"{path} is not valid JSON") from None
    if not isinstance(value, dict):
        raise CarmError(f"{path} holds a JSON {type(value).__name__}; want an object")
    return value


def resolved(out: Path | str) -> Path:
    """The absolute path of a run folder; a link stands for the folder that it points to.

    Raises:
        CarmError: empty, not a path, or the current folder or one above it, which a run cannot replace.
    """
    text = str(out)
    if not text.strip() or "\0" in text:
        raise CarmError(f"out={text!r} is not a folder's name; want for example out=runs/mine")
    try:
        path = Path(text).resolve() if Path(text).is_symlink() else Path(os.path.abspath(text))
    except (OSError, RuntimeError) as e:
        raise CarmError(f"out={text} cannot be followed: {e}; want a folder that you may write to") from None
    if path == Path.cwd() or path in Path.cwd().parents:
        raise CarmError(f"out={text} is the current folder or lies above it; want a folder below, as in out=runs/mine")
    return path


def partial_folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial")


def retired_folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def check_replaceable(out: Path) -> None:
    """Refuses an ``out`` that holds anything this program did not write.

    Raises:
        CarmError: ``out`` is a file, or a non-empty folder that is no run, or a run with foreign files in it.
    """
    try:
        if not out.exists():
            return
        if not out.is_dir():
            raise CarmError(f"out={out} is a file; want a new folder or an earlier run's")
        names = {entry.name for entry in out.iterdir()}
    except OSError as e:
        raise CarmError(f"out={out} cannot be opened: {e.strerror}; want a folder that you may write to") from None
    if not names:
        return
    manifest = read_json(out / MANIFEST) if MANIFEST in names else {}
    if manifest.get("format") != FORMAT:
        raise CarmError(f"out={out} is a folder with other files in it; want a new folder or an earlier run's")
    files = manifest.get("files")
    foreign = sorted(names - OWN_FILES - set(map(str, files if isinstance(files, list) else ())))
    if foreign:
        raise CarmError(f"out={out} is a run that also holds {foreign[0]!r}; move that away or choose another folder")


def make_folder(folder: Path, out: Path) -> list[Path]:
    """Creates ``folder`` with its parents; returns the folders made, innermost first.

    Raises:
        CarmError: a parent is a file or not writable.
    """
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except NotADirectoryError:
        blocker = next(p for p in folder.parents if p.exists())
        raise CarmError(f"out={out} cannot be made: {blocker} is a file; want a path below a folder") from None
    except OSError as e:
        raise CarmError(f"out={out} cannot be made: {e.strerror}; want a folder that you may write to") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CarmError(f"out={out} is not writable: {folder} belongs to somebody else")
    return missing


def put_in_place(ready: Path, out: Path) -> None:
    """Renames ``ready`` to ``out``; an earlier run there is taken away first and deleted afterwards."""
    check_replaceable(out)
    retired = retired_folder(out)
    if out.exists():
        shutil.rmtree(retired, ignore_errors=True)
        os.replace(out, retired)
    os.replace(ready, out)
    shutil.rmtree(retired, ignore_errors=True)


def restore_retired(out: Path) -> None:
    """Undoes a replacement that was killed between its two renames."""
    retired = retired_folder(out)
    if not out.exists() and retired.is_dir() and (retired / MANIFEST).is_file():
        os.replace(retired, out)


def lock(folder: Path, out: Path) -> IO[str]:
    """Holds ``folder`` for this process until the returned file is closed (no lock where the system has none).

    Raises:
        CarmError: another process is writing the same run.
    """
    handle = open(folder / ".lock", "w", encoding="utf-8")  # noqa: SIM115
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except OSError:
        handle.close()
        raise CarmError(f"out={out} is being written by another process; wait or take another folder") from None
    return handle
