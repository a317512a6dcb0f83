"""What a run was made with: configuration, code, inputs. Two runs of one identity may share episodes."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from carm_env.episode.schema import SCHEMA_VERSION
from carm_env.patient.model import Patient

FORMAT = "carm-run"
_PACKAGES = ("numpy", "numba", "scipy", "gymnasium", "pyarrow", "torch", "stable-baselines3", "nanodrr", "deepdrr")
_IDENTITY = ("schema_version", "config", "env_spec", "seeds", "packages", "git", "renderer", "cts", "checkpoints")


def plain(value: Any) -> Any:
    """``value`` with NumPy types turned into JSON's own, and NaN and infinities into null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | range):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def dumps(value: Any, indent: int | None = None) -> str:
    """Strict JSON text of ``plain(value)``."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def ct_hashes(patients: Iterable[Patient]) -> dict[str, str]:
    """Patient id to the BLAKE2b hash of its voxels and affine."""
    hashes = {}
    for patient in patients:
        if patient.id not in hashes:
            digest = hashlib.blake2b(np.asarray(patient.volume.affine, float).tobytes(), digest_size=16)
            digest.update(str(patient.volume.hu.shape).encode())
            for slab in patient.volume.hu:
                digest.update(slab.tobytes())
            hashes[patient.id] = digest.hexdigest()
    return hashes


def build_manifest(
    config: Mapping[str, Any],
    env_spec_json: str,
    seeds: Sequence[int],
    patients: Mapping[str, str],
    renderer: str,
    checkpoints: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The manifest of a run that is about to start.

    Args:
        config: resolved configuration, plain containers.
        env_spec_json: the environment's spec as JSON text.
        seeds: one episode seed an episode, in order.
        patients: patient id to content hash (``ct_hashes``), or to the name of the generator for phantoms.
        checkpoints: name to hash of every network in the loop.
    """
    manifest = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "config": plain(config),
        "env_spec": env_spec_json,
        "seeds": plain(list(seeds)),
        "packages": _versions(),
        "git": _git(),
        "renderer": renderer,
        "cts": plain(patients),
        "checkpoints": plain(checkpoints or {}),
        "platform": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "python": sys.version.split()[0],
            "cpu": cpu_name(),
        },
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return manifest | {"identity": identity(manifest)}


def cpu_name() -> str:
    """The processor's own name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def identity(manifest: Mapping[str, Any]) -> str:
    """Hash of all that decides what an episode of this run looks like."""
    chosen = {key: manifest.get(key) for key in _IDENTITY}
    text = json.dumps(plain(chosen), sort_keys=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git() -> dict[str, Any] | None:
    """Commit of the checkout that this package runs from, and a hash of how tracked code differs from it."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git_output(root, "rev-parse", "HEAD")
    changes = _git_output(root, "diff", "HEAD", "--", "*.py", "*.yaml")
    if commit is None:
        return None
    digest = hashlib.blake2b(changes.encode(), digest_size=8).hexdigest() if changes else None
    return {"commit": commit, "changes": digest}


def _git_output(root: Path, *command: str) -> str | None:
    try:
        line = ["git", "-C", str(root), *command]
        done = subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
