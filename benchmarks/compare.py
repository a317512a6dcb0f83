"""What several episodes say: intervals of one policy's figures, paired differences of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.statistics import bootstrap, paired_difference, wilson
from carm_env.errors import CarmError

Row = Mapping[str, Any]
FIGURES: tuple[str, ...] = (
    "kap_gycm2", "kap_search_gycm2", "ka_r_mgy", "psd_mgy", "effective_usv", "operator_usv", "time_s", "exposures",
    "final_error_mm",
)  # fmt: skip


def intervals(rows: Sequence[Row]) -> dict[str, Any]:
    """Success with its Wilson interval, the means of ``FIGURES`` with bootstrap intervals by patient (95 %).

    Args:
        rows: summaries of the episodes.
    """
    success = wilson(sum(bool(row["success"]) for row in rows), len(rows))
    patients = [row["patient"] for row in rows]
    several = patients if len(set(patients)) > 1 else None
    means = {name: asdict(bootstrap([row[name] for row in rows], clusters=several)) for name in FIGURES}
    return {"success_interval": [success.low, success.high], "means": means}


def check_comparable(seeds: Sequence[int], patient_of: Callable[[int], str], others: Sequence[Row], name: str) -> None:
    """Refuses before the work what ``comparison`` would refuse after it, judging patients by the first common seed.

    Args:
        patient_of: id of the patient that this run meets at a seed.

    Raises:
        CarmError: as ``comparison``.
    """
    earlier = {row["seed"]: row for row in others}
    common = [seed for seed in seeds if seed in earlier]
    if not common:
        raise _no_common_seed(name)
    _check_patient(common[0], patient_of(common[0]), earlier[common[0]]["patient"], name)


def comparison(rows: Sequence[Row], others: Sequence[Row], name: str) -> dict[str, Any]:
    """Paired differences (this run minus the other) on the seeds that both have, with bootstrap intervals (95 %).

    Raises:
        CarmError: no common seed, or a common seed with different patients.
    """
    earlier = {row["seed"]: row for row in others}
    pairs = [(row, earlier[row["seed"]]) for row in rows if row["seed"] in earlier]
    if not pairs:
        raise _no_common_seed(name)
    for mine, other in pairs:
        _check_patient(mine["seed"], mine["patient"], other["patient"], name)
    differences = {
        figure: asdict(paired_difference([float(a[figure]) for a, _ in pairs], [float(b[figure]) for _, b in pairs]))
        for figure in ("success", *FIGURES)
    }
    return {"with": others[0]["policy"], "pairs": len(pairs), "differences": differences}


def _no_common_seed(name: str) -> CarmError:
    return CarmError(f"compare={name} has none of this run's seeds; want a run over some of the same seeds")


def _check_patient(seed: int, mine: str, other: str, name: str) -> None:
    if mine != other:
        raise CarmError(
            f"compare={name} had patient {other} at seed {seed}, this run {mine}; want runs over the same patients"
        )
