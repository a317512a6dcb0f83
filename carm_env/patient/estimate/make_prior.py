"""Writes ``data/prior.json``: where landmarks and vertebrae lie to each other in the phantom population, by posture.

    python -m carm_env.patient.estimate.make_prior [--bodies 400] [--out FILE]

Points come from the numbers that phantoms are drawn from (``draw_body``), no voxels. For each posture of the arms the
file holds the mean of every point (LPS mm, T12 at the origin) and the principal components of their joint variation,
each scaled to one standard deviation. The seeds are none of
those of tests and benchmarks. Some six minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.build import LEVELS
from carm_env.patient.model import LANDMARKS
from carm_env.patient.phantom import draw_body

F64 = NDArray[np.float64]

FIRST_SEED = 1000
COMPONENTS = 24
EXTRA = ("sella", "right_eye_lens", "left_eye_lens", "aortic_arch_top")


def points_of(seed: int) -> tuple[str, dict[str, F64]]:
    """Posture of the arms and all points of one body, LPS mm: landmarks, further targets, C2 to L5, odontoid tip."""
    body = draw_body(seed)
    marks = body.points()
    points = {name: marks[name] for name in (*LANDMARKS, *EXTRA)}
    spine = [body.build.vertebrae[level] for level in LEVELS]
    moved = body.field.moved(np.array([*spine, body.build.dens]))
    return body.build.arms, points | dict(zip((*LEVELS, "C2_odontoid_tip"), moved, strict=True))


def statistics(bodies: list[dict[str, F64]], names: list[str]) -> dict[str, list[list[float]]]:
    """Mean [P * 3] and scaled principal components [COMPONENTS, P * 3] of points about T12, mm to one decimal."""
    table = np.array([[b[n] - b["T12"] for n in names] for b in bodies]).reshape(len(bodies), -1)
    mean = table.mean(axis=0)
    _, sizes, axes = np.linalg.svd(table - mean, full_matrices=False)
    modes = (axes * (sizes / np.sqrt(len(bodies) - 1))[:, None])[:COMPONENTS]
    rest = np.sqrt(np.maximum((table - mean).var(axis=0) - (modes**2).sum(axis=0), 0.0))
    return {"mean": [_short(mean)], "modes": [_short(m) for m in modes], "rest_sd": [_short(rest)]}


def _short(values: F64) -> list[float]:
    return [round(float(v), 1) for v in values]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bodies", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "prior.json")
    args = parser.parse_args()
    drawn = [points_of(FIRST_SEED + i) for i in range(args.bodies)]
    write(drawn, args.out)


def write(drawn: list[tuple[str, dict[str, F64]]], out: Path) -> None:
    """Statistics of the bodies by posture, as JSON."""
    names = list(drawn[0][1])
    postures = sorted({arms for arms, _ in drawn})
    by_posture = {p: statistics([b for arms, b in drawn if arms == p], names) for p in postures}
    out.parent.mkdir(parents=True, exist_ok=True)
    head = {"schema": 1, "first_seed": FIRST_SEED, "bodies": len(drawn), "names": names}
    out.write_text(json.dumps(head | {"postures": by_posture}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
