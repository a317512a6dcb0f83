"""``summary.json``: the first episode's row, or the means of several."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from carm_env.episode.manifest import dumps
from carm_env.episode.schema import SUMMARY_FIELDS


def run_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row as it is; of several the means, with counts of outcomes and the distinct names.

    ``success`` and the other flags become rates, ``outcome`` counts by name, ``seed`` the list of seeds.
    """
    if len(rows) == 1:
        return {**rows[0], "episodes": 1}
    merged: dict[str, Any] = {"episodes": len(rows)}
    for name, kind in SUMMARY_FIELDS.items():
        values = [row[name] for row in rows if row.get(name) is not None]
        if values:
            merged[name] = values if name == "seed" else _merge(name, kind, values)
    merged["successes"] = sum(bool(row.get("success")) for row in rows)
    return merged


def _merge(name: str, kind: str, values: list[Any]) -> Any:
    if name == "outcome":
        return dict(Counter(values))
    if kind == "string":
        distinct = sorted(set(values))
        return distinct[0] if len(distinct) == 1 else distinct
    return float(np.mean(np.asarray(values, float)))


def episode_row(index: int, summary: dict[str, Any]) -> dict[str, Any]:
    """A row of ``episodes.parquet``; fields the schema does not know go to ``extra``."""
    extra = {key: value for key, value in summary.items() if key not in SUMMARY_FIELDS}
    row = {name: summary.get(name) for name in SUMMARY_FIELDS}
    return {"episode": index, **row, "extra": dumps(extra) if extra else None}


def row_summary(row: dict[str, Any]) -> dict[str, Any]:
    """The summary that ``episode_row`` was given."""
    known = {name: row[name] for name in SUMMARY_FIELDS if row[name] is not None}
    return known | (json.loads(row["extra"]) if row["extra"] else {})
