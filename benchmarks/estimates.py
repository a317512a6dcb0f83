"""Every estimate [E] of the simulator, where it is used, and how to run the simulator with another value of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal
from unittest.mock import patch

from carm_env.machine import collision, presets
from carm_env.sim.localisers.noisy import NoisyLocaliser
from carm_env.xray.config import RANGES, XrayConfig
from carm_env.xray.curves import CURVES
from carm_env.xray.dose.config import SHARES, DoseConfig

Group = Literal["xray", "device", "outline", "perception", "dose"]
DEVICE = "artis_biplane"
FACTORS = (0.5, 2.0)
_CERTAIN_KV = 77.0
"""Stages of the Siemens-like ladder up to this voltage are read off dose reports."""


@dataclass(frozen=True)
class Estimate:
    """One estimate.

    Attributes:
        name: as a user sets it, or of the constant; group: how it is set; used: what for.
    """

    name: str
    group: Group
    used: str

    @property
    def setting(self) -> str:
        """The last part of the name."""
        return self.name.rsplit(".", 1)[-1]


_XRAY = {
    "preset_ngy": "exposure control: kerma wanted at the detector (all four presets)",
    "rows.cu": "exposure control: copper of the stages above 77 kV",
    "rows.ma": "exposure control: greatest mA of the stages above 77 kV",
    "measuring_share": "exposure control: measuring field",
    "rate_limit_mgy_min": "exposure control: limit of the kerma rate",
    "output_factor": "tube output of a mAs (control makes it good)",
    "grid_primary": "detector signal and quanta",
    "grid_scatter": "haze of the image, quanta",
    "electronic_quanta": "read-out noise",
    "screen_blur_mm": "detector blur",
    "table_gcm2": "beam through table and mattress, skin dose",
}
_SPEEDS = {
    "speed_x_mm_s": "table across",
    "speed_y_mm_s": "table height",
    "speed_z_mm_s": "table along",
    "speed_a_deg_s": "plane A, LAO/RAO",
    "speed_a_secondary_deg_s": "plane A, CRA/CAU",
    "speed_b_deg_s": "plane B, both angles",
    "speed_deploy_deg_s": "plane B, swing",
    "accel_table_mm_s2": "table",
    "accel_gantry_deg_s2": "gantry",
}
_OUTLINES = {
    "arm_depth_mm": "collisions: depth of the C",
    "housing_mm": "collisions: detector housing",
    "tube_radius_mm": "collisions: tube housing",
    "collimator_mm": "collisions: collimator",
    "pivot_mm": "collisions: axis of plane B's swing",
    "y_mm": "travel of the table's height",
    "DETECTOR_RADIUS_MM": "collisions: thickness of the detector housing",
    "DETECTOR_COVER_MM": "collisions: detector cover",
    "ARM_RADIUS_MM": "collisions: thickness of the arm",
    "ARM_SQUARENESS": "collisions: shape of the arm",
}
_NOISY = {
    "floor_mm": "`noisy` perception: error with unlimited dose",
    "quantum_mm": "`noisy` perception: growth of the error at low dose",
    "inferred_mm": "`noisy` perception: error of a target outside of the field",
    "inferred_share": "`noisy` perception: its growth with distance",
    "reach_mm": "`noisy` perception: how far beside the field anatomy is of use",
    "overconfidence": "`noisy` perception: true over reported error",
}
_DOSE = {
    "operator_distance_m": "operator's dose",
    "operator_shield": "operator's dose",
    "operator_slope": "operator's dose: scatter of the patient, rise with kV",
    "operator_intercept": "operator's dose: scatter of the patient",
    "k_pelvis": "effective dose of the pelvis",
    "k_abdomen": "effective dose of the abdomen",
    "k_thorax": "effective dose of the thorax",
    "k_neck": "effective dose of the neck",
    "k_head": "effective dose of the head",
    "buildup_per_cm_gcm2": "lens and organ dose: scatter inside the field",
    "buildup_field_cm": "lens and organ dose: scatter of wide fields",
    "edge_share": "lens and organ dose at the field's edge",
    "edge_efold_mm": "lens and organ dose beside the field",
    "edge_efold_mm_per_gcm2": "lens and organ dose beside the field, at depth",
    "edge_reach_mm": "lens and organ dose far beside the field",
    "lens_beside_mm": "place of the lenses without labels",
    "lens_before_sella_mm": "place of the lenses without labels",
    "lens_below_sella_mm": "place of the lenses without labels",
    "lens_before_skull_mm": "place of the lenses without labels or sella",
    "lens_below_skull_mm": "place of the lenses without labels or sella",
    "head_share": "effective dose: where the neck ends",
}


def all_estimates() -> list[Estimate]:
    """All of them in the order of the limits page."""
    groups: list[tuple[str, Group, dict[str, str]]] = [
        ("xray.", "xray", _XRAY),
        ("device.", "device", _SPEEDS),
        ("", "outline", _OUTLINES),
        ("perception.", "perception", _NOISY),
        ("dose.", "dose", _DOSE),
    ]
    return [Estimate(f"{stem}{name}", group, used) for stem, group, names in groups for name, used in names.items()]


def usual(estimate: Estimate) -> Any:
    """Its value in the default configuration; the first of several that change together."""
    name = estimate.name.removeprefix("xray.")
    if estimate.group == "xray":
        if name.startswith("rows."):
            return next(row for row in CURVES["siemens_like"].rows if row[0] > _CERTAIN_KV)[_column(name)]
        return getattr(XrayConfig(), name)
    if estimate.group == "perception":
        return getattr(NoisyLocaliser(), estimate.setting)
    if estimate.group == "dose":
        return getattr(DoseConfig(), estimate.setting)
    device = presets.PRESETS[DEVICE]
    if hasattr(device, estimate.setting):
        return getattr(device, estimate.setting)
    return getattr(collision if estimate.setting.isupper() else device.planes[0], estimate.setting)


def scaled(estimate: Estimate, factor: float) -> Any:
    """Its value times ``factor``, or the nearest that is possible."""
    value = usual(estimate)
    if isinstance(value, tuple):
        return tuple(factor * v for v in value)
    value = factor * value
    if estimate.group == "xray" and estimate.setting in RANGES:
        low, high = RANGES[estimate.setting]
        value = min(max(value, low), high)
    if estimate.group == "dose" and estimate.setting in SHARES:
        value = min(value, 1.0)
    return min(value, 1.0) if estimate.setting == "ARM_SQUARENESS" else value


def env_settings(estimate: Estimate | None, factor: float) -> dict[str, Any]:
    """Arguments of the environment that set it (``None``: nothing is set); outlines are not among them."""
    settings: dict[str, Any] = {"perception": "noisy"}
    if estimate is None or estimate.group == "outline":
        return settings
    value = scaled(estimate, factor)
    if estimate.group == "device":
        return settings | {"device_overrides": {estimate.setting: value}}
    if estimate.group == "perception":
        return settings | {"perception_args": {estimate.setting: value}}
    if estimate.group == "dose":
        return settings | {"dose": {estimate.setting: value}}
    name = estimate.name.removeprefix("xray.")
    if name.startswith("rows."):
        return settings | {"xray": {"rows": _rows(_column(name), factor)}}
    return settings | {"xray": {name: value}}


@contextmanager
def outlines(estimate: Estimate | None, factor: float) -> Iterator[None]:
    """Another outline of the machine while the context lasts; all planes alike."""
    if estimate is None or estimate.group != "outline":
        yield
        return
    name, value = estimate.setting, scaled(estimate, factor)
    with ExitStack() as stack:
        if name.isupper():
            stack.enter_context(patch.object(collision, name, value))
        else:
            device = presets.PRESETS[DEVICE]
            changed = (
                replace(device, **{name: value})
                if hasattr(device, name)
                else replace(device, planes=tuple(_outlined(plane, name, factor) for plane in device.planes))
            )
            stack.enter_context(patch.dict(presets.PRESETS, {DEVICE: changed}))
        yield


def _outlined(plane: presets.PlaneSpec, name: str, factor: float) -> presets.PlaneSpec:
    value = getattr(plane, name)
    changed: Any = tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value
    other: dict[str, Any] = {name: changed}
    return replace(plane, **other)


def _column(name: str) -> int:
    return {"rows.cu": 1, "rows.ma": 2}[name]


def _rows(column: int, factor: float) -> list[list[float]]:
    rows = [list(row) for row in CURVES["siemens_like"].rows]
    for row in rows:
        if row[0] > _CERTAIN_KV:
            row[column] *= factor
    return rows


