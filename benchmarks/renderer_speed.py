"""How fast the CPU renderers are, against each other in one run: ``python -m benchmarks.renderer_speed``.

A biplane pair of oblique 128 x 128 views of a procedural whole body (256 x 256 x 600 voxels of 1.5 mm). Only the ratios
mean something on a shared machine. nanodrr renders one line integral, numba two.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.manifest import cpu_name
from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient, Volume
from carm_env.render.reference import line_integrals, pixel_centres
from carm_env.render.registry import make_renderer
from carm_env.xray.materials import mixture

SHAPE = (256, 256, 600)
SPACING_MM = 1.5
SIZE = (128, 128)
NANODRR_SAMPLES = 290
"""Where nanodrr's error equals that of Joseph's method."""

Image = NDArray[np.floating[Any]]


def body(seed: int = 0) -> Patient:
    """A smooth, noisy body: outer ellipse, lungs, spine of vertebrae, ribs and two long bones."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in SHAPE[:2]), indexing="ij")
    hu = np.empty(SHAPE, np.float32)
    for k, z in enumerate(np.arange(SHAPE[2]) * SPACING_MM):
        hu[:, :, k] = _slice(x, y, z)
    hu += 40.0 * rng.standard_normal(SHAPE, np.float32) * (hu > -1000)
    hu = gaussian_filter(hu, 0.8)
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = [-SPACING_MM * (n - 1) / 2 for n in SHAPE]
    return Patient(f"body-{seed}", Volume(np.round(hu).clip(-1024, 3071).astype(np.int16), affine))


def _slice(x: Image, y: Image, z: float) -> Image:
    width = 0.82 + 0.1 * np.sin(z / 140)
    radius = np.hypot(x / width, y / (0.62 * width))
    hu = np.where(radius < 1, np.where(radius < 0.9, 45.0, -90.0), -1024.0).astype(np.float32)
    if 400 < z < 640:
        hu[np.hypot((np.abs(x) - 0.36) / 0.24, y / 0.36) < 1] = -820
        rib = (np.abs(radius - 0.86) < 0.05) & ((z / 26 + 0.6 * y) % 1 < 0.35)
        hu[rib] = 700
    vertebra = np.hypot(x, y - 0.32) < (0.14 if z % 32 < 25 else 0.08)
    hu[vertebra] = 320
    hu[vertebra & (np.abs(np.hypot(x, y - 0.32) - 0.13) < 0.015)] = 900
    limb = np.hypot(np.abs(x) - 0.5, y)
    if z < 250:
        hu[limb < 0.12] = 250
        hu[(limb < 0.12) & (limb > 0.08)] = 1300
    return hu


def biplane() -> Cameras:
    """Two oblique views of the body's middle."""
    return cone_beam(np.zeros((2, 3)), [12.0, 97.0], [9.0, -7.0], 800.0, 1200.0, 384.0 / SIZE[0])


def numba_pair(patient: Patient, cameras: Cameras) -> Callable[[], Image]:
    """The pair by ``numba``, as attenuation at the CT's energy [M, H, W]."""
    renderer = make_renderer("numba")
    coefficients = np.array([mixture().mu_soft, mixture().mu_bone], np.float32)
    return lambda: np.einsum("mchw,c->mhw", renderer.render([patient] * len(cameras), cameras, SIZE), coefficients)


def nanodrr_pair(patient: Patient, cameras: Cameras) -> Callable[[], Image]:
    """The same pair by nanodrr on the CPU; the volume holds attenuation coefficients."""
    import torch
    from nanodrr.data import Subject
    from nanodrr.drr.renderer import render

    torch.set_num_threads(os.cpu_count() or 1)
    volume, counts = patient.volume, np.array(patient.volume.hu.shape)
    mu = np.ascontiguousarray(mixture().attenuation(volume.hu).astype(np.float32).T)
    grid = np.diag([*(2.0 / counts), 1.0])
    grid[:3, 3] = 1.0 / counts - 1.0
    to_mm, to_voxel, to_grid = (
        torch.tensor(a, dtype=torch.float32) for a in (volume.affine, volume.inverse_affine, grid)
    )
    image = torch.from_numpy(mu)[None, None]
    label = torch.zeros(1, 1, 1, 1, 1)
    subject = Subject(image, label, to_mm, to_voxel, to_grid, torch.zeros(3), convert_to_mu=False)
    pixels = torch.tensor(pixel_centres(cameras, SIZE).reshape(len(cameras), -1, 3), dtype=torch.float32)
    source = torch.tensor(cameras.source_mm[:, None], dtype=torch.float32)
    eye = torch.eye(4).repeat(len(cameras), 1, 1)
    sdd = torch.full((len(cameras),), 1200.0)

    def pair() -> Image:
        with torch.inference_mode():
            image = render(
                subject, eye[:, :3, :3], eye, sdd, *SIZE, NANODRR_SAMPLES, src=source, tgt=pixels, backend="torch"
            )
        return 0.1 * image[:, 0].numpy()

    return pair


def relative_error(pair: Image, patient: Patient, cameras: Cameras, every: int = 4) -> float:
    """Mean absolute error over mean, in percent, on each ``every``-th pixel against the float64 reference."""
    grid = (slice(None), slice(None, None, every), slice(None, None, every))
    targets = pixel_centres(cameras, SIZE)[grid]
    sources = np.broadcast_to(cameras.source_mm[:, None, None], targets.shape)
    sums = line_integrals(patient.volume, sources.reshape(-1, 3), targets.reshape(-1, 3))
    truth = (sums @ [mixture().mu_soft, mixture().mu_bone]).reshape(targets.shape[:-1])
    return float(100 * np.abs(pair[grid] - truth).mean() / truth.mean())


def measure(rounds: int = 20) -> dict[str, Any]:
    """Median milliseconds a biplane pair of each renderer over interleaved rounds, their ratio and their errors."""
    patient, cameras = body(), biplane()
    pairs = {"numba": numba_pair(patient, cameras)}
    if find_spec("nanodrr"):
        pairs["nanodrr_cpu"] = nanodrr_pair(patient, cameras)
    errors = {name: relative_error(pair(), patient, cameras) for name, pair in pairs.items()}
    times: dict[str, list[float]] = {name: [] for name in pairs}
    for _ in range(rounds):
        for name, pair in pairs.items():
            begin = time.perf_counter()
            pair()
            times[name].append(1000 * (time.perf_counter() - begin))
    return _report(times, errors, rounds)


def _report(times: dict[str, list[float]], errors: dict[str, float], rounds: int) -> dict[str, Any]:
    median = {name: statistics.median(values) for name, values in times.items()}
    report: dict[str, Any] = {
        "views": 2,
        "pixels": list(SIZE),
        "voxels": list(SHAPE),
        "voxel_mm": SPACING_MM,
        "rounds": rounds,
        "cpu": cpu_name(),
        "threads": os.cpu_count(),
    }
    for name in ("numba", "nanodrr_cpu"):
        report[name] = "not measured"
        if name in times:
            report[name] = {
                "median_ms_a_pair": round(median[name], 2),
                "best_ms_a_pair": round(min(times[name]), 2),
                "error_percent": round(errors[name], 4),
            }
    if "nanodrr_cpu" in times:
        report["nanodrr_samples"] = NANODRR_SAMPLES
        report["numba_over_nanodrr"] = round(median["nanodrr_cpu"] / median["numba"], 1)
    return report


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
