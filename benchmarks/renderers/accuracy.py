"""How far images are from each other: line integrals, correlation, shift of what lies around landmarks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.renderers.scenes import SIZE, Image, Scene
from carm_env.geometry import Cameras
from carm_env.patient.model import Patient
from carm_env.render.reference import line_integrals, pixel_centres
from carm_env.xray.materials import mixture

F64 = NDArray[np.float64]
WINDOW = 10
"""Pixels on each side of a landmark."""


def attenuation(images: Image) -> Image:
    """(soft, bone) [M, 2, H, W] as attenuation at the CT's energy, [M, H, W]."""
    weights = np.array([mixture().mu_soft, mixture().mu_bone], np.float32)
    return np.einsum("mchw,c->mhw", images, weights)


def error_of_pair(image: Image, patient: Patient, cameras: Cameras, every: int = 4) -> float:
    """Mean absolute error over mean of attenuation [M, H, W], in percent, on each ``every``-th pixel, against float64
    samples every 0.1 mm."""
    grid = (slice(None), slice(None, None, every), slice(None, None, every))
    targets = pixel_centres(cameras, image.shape[1:])[grid]
    sources = np.broadcast_to(cameras.source_mm[:, None, None], targets.shape)
    sums = line_integrals(patient.volume, sources.reshape(-1, 3), targets.reshape(-1, 3))
    truth = (sums @ [mixture().mu_soft, mixture().mu_bone]).reshape(targets.shape[:-1])
    return percent(image[grid], truth)


def percent(images: Image, truth: Image) -> float:
    """Mean absolute error over mean, in percent."""
    return float(100 * np.abs(images - truth).mean() / truth.mean())


def agreement(images: Image, truth: Image) -> dict[str, float]:
    """Of (soft, bone) [M, 2, H, W] with the reference: errors in percent of the mean, least correlation of a view."""
    ours, exact = attenuation(images), attenuation(truth)
    correlation = min(np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(ours, exact, strict=True))
    return {
        "total_error_percent": round(percent(ours, exact), 4),
        "bone_error_percent": round(percent(images[:, 1], truth[:, 1]), 3),
        "bone_bias_percent": round(float(100 * (images[:, 1].mean() / truth[:, 1].mean() - 1)), 3),
        "least_correlation": round(float(correlation), 6),
    }


def largest_shifts_px(images: dict[str, Image], scene: Scene) -> dict[str, float]:
    """The largest shift around a visible landmark between each two renderers' attenuation."""
    seen = {name: attenuation(image) for name, image in images.items()}
    windows = list(_windows(scene))
    return {
        f"{one} and {other}": round(max(_shift_px(seen[one][m], seen[other][m], at) for m, at in windows), 4)
        for one, other in combinations(seen, 2)
    }


def _windows(scene: Scene) -> list[tuple[int, tuple[slice, slice]]]:
    """Squares around landmarks that lie wholly in the image; around the image's middle where there is none."""
    points = np.array([*scene.patient.landmarks.values(), np.full(3, np.nan)])
    found = []
    for m, positions in enumerate(scene.cameras.project(points, SIZE)):
        for column, row in [*positions, ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)]:
            if WINDOW + 1 <= column < SIZE[1] - WINDOW - 2 and WINDOW + 1 <= row < SIZE[0] - WINDOW - 2:
                at = tuple(slice(round(x) - WINDOW, round(x) + WINDOW + 1) for x in (row, column))
                found.append((m, (at[0], at[1])))
    return found


def _shift_px(one: Image, other: Image, at: tuple[slice, slice]) -> float:
    """How far ``other``'s window has moved against ``one``'s: least squares (Lucas, Kanade 1981) with an offset, a
    scale and a blur, because where an edge is not in the middle of a window, a blur alone looks like a shift."""
    wider = tuple(slice(side.start - 1, side.stop + 1) for side in at)
    window, around = one[at].astype(float), one[wider].astype(float)
    down, right = (slope[1:-1, 1:-1] for slope in np.gradient(around))
    blur = around[2:, 1:-1] + around[:-2, 1:-1] + around[1:-1, 2:] + around[1:-1, :-2] - 4 * window
    parts = (down, right, blur, window, np.ones(window.shape))
    columns = np.stack([part.ravel() for part in parts], axis=1)
    moved = np.linalg.lstsq(columns, (other[at] - window).ravel().astype(float), rcond=None)[0]
    return float(np.hypot(moved[0], moved[1]))
