"""`python -m benchmarks.realism gallery|measure|survey`: phantoms beside real CTs, and many phantoms."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.realism.frames import REGIONS, load_real, region_centre, views
from benchmarks.realism.gallery import write_gallery
from benchmarks.realism.measures import classifier_auc, frame_statistics, patches
from benchmarks.realism.population import survey
from benchmarks.runner import parse_seeds
from benchmarks.throughput import describe_machine
from carm_env.errors import CarmError
from carm_env.patient.load import load_patient
from carm_env.patient.model import Patient

VIEWS, PATCHES, CONTROLS = 24, 1500, 4


def main(argv: list[str] | None = None) -> int:
    """Entry point; 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realism", description=__doc__)
    parser.add_argument("what", choices=("gallery", "measure", "survey"))
    parser.add_argument("--real", nargs="+", default=[], metavar="CT[@LANDMARKS.json]")
    parser.add_argument("--seeds", default="0:10", help="phantoms, FIRST:END")
    parser.add_argument("--spacing", type=float, default=2.0, help="voxel size of the survey, mm")
    parser.add_argument("--out", required=True)
    args = parser.parse_args(argv)
    try:
        seeds = parse_seeds(args.seeds)
        if args.what == "survey":
            _write({"machine": describe_machine(), **survey(seeds, args.spacing)}, args.out)
            return 0
        real = [load_real(text) for text in args.real]
        phantoms = [load_patient(f"phantom:{seed}") for seed in seeds]
        if args.what == "gallery":
            write_gallery(real, phantoms, args.out)
        else:
            _write(measure(real, phantoms), args.out)
    except CarmError as error:
        print(f"benchmarks.realism: {error}", file=sys.stderr)
        return 2
    return 0


def _write(report: dict[str, Any], out: str) -> None:
    text = json.dumps(report, indent=1)
    Path(out).write_text(text + "\n")
    print(text)


def measure(real: list[Patient], phantoms: list[Patient]) -> dict[str, Any]:
    """Statistics and AUC of every region that a real CT holds."""
    report: dict[str, Any] = {"machine": describe_machine(), "phantoms": len(phantoms), "regions": {}}
    for region in REGIONS:
        holders = [p for p in real if region_centre(p, region) is not None]
        if holders:
            report["regions"][region] = _region(region, holders, phantoms)
    return report


def _region(region: str, real: list[Patient], phantoms: list[Patient]) -> dict[str, Any]:
    """Statistics, and the AUC beside its control: phantoms in the place of the real patients."""
    rng = np.random.default_rng(REGIONS.index(region))
    many = VIEWS * len(phantoms) // (2 * len(real))
    fake = [v for p in phantoms if (v := views(p, region, VIEWS, rng)) is not None]
    true = [v for p in real if (v := views(p, region, many, rng)) is not None]
    controls = []
    for first in range(0, CONTROLS * len(real), len(real)):
        stand_ins = phantoms[first : first + len(real)]
        seen = [v for p in stand_ins if (v := views(p, region, many, rng)) is not None]
        controls.append(_auc(fake[:first] + fake[first + len(real) :], seen, rng))
    return {
        "real_patients": len(true),
        "auc": round(_auc(fake, true, rng), 3),
        "auc_of_unseen_real_patients": len(true) > 1,
        "auc_of_phantoms_in_their_place": [round(value, 3) for value in controls],
        "phantom": frame_statistics(np.concatenate(fake)),
        "real": frame_statistics(np.concatenate(true)),
    }


def _auc(fake: list[NDArray[np.float32]], true: list[NDArray[np.float32]], rng: np.random.Generator) -> float:
    """Networks train on one part of the patients and are tested on the other; where there is one real patient only,
    on other views of the same."""
    half = len(fake) // 2
    if len(true) > 1:
        first, rest = true[0], np.concatenate(true[1:])
        splits = [(first, rest), (rest, first)]
    else:
        middle = len(true[0]) // 2
        splits = [(true[0][:middle], true[0][middle:])]
    areas = []
    for train_real, test_real in splits:
        train = tuple(patches(v, PATCHES, rng) for v in (np.concatenate(fake[:half]), train_real))
        test = tuple(patches(v, PATCHES, rng) for v in (np.concatenate(fake[half:]), test_real))
        areas.append(classifier_auc((train[0], train[1]), (test[0], test[1])))
    return float(np.mean(areas))


if __name__ == "__main__":
    sys.exit(main())
