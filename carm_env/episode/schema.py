"""Columns of ``episodes.parquet`` and ``steps.parquet``, in one place for writer, reader and replay.

A column of ``steps.parquet`` comes from one field of ``StepResult``; ``STEP_COLUMNS`` says which one. Units are in the
names; ``_a`` and ``_b`` are the planes, and plane B's columns are null on a machine without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from carm_env.machine.state import AXES, PAIRS
from carm_env.sim.result import OUTCOMES, REWARD_TERMS
from carm_env.xray.exposure import PRESETS

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 2
PLANES: tuple[str, ...] = ("a", "b")
AXIS_COLUMNS: tuple[str, ...] = tuple(f"{axis}_{'mm' if axis in 'xyz' else 'deg'}" for axis in AXES)


@dataclass(frozen=True)
class Column:
    """One column of ``steps.parquet``.

    Attributes:
        name: in the file.
        type: Arrow type, or ``names`` for an index that is stored as text.
        field: of ``StepResult``; index: into that field's axes after the lane.
        plane: 0 or 1 where the column belongs to a plane.
        names: the text for each index; -1 is the empty text.
    """

    name: str
    type: str
    field: str
    index: tuple[int, ...] = ()
    plane: int | None = None
    names: tuple[str, ...] = ()


_PER_PLANE: tuple[tuple[str, str], ...] = (
    ("exposed", "bool"),
    ("pulses", "int16"),
    ("field_mm", "float64"),
    ("kv", "float64"),
    ("cu_mm", "float64"),
    ("mas", "float64"),
    ("pulse_ms", "float64"),
    ("ka_r_mgy", "float64"),
    ("kap_gycm2", "float64"),
    ("kap_plane_gycm2", "float64"),
    ("k_detector_ngy", "float64"),
    ("quanta", "float64"),
    ("limited", "bool"),
    ("edge_of_ct", "bool"),
    ("frame_hash", "uint64"),
    ("frame_mean", "float64"),
    ("estimate_valid", "bool"),
    ("estimate_age_s", "float64"),
)


def _plane_columns(plane: int) -> list[Column]:
    mark = PLANES[plane]
    columns = [Column(f"{name}_{mark}", kind, name, (plane,), plane) for name, kind in _PER_PLANE]
    for field, stem in (("estimate_mm", "estimate"), ("estimate_sd_mm", "estimate_sd")):
        for i, axis in enumerate("xyz"):
            columns.append(Column(f"{stem}_{axis}_mm_{mark}", "float64", field, (plane, i), plane))
    return columns


STEP_COLUMNS: tuple[Column, ...] = (
    Column("step", "int32", "step"),
    Column("elapsed_s", "float64", "elapsed_s"),
    Column("action", "list<float32>", "action"),
    *(Column(name, "float64", "position", (i,)) for i, name in enumerate(AXIS_COLUMNS)),
    *(Column(f"{name}_s", "float64", "velocity", (i,)) for i, name in enumerate(AXIS_COLUMNS)),
    Column("at_limit", "uint8", "at_limit"),
    Column("contact", "bool", "contact"),
    Column("contact_pair", "names", "contact_pair", names=PAIRS),
    Column("path_mm", "float64", "path_mm"),
    Column("preset", "names", "preset", names=PRESETS),
    *_plane_columns(0),
    *_plane_columns(1),
    *(Column(f"target_{axis}_mm", "float64", "target_mm", (i,)) for i, axis in enumerate("xyz")),
    Column("error_mm", "float64", "error_mm"),
    Column("error_deg", "float64", "error_deg"),
    Column("rested", "bool", "rested"),
    Column("verified", "bool", "verified"),
    Column("kap_total_gycm2", "float64", "kap_total_gycm2"),
    Column("kap_search_gycm2", "float64", "kap_search_gycm2"),
    Column("ka_r_total_mgy", "float64", "ka_r_total_mgy"),
    Column("exposures", "int32", "exposures"),
    Column("reward", "float64", "reward"),
    *(Column(f"reward_{term}", "float64", "reward_terms", (i,)) for i, term in enumerate(REWARD_TERMS)),
    Column("outcome", "names", "outcome", names=OUTCOMES),
    Column("terminated", "bool", "terminated"),
)

SUMMARY_FIELDS: dict[str, str] = {
    "success": "bool",
    "outcome": "string",
    "final_error_mm": "float64",
    "final_error_deg": "float64",
    "time_s": "float64",
    "path_mm": "float64",
    "exposures": "int64",
    "kap_gycm2": "float64",
    "kap_search_gycm2": "float64",
    "ka_r_mgy": "float64",
    "psd_mgy": "float64",
    "psd_search_mgy": "float64",
    "lens_left_mgy": "float64",
    "lens_right_mgy": "float64",
    "effective_usv": "float64",
    "effective_search_usv": "float64",
    "operator_usv": "float64",
    "edge_of_ct": "bool",
    "steps": "int64",
    "policy": "string",
    "patient": "string",
    "renderer": "string",
    "perception": "string",
    "seed": "int64",
    "wall_s": "float64",
    "steps_per_s": "float64",
    "success_5mm": "bool",
    "success_10mm": "bool",
    "success_20mm": "bool",
    "collisions": "int64",
    "reward": "float64",
}
"""Fields of an episode's summary and their Arrow types; whatever else a summary holds goes to ``extra`` as JSON."""


def _arrow(kind: str) -> pa.DataType:
    import pyarrow as pa

    if kind == "list<float32>":
        return pa.list_(pa.float32())
    return pa.string() if kind in ("names", "string") else pa.type_for_alias(kind)


def steps_schema() -> pa.Schema:
    """Schema of ``steps.parquet``: a row a step, the reset as step 0."""
    import pyarrow as pa

    fields = [pa.field("episode", pa.int32())] + [pa.field(c.name, _arrow(c.type)) for c in STEP_COLUMNS]
    return pa.schema(fields, metadata={"carm_schema": str(SCHEMA_VERSION)})


def episodes_schema() -> pa.Schema:
    """Schema of ``episodes.parquet``: a row an episode."""
    import pyarrow as pa

    fields = [pa.field("episode", pa.int32())]
    fields += [pa.field(name, _arrow(kind)) for name, kind in SUMMARY_FIELDS.items()]
    fields.append(pa.field("extra", pa.string()))
    return pa.schema(fields, metadata={"carm_schema": str(SCHEMA_VERSION)})
