"""The cross-check of the renderers: ``carm bench suite=renderers``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.renderers import accuracy, scenes
from benchmarks.renderers.cuda import measure_cuda
from benchmarks.renderers.marks import marks
from benchmarks.renderers.peers import NANODRR_SAMPLES, installed, peers
from benchmarks.renderers.picture import draw
from benchmarks.throughput import describe_machine
from benchmarks.timing import in_turns
from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.load import load_patient
from carm_env.patient.model import Patient
from carm_env.render.numba_renderer import NumbaRenderer
from carm_env.render.protocol import Renderer
from carm_env.render.reference import render_reference
from carm_env.render.registry import RENDERERS, make_renderer

REFERENCE_STEP_MM = 0.25
TILTS_DEG = (0, 30, 45, 50)
BATCH = 16
FINE_MM, FINE_LENGTH_MM, SUBPIXELS = 0.75, 200.0, 8
_PICTURED = 4

Say = Callable[[str], None]


def run(patients: list[str], rounds: int, out: Path, say: Say) -> dict[str, Any]:
    """Compares every renderer that runs here; writes ``renderers.png`` into ``out``.

    Args:
        patients: names of CTs for the agreement, as ``carm run`` takes them; the first is pictured.
        rounds: repetitions of everything that is timed, taken in turns.
        say: told what is being measured.

    Returns:
        Plain data: machine, versions, speed, levels, memory, agreement by patient, CUDA, marks.
    """
    body = scenes.body()
    renderers, missing = available()
    report: dict[str, Any] = {
        "machine": describe_machine() | {"threads": os.cpu_count()},
        "versions": {name: installed(name) for name in ("numba", "nanodrr", "torch", "itk-rtk", "deepdrr")},
        "not_measured": missing,
        "rounds": rounds,
        "speed": {"ct": "procedural body, 256 x 256 x 600 voxels of 1.5 mm", "nanodrr_samples": NANODRR_SAMPLES},
    }
    for pixels in (128, 256):
        say(f"a biplane pair of {pixels} x {pixels} pixels")
        report["speed"][f"pair of {pixels}"] = _pair(body, renderers, pixels, rounds)
    say("tilted views, batches, levels, memory")
    report["speed"]["numba, tilted"] = _tilted(body, rounds)
    report["speed"][f"batch of {BATCH} at 128"] = _batch(body, renderers, max(rounds // 4, 2))
    report["level"] = _level(rounds)
    report["memory_bytes_a_voxel"] = _memory(body)
    report["agreement"] = {}
    for number, name in enumerate(patients):
        say(f"agreement on {name}")
        scene = scenes.regions_of(load_patient(name))
        images = {title: one.render([scene.patient] * len(scene.names), scene.cameras, scenes.SIZE)
                  for title, one in renderers.items()}  # fmt: skip
        truth = render_reference(scene.patient.volume, scene.cameras, scenes.SIZE, REFERENCE_STEP_MM)
        report["agreement"][Path(name).name] = _agreement(images, truth, scene)
        if number == 0:
            draw(out / "renderers.png", scene, truth, images, tuple(range(min(_PICTURED, len(scene.names)))))
    say("CUDA")
    report["cuda"] = measure_cuda(body, rounds)
    report["marks"] = marks(report)
    return report


def available() -> tuple[dict[str, Renderer], dict[str, str]]:
    """Renderers that run here, and why the others do not."""
    found: dict[str, Renderer] = {}
    missing: dict[str, str] = {}
    for name in RENDERERS:
        try:
            found[name] = make_renderer(name)
        except CarmError as reason:
            missing[name] = f"not measured: {reason}"
    return found, missing


def _call(
    renderer: Renderer, patient: Patient, cameras: Cameras, size: tuple[int, int] = scenes.SIZE
) -> Callable[[], scenes.Image]:
    return lambda: renderer.render([patient] * len(cameras), cameras, size)


def _pair(body: Patient, renderers: dict[str, Renderer], pixels: int, rounds: int) -> dict[str, Any]:
    """Times and errors of two materials by our renderers and of one by the peers."""
    size, cameras = (pixels, pixels), scenes.pair(pixels)
    functions = {name: _call(renderer, body, cameras, size) for name, renderer in renderers.items()}
    others = peers(body, cameras, size)
    result: dict[str, Any] = in_turns(functions | others, rounds)
    for name, times in result.items():
        image = accuracy.attenuation(functions[name]()) if name in functions else others[name]()
        times["materials"] = 2 if name in functions else 1
        times["error_percent"] = round(accuracy.error_of_pair(image, body, cameras, 4 * pixels // 128), 4)
        times["numba_is_faster_by"] = round(times["median_ms"] / result["numba"]["median_ms"], 2)
    return result


def _tilted(body: Patient, rounds: int) -> dict[str, Any]:
    """Views that look more and more along the body, alone and as a pair, one plane to the head and one to the feet."""
    renderer = NumbaRenderer()
    looks = {
        "frontal": ([0], (12.0, 97.0)),
        "between": ([0], (45.0, 135.0)),
        "lateral": ([1], (12.0, 97.0)),
        "pair": ([0, 1], (12.0, 97.0)),
    }
    views = {
        f"{name}, {tilt} degrees": scenes.pair(secondary_deg=(tilt, -tilt), primary_deg=primary_deg)[rows]
        for name, (rows, primary_deg) in looks.items()
        for tilt in TILTS_DEG
    }
    result: dict[str, Any] = in_turns({name: _call(renderer, body, some) for name, some in views.items()}, rounds)
    for name, times in result.items():
        straight = result[f"{name.partition(',')[0]}, {TILTS_DEG[0]} degrees"]
        times["over_untilted"] = round(times["median_ms"] / straight["median_ms"], 2)
    return result


def _batch(body: Patient, renderers: dict[str, Renderer], rounds: int) -> dict[str, Any]:
    """A batch of frames of one patient in one call."""
    cameras = scenes.pair()[[0, 1] * (BATCH // 2)]
    return in_turns({name: _call(renderer, body, cameras) for name, renderer in renderers.items()}, rounds)


def _level(rounds: int) -> dict[str, Any]:
    """A CT of small voxels with and without its coarser level, against the mean over a pixel's area."""
    fine, cameras, size = scenes.body(FINE_MM, FINE_LENGTH_MM), scenes.pair(), scenes.SIZE
    level, full = NumbaRenderer(), NumbaRenderer(coarse_levels=False)
    calls = {"level": _call(level, fine, cameras), "full": _call(full, fine, cameras)}
    result: dict[str, Any] = in_turns(calls, rounds)
    many = (SUBPIXELS * size[0], SUBPIXELS * size[1])
    area = full.render([fine] * 2, scenes.pair(many[0]), many)
    area = area.reshape(2, 2, size[0], SUBPIXELS, size[1], SUBPIXELS).mean(axis=(3, 5))
    for name, renderer in (("level", level), ("full", full)):
        result[name] |= accuracy.agreement(renderer.render([fine] * 2, cameras, size), area)
    return {"ct": f"procedural body, voxels of {FINE_MM} mm", "against": "mean of 8 x 8 rays a pixel"} | result


def _memory(body: Patient) -> dict[str, float]:
    """What ``numba`` holds beside the CT's 2 bytes, over all of the CT's voxels."""
    plain, everything = NumbaRenderer(), NumbaRenderer()
    plain.render([body] * 2, scenes.pair(), scenes.SIZE)
    for cameras in (scenes.pair(), scenes.pair(secondary_deg=(60, -60)), scenes.pair(48)):
        everything.render([body] * 2, cameras, scenes.SIZE)
    voxels = body.volume.hu.size
    return {
        "usual views": round(plain.held_bytes / voxels, 2),
        "and views along the body and of coarser pixels": round(everything.held_bytes / voxels, 2),
    }


def _agreement(images: dict[str, scenes.Image], truth: scenes.Image, scene: scenes.Scene) -> dict[str, Any]:
    rows: dict[str, Any] = {name: accuracy.agreement(image, truth) for name, image in images.items()}
    exact = {"float64": np.asarray(truth, np.float32)}
    rows["largest_landmark_shift_px"] = accuracy.largest_shifts_px(exact | images, scene)
    rows["views"] = list(scene.names)
    return rows
