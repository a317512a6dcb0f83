"""How long `carm patients import` takes for one CT of 512 x 512 x 1200 voxels, and its memory.

    python -m benchmarks.import_speed [--out benchmarks/results/import.json] [--rounds 3]

The CT is a phantom interpolated to that size with noise of 18 HU, so that it compresses like a real one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.export import write_patient
from carm_env.patient.load import load_patient
from carm_env.patient.model import Patient, Volume

SHAPE = (512, 512, 1200)
NOISE_HU = 18.0
PATIENT = "phantom:1"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        ct = write_patient(large_ct(), folder, "large")
        ct.with_name("large.landmarks.json").unlink()
        rounds = [measured(ct, Path(folder) / f"out-{i}") for i in range(given.rounds)]
        megabytes = ct.stat().st_size / 2**20
    record = {
        "command": "python -m benchmarks.import_speed",
        "ct": f"{PATIENT} as {' x '.join(map(str, SHAPE))}, int16, gzip, {megabytes:.0f} MB",
        "seconds": [round(s, 1) for s, _ in rounds],
        "median_s": round(float(np.median([s for s, _ in rounds])), 1),
        "peak_gb": round(max(g for _, g in rounds), 2),
    }
    print(json.dumps(record, indent=1))
    if given.out:
        given.out.write_text(json.dumps(record, indent=1) + "\n")


def measured(ct: Path, out: Path) -> tuple[float, float]:
    """Wall seconds and peak memory (GB, largest of all processes so far) of one import."""
    command: list[Any] = [sys.executable, "-m", "carm_env.cli.main", "patients", "import", ct, "--out", out]
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def large_ct() -> Patient:
    """The phantom on ``SHAPE`` voxels within the same ends, with noise."""
    source = load_patient(PATIENT)
    old = np.array(source.volume.hu.shape)
    rng = np.random.default_rng(0)
    at = [np.clip((np.arange(n) + 0.5) * o / n - 0.5, 0.0, o - 1.0) for n, o in zip(SHAPE, old, strict=True)]
    hu = np.empty(SHAPE, np.int16)
    for i, x in enumerate(at[0]):
        low = min(int(x), old[0] - 2)
        plane = _between(source.volume.hu[low], source.volume.hu[low + 1], x - low)
        for axis in (0, 1):
            first = np.minimum(at[axis + 1].astype(int), old[axis + 1] - 2)
            shape = (-1, 1) if axis == 0 else (1, -1)
            part = (at[axis + 1] - first).astype(np.float32).reshape(shape)
            plane = _between(plane.take(first, axis), plane.take(first + 1, axis), part)
        hu[i] = np.clip(plane + NOISE_HU * rng.standard_normal(plane.shape, np.float32), -1024, 3071)
    affine = source.volume.affine.copy()
    affine[:3, :3] *= old / SHAPE
    return Patient("large", Volume(hu, affine))


def _between(low: NDArray[Any], high: NDArray[Any], part: Any) -> NDArray[np.float32]:
    return np.asarray(low * (1.0 - part) + high * part, np.float32)


if __name__ == "__main__":
    main()
