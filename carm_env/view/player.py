"""One self-contained HTML page that plays an episode: no request leaves it, nothing else is needed to open it."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.manifest import plain
from carm_env.episode.recorder import EpisodeRecord
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import A1, B1, DEPLOY
from carm_env.sim.result import REWARD_TERMS
from carm_env.sim.task import TOLERANCE_MM
from carm_env.view.scene import VIEWS, Body, bounds, estimated_targets, gantry_cameras, image_left
from carm_env.whole import whole

JPEG_QUALITY = 85
MAX_SIDE = 384
READY_DEG = 0.5
"""Plane B counts as deployed within this angle."""

SUMMARY_LABELS: dict[str, str] = {
    "policy": "policy",
    "perception": "perception",
    "patient": "patient",
    "renderer": "renderer",
    "seed": "seed",
    "outcome": "outcome",
    "final_error_mm": "final error, mm",
    "final_error_deg": "final angle error, °",
    "time_s": "time, s",
    "steps": "steps",
    "path_mm": "path of the isocentre, mm",
    "exposures": "exposures (pulses)",
    "kap_gycm2": "KAP, Gy·cm²",
    "kap_search_gycm2": "of which search, Gy·cm²",
    "ka_r_mgy": "K_a,r, mGy",
    "psd_mgy": "peak skin dose, mGy",
    "lens_left_mgy": "left eye lens, mGy",
    "lens_right_mgy": "right eye lens, mGy",
    "effective_usv": "effective dose, µSv",
    "operator_usv": "operator dose, µSv",
    "collisions": "collisions",
    "edge_of_ct": "a field left the CT",
    "reward": "sum of rewards",
    "steps_per_s": "simulated steps per second",
    "messages": "notes",
}
EPISODE_COLUMNS: dict[str, str] = {
    "seed": "seed",
    "patient": "patient",
    "success": "success",
    "outcome": "outcome",
    "final_error_mm": "error, mm",
    "kap_gycm2": "KAP, Gy·cm²",
    "exposures": "exposures",
    "time_s": "time, s",
}


def write_player(
    path: Path | str,
    record: EpisodeRecord,
    body: Body,
    preset: DevicePreset,
    title: str,
    episodes: Sequence[Mapping[str, Any]] | None = None,
) -> Path:
    """Writes the page; returns its path.

    Args:
        record: the episode to play.
        body: the patient on the table.
        preset: the machine that was driven.
        title: heading of the page.
        episodes: summaries of all episodes of the run, listed below the player where there are several.
    """
    data = player_data(record, body, preset)
    if episodes is not None and len(episodes) > 1:
        data["episodes"] = _episode_table(episodes)
    path = Path(path)
    with whole(path) as part:
        part.write_text(page(title, data), encoding="utf-8")
    return path


def page(title: str, data: Mapping[str, Any]) -> str:
    """The template, filled; nothing in ``title`` or ``data`` can end its element."""
    text = json.dumps(plain(data), allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    assets = resources.files("carm_env.view") / "assets"
    parts = {"title": html.escape(title), "data": text}
    parts |= {kind: (assets / f"player.{kind}").read_text(encoding="utf-8") for kind in ("css", "js")}
    template = (assets / "player.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def player_data(record: EpisodeRecord, body: Body, preset: DevicePreset) -> dict[str, Any]:
    """All that the page draws, as plain containers."""
    steps, summary = record.steps, record.summary
    low, high = np.array(preset.table_low_mm), np.array(preset.table_high_mm)
    target = np.stack([steps[f"target_{axis}_mm"] for axis in "xyz"], axis=1)
    estimate = estimated_targets(record)
    return {
        "time": steps["elapsed_s"].round(4),
        "position": record.position[:, :3].round(1),
        "target": target.round(1),
        "estimate": [None if np.isnan(row).any() else row for row in estimate.round(1)],
        "error": steps["error_mm"].round(2),
        "preset": steps["preset"],
        "rewardNames": [name.replace("_", " ") for name in (*REWARD_TERMS, "sum")],
        "reward": np.column_stack([*(steps[f"reward_{term}"] for term in REWARD_TERMS), steps["reward"]]).round(4),
        "tolerance": TOLERANCE_MM,
        "planes": [_plane_data(record, preset, plane) for plane in range(record.planes)],
        "body": {view: getattr(body, view).round(0) for view in VIEWS},
        "backdrop": {
            view: {"image": jpeg_text(b.image, None), "placement": b.placement.T.ravel().round(3)}
            for view, b in body.backdrops.items()
        },
        "table": {view: [[low[2], high[2]], [low[axis], high[axis]]] for view, axis in VIEWS.items()},
        "bounds": bounds(record, body, preset),
        "outcome": summary.get("outcome", "unknown"),
        "chips": _chips(summary),
        "summary": [[label, text_of(summary[key])] for key, label in SUMMARY_LABELS.items() if key in summary],
    }


def _plane_data(record: EpisodeRecord, preset: DevicePreset, plane: int) -> dict[str, Any]:
    mark, spec = "ab"[plane], preset.planes[plane]
    cameras = gantry_cameras(record.position, preset, plane)
    deploy = record.position[:, DEPLOY] if plane else np.full(len(record), preset.deploy_deg)
    first = B1 if plane else A1
    shots = np.flatnonzero(record.steps[f"exposed_{mark}"])
    return {
        "gantry": np.hstack(
            [cameras.source_mm.round(0), cameras.centre_mm.round(0), cameras.u.round(3), cameras.v.round(3)]
        ),
        "detector": spec.detector_mm,
        "arm": spec.arm,
        "depth": spec.arm_depth_mm,
        "ready": deploy >= preset.deploy_deg - READY_DEG,
        "parked": deploy <= READY_DEG,
        "angles": record.position[:, first : first + 2].round(1),
        "exposed": record.steps[f"exposed_{mark}"],
        "field": (record.steps[f"field_mm_{mark}"] * spec.sid_mm / spec.sod_mm).round(0),
        "kap": (record.steps[f"kap_plane_gycm2_{mark}"] * 1000).round(4),
        "shots": shots,
        "held": np.searchsorted(shots, np.arange(len(record)), side="right") - 1,
        "technique": [_technique(record, mark, int(row)) | {"left": image_left(cameras.u[row])} for row in shots],
        "images": [jpeg_text(image) for image in record.frames.image[record.frames.plane == plane]],
    }


def _technique(record: EpisodeRecord, mark: str, row: int) -> dict[str, Any]:
    def value(name: str, digits: int) -> float:
        return round(float(record.steps[f"{name}_{mark}"][row]), digits)

    return {
        "kv": value("kv", 1),
        "cu": value("cu_mm", 2),
        "mas": value("mas", 3),
        "field": value("field_mm", 0),
        "ka": value("ka_r_mgy", 6),
        "kap": round(value("kap_gycm2", 9) * 1000, 4),
        "nGy": value("k_detector_ngy", 1),
        "limited": bool(record.steps[f"limited_{mark}"][row]),
        "edge": bool(record.steps[f"edge_of_ct_{mark}"][row]),
    }


def jpeg_text(image: NDArray[np.uint8], most: int | None = MAX_SIDE) -> str:
    """A grey image as base64 JPEG, at most ``most`` pixels a side."""
    from PIL import Image

    picture = Image.fromarray(image)
    if most is not None:
        picture.thumbnail((most, most))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _chips(summary: Mapping[str, Any]) -> list[list[str]]:
    chips = [
        ("policy", summary.get("policy")),
        ("error", _with_unit(summary.get("final_error_mm"), 1, 1, "mm")),
        ("dose", _with_unit(summary.get("kap_gycm2"), 1000, 1, "mGy·cm²")),
        ("exposures", summary.get("exposures")),
        ("time", _with_unit(summary.get("time_s"), 1, 1, "s")),
    ]
    return [[name, text_of(value)] for name, value in chips if value is not None]


def _with_unit(value: float | None, factor: float, digits: int, unit: str) -> str | None:
    return None if value is None else f"{value * factor:.{digits}f} {unit}"


def text_of(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "none"
    return "–" if value is None else str(value)


def _episode_table(episodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [[str(i), *(text_of(row.get(key)) for key in EPISODE_COLUMNS)] for i, row in enumerate(episodes)]
    return {"names": ["episode", *EPISODE_COLUMNS.values()], "rows": rows}
