"""Settings of the simulator: plain data, so that an environment spec can be written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

from carm_env.errors import CarmError
from carm_env.patient.cohort import ALL, check_split
from carm_env.sim.disturbance import disturbance_settings
from carm_env.xray.config import xray_config
from carm_env.xray.dose.config import dose_settings

DT_S = 2.0 / 15.0
"""Length of a control step; 7.5 pulses/s is one exposure a step."""

TASKS: tuple[str, ...] = ("pelvis_to_head", "pelvis_to_head_2d", "landmark_reach")


@dataclass(frozen=True)
class SimConfig:
    """Everything that a simulator needs to know, apart from seeds.

    Attributes:
        task: one of ``TASKS``.
        patient: ``phantom`` or ``warp:PATH`` (one drawn per episode), ``phantom:SEED``, ``warp:SEED:PATH``, or the path
            of a NIfTI CT.
        cohort: a list of patients to draw from instead (see ``patient.cohort``); split: the part of it to draw from.
        device: name of a device preset; ``device_overrides`` replaces single values of it.
        renderer: name of a renderer.
        perception: name of a localiser; ``perception_args`` are its keyword arguments.
        disturbance: errors injected into estimates (``carm_env.sim.disturbance.DisturbanceConfig``), none by default.
        exposure_control: ``prepulse``, ``lagged`` or ``ideal``.
        xray: settings of the X-ray chain other than their defaults (``carm_env.xray.config.XrayConfig``).
        dose: settings of the dose estimates other than their defaults (``carm_env.xray.dose.config.DoseConfig``).
        pulse_rate_hz: 0.1 to 30 pulses a second. A control step charges whole pulses or none: the rate in use is the
            next lower one of 30, 22.5, 15, 7.5, 7.5/2, 7.5/3, ...
        estimate_latency_s: episode time that a step with an estimate costs.
        policy_latency_s: episode time that every decision costs.
        target_mm: target in patient LPS mm instead of the task's own.
        pool: number of patients that ``phantom`` and ``warp:PATH`` draw from.
        image_pixels: side of the square frames.
    """

    task: str = "pelvis_to_head"
    patient: str = "phantom"
    cohort: str | None = None
    split: str = "all"
    device: str = "artis_biplane"
    device_overrides: Mapping[str, Any] = field(default_factory=dict)
    renderer: str = "numba"
    perception: str = "oracle"
    perception_args: Mapping[str, Any] = field(default_factory=dict)
    disturbance: Mapping[str, Any] = field(default_factory=dict)
    exposure_control: str = "prepulse"
    xray: Mapping[str, Any] = field(default_factory=dict)
    dose: Mapping[str, Any] = field(default_factory=dict)
    pulse_rate_hz: float = 7.5
    estimate_latency_s: float = 0.1
    policy_latency_s: float = 0.0
    target_mm: tuple[float, float, float] | None = None
    pool: int = 1000
    image_pixels: int = 128

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise CarmError(f"task {self.task!r} is unknown; tasks: {', '.join(TASKS)}")
        if not 0.1 <= self.pulse_rate_hz <= 30:
            raise CarmError(f"pulse_rate_hz={self.pulse_rate_hz} is out of range; want 0.1 to 30")
        for name in ("estimate_latency_s", "policy_latency_s"):
            if not 0 <= getattr(self, name) <= 60:
                raise CarmError(f"{name}={getattr(self, name)} is out of range; want 0 to 60 s")
        if not 16 <= self.image_pixels <= 1024:
            raise CarmError(f"image_pixels={self.image_pixels} is out of range; want 16 to 1024")
        if not 1 <= self.pool <= 2**31:
            raise CarmError(f"pool={self.pool} is out of range; want at least 1")
        xray_config(self.xray)
        dose_settings(self.dose)
        disturbance_settings(self.disturbance)
        check_split(self.split)
        if self.cohort is None and self.split != ALL:
            raise CarmError(f"split={self.split} needs a cohort; want e.g. cohort=phantom-1000")
        if self.cohort is not None and self.patient != "phantom":
            raise CarmError(f"patient={self.patient} and cohort={self.cohort} both name patients; want one of them")
        if self.target_mm is not None and len(self.target_mm) != 3:
            raise CarmError(f"target_mm={self.target_mm!r} has {len(self.target_mm)} numbers; want x, y, z in LPS mm")

    @property
    def planar(self) -> bool:
        """Two translations and one frontal plane, as in the seed paper."""
        return self.task != "pelvis_to_head"

    @property
    def planes(self) -> int:
        """Number of imaging planes that the task uses."""
        return 1 if self.planar else 2

    @property
    def pulses_per_exposure(self) -> int:
        """Pulses that an exposed step charges; the last one makes the image."""
        return max(1, floor(self.pulse_rate_hz * DT_S + 1e-9))

    @property
    def used_rate_hz(self) -> float:
        """Pulses a second that whole steps leave of ``pulse_rate_hz``."""
        return self.pulses_per_exposure / (self.steps_per_exposure * DT_S)

    @property
    def steps_per_exposure(self) -> int:
        """Least number of steps between two exposures of a plane."""
        return max(1, ceil(1.0 / (self.pulse_rate_hz * DT_S) - 1e-9))
