"""Collects one lane of a running simulator into an episode's rows and frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.schema import PLANES, STEP_COLUMNS, Column, steps_schema
from carm_env.sim.result import StepResult
from carm_env.sim.task import TOLERANCE_DEG

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[str, NDArray[Any]]
_FIELDS: tuple[str, ...] = tuple(dict.fromkeys(column.field for column in STEP_COLUMNS))
SUCCESS_LEVELS_MM: tuple[int, ...] = (5, 10, 20)


@dataclass(frozen=True, eq=False)
class FrameLog:
    """Images of K exposures: row of the step ``row`` [K], ``plane`` [K], ``image`` uint8 [K, H, W]."""

    row: NDArray[np.int64]
    plane: NDArray[np.int64]
    image: NDArray[np.uint8]

    @classmethod
    def empty(cls) -> FrameLog:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 1, 1), np.uint8))

    def __len__(self) -> int:
        return len(self.row)

    def held(self, plane: int, rows: int) -> NDArray[np.int64]:
        """Index of the last image of a plane at each of the first ``rows`` steps, -1 before the first, [rows]."""
        index = np.full(rows, -1, np.int64)
        mine = np.flatnonzero(self.plane == plane)
        index[self.row[mine]] = mine
        return np.maximum.accumulate(index)


@dataclass(frozen=True, eq=False)
class EpisodeRecord:
    """One episode: ``steps`` (columns of ``steps.parquet`` by name, [T, ...]), ``frames`` and ``summary``."""

    steps: Columns
    frames: FrameLog
    summary: dict[str, Any]

    def __len__(self) -> int:
        return len(self.steps["step"])

    @property
    def planes(self) -> int:
        return 2 if "exposed_b" in self.steps else 1

    @cached_property
    def position(self) -> NDArray[np.float64]:
        """Achieved positions, [T, 8] in the order of ``machine.state.AXES``."""
        return np.stack([self.steps[c.name] for c in STEP_COLUMNS if c.field == "position"], axis=1)

    def table(self, episode: int) -> pa.Table:
        """The rows as an Arrow table of ``steps_schema``; plane B's columns are null where there is no plane B."""
        import pyarrow as pa

        schema = steps_schema()
        columns = {name: pa.array(list(v) if v.ndim > 1 else v) for name, v in self.steps.items()}
        columns["episode"] = pa.array(np.full(len(self), episode, np.int32))
        return pa.table(
            [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(len(self), f.type) for f in schema],
            schema=schema,
        )

    @classmethod
    def from_table(cls, table: pa.Table, summary: dict[str, Any], frames: FrameLog | None = None) -> EpisodeRecord:
        """The record of one episode's rows."""
        steps: Columns = {}
        for column in STEP_COLUMNS:
            values = table.column(column.name)
            if column.plane and values.null_count == len(values):
                continue
            steps[column.name] = _to_numpy(values, column)
        return cls(steps, frames or FrameLog.empty(), dict(summary))


def _to_numpy(values: pa.ChunkedArray, column: Column) -> NDArray[Any]:
    if column.type == "list<float32>":
        rows = [np.asarray(row, np.float32) for row in values.to_pylist()]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)
    if column.type == "names":
        return np.array(values.to_pylist(), str)
    return values.to_numpy()


class EpisodeRecorder:
    """Follows one lane of a simulator from reset to the end of its episode.

    Args:
        frames: keep the images of exposed steps (uint8, as displayed).
    """

    def __init__(self, frames: bool = True) -> None:
        self._keep_frames = frames
        self._rows: list[list[NDArray[Any]]] = []
        self._images: list[tuple[int, int, NDArray[np.uint8]]] = []
        self._seed = 0

    def start(self, result: StepResult, lane: int = 0) -> None:
        """Begins an episode with the result of its reset (row 0); what was collected before is dropped."""
        self._rows, self._images = [], []
        self._seed = int(result.episode_seed[lane])
        self.append(result, lane)

    def append(self, result: StepResult, lane: int = 0) -> None:
        """Adds one step of one lane; arrays are copied."""
        row = len(self._rows)
        self._rows.append([np.array(getattr(result, field)[lane]) for field in _FIELDS])
        if self._keep_frames:
            for plane in np.flatnonzero(result.exposed[lane]):
                self._images.append((row, int(plane), result.image[lane, plane].copy()))

    def finish(self, summary: dict[str, Any] | None = None) -> EpisodeRecord:
        """The finished episode.

        Args:
            summary: what the rows cannot tell (policy, patient, renderer, perception, wall_s, ...); it takes
                precedence over the fields derived from the rows.
        """
        if not self._rows:
            raise ValueError("finish() before start(): no reset was recorded")
        data = {field: np.stack(values) for field, values in zip(_FIELDS, zip(*self._rows, strict=True), strict=True)}
        steps = {c.name: _pick(data, c) for c in STEP_COLUMNS if c.plane is None or c.plane < data["exposed"].shape[1]}
        derived = {"seed": self._seed, **summarise(steps)}
        return EpisodeRecord(steps, self._frame_log(), derived | (summary or {}))

    def _frame_log(self) -> FrameLog:
        if not self._images:
            return FrameLog.empty()
        rows, planes, images = zip(*self._images, strict=True)
        return FrameLog(np.array(rows, np.int64), np.array(planes, np.int64), np.stack(images))


def _pick(data: Columns, column: Column) -> NDArray[Any]:
    """A column's values, [T] ([T, A] for the action)."""
    where: tuple[Any, ...] = (slice(None), *column.index)
    values = data[column.field][where]
    if column.names:
        return np.array([*column.names, ""])[values]
    if column.field == "at_limit":
        return (values * (1 << np.arange(values.shape[1]))).sum(axis=1).astype(np.uint8)
    return values


def summarise(steps: Columns) -> dict[str, Any]:
    """The summary fields that an episode's rows determine (DESIGN section 4; success at 5, 10 and 20 mm)."""
    last = {name: values[-1] for name, values in steps.items()}
    outcome = str(last["outcome"]) if last["outcome"] != "running" else "timeout"
    edge = [steps[f"edge_of_ct_{p}"] for p in PLANES if f"edge_of_ct_{p}" in steps]
    return {
        "success": outcome == "success",
        "outcome": outcome,
        "final_error_mm": float(last["error_mm"]),
        "final_error_deg": float(last["error_deg"]),
        "time_s": float(last["elapsed_s"]),
        "path_mm": float(last["path_mm"]),
        "exposures": int(last["exposures"]),
        "kap_gycm2": float(last["kap_total_gycm2"]),
        "kap_search_gycm2": float(last["kap_search_gycm2"]),
        "ka_r_mgy": float(last["ka_r_total_mgy"]),
        "edge_of_ct": bool(np.any(edge)),
        "steps": int(last["step"]),
        **{f"success_{level}mm": _arrived(outcome, last, level) for level in SUCCESS_LEVELS_MM},
        "collisions": int(np.sum(steps["contact"])),
        "reward": float(np.sum(steps["reward"])),
    }


def _arrived(outcome: str, last: dict[str, Any], level_mm: float) -> bool:
    """Whether the declared arrival would have counted at another tolerance."""
    proper = outcome in ("success", "false_arrival") and bool(last["rested"]) and bool(last["verified"])
    return proper and bool(last["error_mm"] <= level_mm) and bool(last["error_deg"] <= TOLERANCE_DEG)
