"""What a suite's folder is of: cells, patients, weights. Two suites of one identity may share shards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.core.plan import Plan
from carm_env.cli.spec import checkpoints
from carm_env.episode import folder
from carm_env.episode.manifest import build_manifest, ct_hashes, dumps, plain
from carm_env.errors import CarmError
from carm_env.patient.load import load_patient
from carm_env.patient.names import parse_name

FORMAT = "carm-bench"
VERSION = 1
_MADE = ("seeds", "packages", "git", "platform", "created")
_IDENTITY = ("version", "suite", "cells", "patients", "cts", "checkpoints", "block", "packages")


def describe(plan: Plan, command: str) -> dict[str, Any]:
    """The manifest of a suite that is about to start.

    Args:
        command: that makes it.

    Raises:
        CarmError: a CT or weights that cannot be read.
    """
    cells = [
        {"key": c.key, "policy": c.policy, "perception": c.perception, "error": c.error, "size": c.size,
         "words": list(c.words), "spec": plain(asdict(c.spec))}
        for c in plan.cells
    ]  # fmt: skip
    scans = dict.fromkeys(p for p in plan.patients if parse_name(p).kind != "phantom")
    made = build_manifest({}, "", range(len(plan.patients)), {}, "")
    networks = {name: seen for cell in plan.cells for name, seen in checkpoints(cell.spec).items()}
    about: dict[str, Any] = {
        "format": FORMAT, "version": VERSION, "suite": plan.suite, "command": command, "cells": cells,
        "patients": list(plan.patients), "cts": ct_hashes(load_patient(p) for p in scans),
        "checkpoints": networks, "block": plan.block,
        **{name: made[name] for name in _MADE},
    }  # fmt: skip
    about = json.loads(dumps(about))
    text = json.dumps({name: about[name] for name in _IDENTITY}, sort_keys=True)
    return about | {"identity": hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}


def earlier_manifest(out: Path) -> dict[str, Any] | None:
    """The manifest of a folder that holds something; None of a new one, which may not exist.

    Raises:
        CarmError: the folder holds other files, or cannot be opened.
    """
    try:
        names = set(os.listdir(out)) - {".lock"} if out.exists() else set()
    except OSError as error:
        raise CarmError(f"out={out} cannot be opened: {error.strerror}; want a folder") from None
    if not names or names == {"shards"}:
        return None
    if folder.MANIFEST not in names:
        raise CarmError(f"out={out} is a folder with other files in it; want a new one or an unfinished benchmark's")
    return read_manifest(out)


def check_same(out: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuses to go on with another suite.

    Raises:
        CarmError: so; names what differs.
    """
    if earlier.get("identity") == now["identity"]:
        return
    differs = next((name for name in _IDENTITY if earlier.get(name) != now[name]), "identity")
    raise CarmError(
        f"out={out} holds a benchmark with other {differs} ({earlier.get('command')}); want another folder, or that "
        "very command"
    )


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
