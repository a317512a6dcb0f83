"""Writes ``data/prior.json``: where landmarks and the sella lie, jointly with what is recorded of a person.

    python -m agents.belief.make_prior [--bodies 300] [--out FILE]

Only phantoms of the training split are drawn. Points are taken about the anchors by which an episode places a patient
(midline, skin of the back, vertex), found on voxels of 6 mm, the grid on which they are found anyway. The file holds
means and covariances of sex, age, height, weight, posture of the arms and every point: a prior for any part of the
record follows by conditioning. Some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.body import anchors
from carm_env.patient.model import LANDMARKS
from carm_env.patient.phantom import draw_body, voxelised
from carm_env.patient.split import split_of

F64 = NDArray[np.float64]

FIRST_SEED = 20_000
VOXEL_MM = 6.0
POINTS = (*LANDMARKS, "sella")


def row_of(seed: int) -> F64:
    """One body: sex (0 F, 1 M), age, height cm, weight kg, arms raised, then its points about the anchors, mm."""
    body = draw_body(seed)
    person, points = body.build.person, body.points()
    found = anchors(voxelised(body, VOXEL_MM))
    anchor = np.array([found.midline_x_mm, found.back_y_mm, found.vertex_z_mm])
    who = [person.sex == "M", person.age_years, person.height_mm / 10.0, person.weight_kg, body.build.arms == "raised"]
    return np.concatenate([np.array(who, float), *(points[name] - anchor for name in POINTS)])


def statistics(rows: F64) -> dict[str, object]:
    """Means and covariances of rows [N, 5 + 3 K]: of the record, of each point, and of each point with the record."""
    mean, deviations = rows.mean(axis=0), rows - rows.mean(axis=0)
    covariance = deviations.T @ deviations / (len(rows) - 1)
    places = [slice(5 + 3 * k, 8 + 3 * k) for k in range((rows.shape[1] - 5) // 3)]
    return {
        "record_mean": _short(mean[:5]),
        "record_covariance": _short(covariance[:5, :5]),
        "mean_mm": [_short(mean[p]) for p in places],
        "covariance_mm2": [_short(covariance[p, p]) for p in places],
        "cross": [_short(covariance[p, :5]) for p in places],
    }


def _short(values: F64) -> object:
    return np.round(values, 4).tolist()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bodies", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "prior.json")
    args = parser.parse_args()
    train = (seed for seed in count(FIRST_SEED) if split_of(f"phantom:{seed}") == "train")
    rows = np.array([row_of(seed) for seed, _ in zip(train, range(args.bodies), strict=False)])
    head = {"schema": 1, "first_seed": FIRST_SEED, "bodies": len(rows), "points": list(POINTS)}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(head | statistics(rows), separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
