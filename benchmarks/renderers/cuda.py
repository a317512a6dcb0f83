"""The renderers on CUDA: nanodrr's single-material rate, ours with two materials, DeepDRR a pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.renderers.peers import nanodrr_subject
from benchmarks.renderers.scenes import DETECTOR_MM, SID_MM, SOD_MM
from benchmarks.timing import in_turns
from carm_env.errors import CarmError
from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient
from carm_env.render.registry import make_renderer

PIXELS, SAMPLES = 200, 500
BATCHES = (2, 64)
NOT_MEASURED = "not measured: no CUDA device"


def measure_cuda(patient: Patient, rounds: int) -> dict[str, Any] | str:
    """Milliseconds and ratios on this machine's GPU, or why there are none."""
    try:
        import torch
    except ImportError:
        return NOT_MEASURED
    if not torch.cuda.is_available():
        return NOT_MEASURED
    return {"device": torch.cuda.get_device_name(0)} | measure_on(patient, rounds, "cuda", PIXELS, SAMPLES)


def measure_on(patient: Patient, rounds: int, device: str, pixels: int, samples: int) -> dict[str, Any]:
    """Times on a device of torch's; DeepDRR's where it runs.

    Returns:
        ``single_material`` (nanodrr, images left on the device), ``two_materials`` (ours, likewise), ``render`` (ours,
        images brought to the host) and ``deepdrr`` by size of the batch; ``rate_over_single_material`` of ours, and how
        many times DeepDRR's time for a pair ours is.
    """
    report: dict[str, Any] = {"pixels": pixels, "samples_single_material": samples}
    for count in BATCHES:
        functions = _functions(patient, _views(count, pixels), device, pixels, samples)
        times: dict[str, Any] = in_turns(functions, rounds)
        report[f"batch of {count}"] = times
        times["rate_over_single_material"] = round(
            times["single_material"]["median_ms"] / max(times["two_materials"]["median_ms"], 1e-6), 3
        )
    try:
        deepdrr = make_renderer("deepdrr")
    except CarmError as missing:
        report["deepdrr"] = f"not measured: {missing}"
        return report
    cameras = _views(2, pixels)
    pair = {"deepdrr": lambda: deepdrr.render([patient] * 2, cameras, (pixels, pixels))}
    report["deepdrr"] = in_turns(pair, rounds)["deepdrr"]
    report["times_as_fast_as_deepdrr_a_pair"] = round(
        report["deepdrr"]["median_ms"] / report["batch of 2"]["render"]["median_ms"], 1
    )
    return report


def _views(count: int, pixels: int) -> Cameras:
    rng = np.random.default_rng(0)
    isocentres, angles = rng.uniform(-20, 20, (count, 3)), rng.uniform(-10, 10, (2, count))
    angles[0, 1::2] += 90
    return cone_beam(isocentres, angles[0], angles[1], SOD_MM, SID_MM, DETECTOR_MM / pixels)


def _functions(
    patient: Patient, cameras: Cameras, device: str, pixels: int, samples: int
) -> dict[str, Callable[[], Any]]:
    import torch
    from nanodrr.drr.renderer import render

    from carm_env.render.nanodrr_renderer import NanodrrRenderer
    from carm_env.render.tensor_cameras import TensorCameras

    size, count = (pixels, pixels), len(cameras)
    ours, views = NanodrrRenderer(device=device), TensorCameras.of(cameras, device)
    subject, source, targets = nanodrr_subject(patient.volume, device), views.source_mm[:, None], views.pixels_mm(size)
    eye, sid = torch.eye(4, device=device).repeat(count, 1, 1), torch.full((count,), SID_MM, device=device)

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def single() -> None:
        with torch.inference_mode():
            render(subject, eye[:, :3, :3], eye, sid, *size, samples, src=source, tgt=targets)
        wait()

    def two() -> None:
        with torch.inference_mode():
            ours.line_integrals(patient, views, size)
        wait()

    return {
        "single_material": single,
        "two_materials": two,
        "render": lambda: ours.render([patient] * count, cameras, size),
    }
