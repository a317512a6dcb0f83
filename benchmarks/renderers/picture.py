"""The cross-check to look at: every renderer's view, and what it differs from the reference by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from benchmarks.renderers.accuracy import attenuation
from benchmarks.renderers.scenes import Image, Scene

DIFFERENCE_PERCENT = 1.0
"""Of the view's mean: full red or blue."""
SCALE, LABEL, MARGIN = 2, 14, 92


def draw(path: Path, scene: Scene, truth: Image, images: dict[str, Image], views: tuple[int, ...]) -> None:
    """Writes a PNG: a column a view; the reference, then each renderer and below it its difference, red for more."""
    exact = attenuation(truth)
    rows: list[tuple[str, list[NDArray[np.uint8]]]] = [("float64", [_grey(exact[m]) for m in views])]
    for name, image in images.items():
        ours = attenuation(image)
        rows.append((name, [_grey(ours[m]) for m in views]))
        rows.append((f"+-{DIFFERENCE_PERCENT:g} %", [_difference(ours[m], exact[m]) for m in views]))
    side = SCALE * exact.shape[-1]
    sheet = Pillow.new("RGB", (MARGIN + side * len(views), LABEL + side * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, view in enumerate(views):
        pen.text((MARGIN + side * column + 4, 1), scene.names[view], "black")
    for row, (name, tiles) in enumerate(rows):
        pen.text((4, LABEL + side * row + side // 2), name, "black")
        for column, tile in enumerate(tiles):
            square = Pillow.fromarray(tile).resize((side, side), Pillow.Resampling.NEAREST)
            sheet.paste(square, (MARGIN + side * column, LABEL + side * row))
    sheet.save(path, optimize=True)


def _grey(view: Image) -> NDArray[np.uint8]:
    """Attenuation as in fluoroscopy, bone dark, [H, W, 3]."""
    low, high = np.percentile(view, (1, 99.5))
    grey = 255 * (1 - np.clip((view - low) / max(high - low, 1e-6), 0, 1))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)


def _difference(view: Image, exact: Image) -> NDArray[np.uint8]:
    part = np.clip(100 * (view - exact) / exact.mean() / DIFFERENCE_PERCENT, -1, 1)[..., None]
    more, less = np.array([214, 39, 40]), np.array([31, 119, 180])
    colour = np.where(part > 0, more, less)
    return np.asarray(255 + np.abs(part) * (colour - 255), np.uint8)
