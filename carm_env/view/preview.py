"""A look at a patient: the CT from the front and from the side, with its landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from carm_env.errors import CarmError
from carm_env.patient.model import Patient
from carm_env.whole import whole

F32 = NDArray[np.float32]
HEIGHT_PX = 900
_GAP_PX, _FOOT_PX = 16, 40
_AIR_HU, _BONE_HU = -1000, 200
_BONE_GAIN = 3.0
_COLOURS = {"given": (80, 220, 120), "segmentation": (90, 170, 255), "estimated": (255, 160, 60)}
_MAX_ASPECT = 3.0


def preview(patient: Patient) -> Image.Image:
    """Parallel projections, frontal (patient left on the right) and lateral (posterior on the right), head up.

    Points: green given by a file, blue from a segmentation, orange estimated, with a circle of their uncertainty.
    """
    volume = patient.volume
    spacing = volume.spacing_mm
    frontal, lateral = _projections(volume.hu, spacing)
    length = volume.hu.shape[2] * spacing[2]
    scale = min(HEIGHT_PX / length, _MAX_ASPECT * HEIGHT_PX / (2 * max(volume.hu.shape[:2] * spacing[:2])))
    views = [_drawn(patient, frontal, 0, scale), _drawn(patient, lateral, 1, scale)]
    width = sum(v.width for v in views) + 3 * _GAP_PX
    sheet = Image.new("RGB", (max(width, 420), views[0].height + 2 * _GAP_PX + _FOOT_PX), (16, 18, 22))
    left = _GAP_PX
    for view in views:
        sheet.paste(view, (left, _GAP_PX))
        left += view.width + _GAP_PX
    _legend(sheet)
    return sheet


def save_preview(patient: Patient, path: str | Path) -> Path:
    """Writes ``preview`` as PNG, whole or not at all.

    Raises:
        CarmError: the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            preview(patient).save(part, format="PNG")
    except OSError as error:
        raise CarmError(f"{path}: cannot be written ({error.strerror}); want a place to write a PNG to") from error
    return path


def _projections(hu: NDArray[np.int16], spacing_mm: NDArray[np.float64]) -> tuple[F32, F32]:
    """Sums along y [X, Z] and along x [Y, Z] of density, bone weighted so that it shows."""
    frontal = np.zeros((hu.shape[0], hu.shape[2]), np.float32)
    lateral = np.zeros((hu.shape[1], hu.shape[2]), np.float32)
    for i, plane in enumerate(hu):
        dense = np.maximum(plane.astype(np.float32) - _AIR_HU, 0.0)
        dense += (_BONE_GAIN - 1.0) * np.maximum(plane.astype(np.float32) - _BONE_HU, 0.0)
        frontal[i] = dense.sum(axis=0)
        lateral += dense
    return frontal * np.float32(spacing_mm[1]), lateral * np.float32(spacing_mm[0])


def _drawn(patient: Patient, image: F32, axis: int, scale: float) -> Image.Image:
    """One view as a picture, ``scale`` pixels a mm, with points; ``axis`` is the volume's that runs to the right."""
    spacing = patient.volume.spacing_mm[[axis, 2]]
    top = float(np.percentile(image[image > 0], 99.5)) if (image > 0).any() else 1.0
    grey = (255 * np.sqrt(np.clip(image / max(top, 1e-6), 0.0, 1.0))).astype(np.uint8)
    size = tuple(max(1, round(float(n * s * scale))) for n, s in zip(image.shape, spacing, strict=True))
    view = Image.fromarray(grey.T[::-1]).resize((size[0], size[1]), Image.Resampling.BILINEAR).convert("RGB")
    draw = ImageDraw.Draw(view)
    for name, point in (patient.landmarks | patient.targets).items():
        index = patient.volume.to_index(point)
        x = (index[axis] + 0.5) * spacing[0] * scale
        y = view.height - (index[2] + 0.5) * spacing[1] * scale
        colour = _COLOURS[patient.meta.get("origin", {}).get(name, "given")]
        radius = patient.meta.get("uncertainty_mm", {}).get(name, 0.0) * scale
        if radius > 4:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
        draw.text((x + 6, y - 6), name, fill=colour)
    return view


def _legend(sheet: Image.Image) -> None:
    draw, x = ImageDraw.Draw(sheet), _GAP_PX
    for word, colour in _COLOURS.items():
        draw.text((x, sheet.height - 30), word, fill=colour)
        x += 100
    words = "front: patient left on the right    side: back on the right"
    draw.text((_GAP_PX, sheet.height - 16), words, fill=(170, 170, 170))
