"""What `carm run` can be told. Groups (task, policy, perception, device, xray, dose) have a YAML file a variant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ExposureConfig:
    """control: prepulse, lagged or ideal; pulse_rate_hz: 0.1 to 30."""

    control: str = "prepulse"
    pulse_rate_hz: float = 7.5


@dataclass
class LatencyConfig:
    """Episode time that an estimate and a decision cost, in seconds."""

    estimate_s: float = 0.1
    policy_s: float = 0.0


@dataclass
class DisturbanceConfig:
    """Errors injected into estimates: see ``carm_env.sim.disturbance``."""

    bias_mm: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    noise_mm: float = 0.0
    dropout: float = 0.0
    delay: int = 0
    overconfidence: float = 1.0


@dataclass
class TaskConfig:
    """env_id: registered environment; target_mm: a target in patient LPS mm instead of the task's own."""

    env_id: str = "CArm/PelvisToHead-v0"
    target_mm: list[float] | None = None
    max_steps: int = 450


@dataclass
class RecordConfig:
    """What is made of the first episode beside the tables."""

    player: bool = True
    video: bool = True


@dataclass
class RunConfig:
    """One call of `carm run`.

    Attributes:
        patient: `phantom`, `phantom:SEED`, the path of a NIfTI CT, `warp:PATH` or `warp:SEED:PATH`.
        cohort: `phantom-N`, `warp-N:PATH` or a JSON list to draw patients from; split: all, train, validation or test.
        seed: the episode; seeds: a range FIRST:END of episodes instead.
        out: folder of the run.
        executor: serial or processes; workers: number of processes.
        compare: an earlier run's folder; differences on the seeds that both have are reported.
    """

    task: TaskConfig = field(default_factory=TaskConfig)
    policy: dict[str, Any] = field(default_factory=dict)
    perception: dict[str, Any] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    xray: dict[str, Any] = field(default_factory=dict)
    dose: dict[str, Any] = field(default_factory=dict)
    patient: str = "phantom"
    cohort: str | None = None
    split: str = "all"
    renderer: str = "numba"
    exposure: ExposureConfig = field(default_factory=ExposureConfig)
    latency: LatencyConfig = field(default_factory=LatencyConfig)
    disturbance: DisturbanceConfig = field(default_factory=DisturbanceConfig)
    record: RecordConfig = field(default_factory=RecordConfig)
    seed: int = 0
    seeds: str | None = None
    out: str = "runs/demo"
    executor: str = "serial"
    workers: int = 2
    compare: str | None = None
