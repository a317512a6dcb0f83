"""Pillow drawings for the video: the C-arm over the patient from two sides; drawn twice as large, then halved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.recorder import EpisodeRecord
from carm_env.machine.presets import DevicePreset
from carm_env.view.moment import Moment
from carm_env.view.scene import VIEWS, Backdrop, Body, arm, bounds, corners, gantry_cameras

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

F64 = NDArray[np.float64]
Colour = tuple[int, ...]

GROUND: Colour = (13, 17, 23)
CARD: Colour = (21, 27, 35)
LINE: Colour = (43, 51, 61)
TEXT: Colour = (230, 237, 243)
QUIET: Colour = (154, 167, 180)
PLANE_COLOURS: tuple[Colour, ...] = ((92, 200, 255), (255, 180, 84))
LIT: Colour = (255, 243, 176)
TARGET: Colour = (110, 231, 135)
ESTIMATE: Colour = (255, 143, 184)
BAD: Colour = (255, 123, 114)
SCALE = 2


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def canvas(width: int, height: int, colour: Colour = CARD) -> Image.Image:
    from PIL import Image

    return Image.new("RGB", (width * SCALE, height * SCALE), colour)


def pen(image: Image.Image) -> ImageDraw.ImageDraw:
    """A pen whose colours may carry an opacity."""
    from PIL import ImageDraw

    return ImageDraw.Draw(image, "RGBA")


def flat_points(points: F64) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _cross(draw: Any, at: F64, colour: Colour) -> None:
    x, y = at
    draw.ellipse((x - 12, y - 12, x + 12, y + 12), outline=colour, width=4)
    for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        draw.line((x + 6 * i, y + 6 * j, x + 22 * i, y + 22 * j), fill=colour, width=4)


class Room:
    """One view of C-arm and patient.

    Args:
        axis: what runs down the page, 0 (x) or 1 (y).
        shown: [2, 2] ranges (z; x or y) to show, mm.
        size: width and height, px.
    """

    def __init__(self, axis: int, shown: F64, size: tuple[int, int], body: Body, preset: DevicePreset) -> None:
        self._axis, self._preset = axis, preset
        extent = np.array(size) * SCALE
        self._scale = float((extent / np.ptp(shown, axis=1)).min())
        self._origin = extent / 2 - self._scale * shown.mean(axis=1)
        view = ("top", "side")[axis]
        self._background = self._patient(canvas(*size), getattr(body, view), body.backdrops.get(view))

    def _flat(self, points_mm: F64) -> F64:
        """Pixels of table points [..., 3], [..., 2]."""
        return self._origin + self._scale * points_mm[..., [2, self._axis]]

    def _patient(self, image: Image.Image, outline: F64, backdrop: Backdrop | None) -> Image.Image:
        from PIL import ImageChops

        draw, low, high = pen(image), np.array(self._preset.table_low_mm), np.array(self._preset.table_high_mm)
        (x0, y0), (x1, y1) = flat_points(self._flat(np.stack([low, high])))
        draw.rectangle((x0, y0, x1, max(y1, y0 + 6)), fill=(38, 48, 59))
        fill = (74, 88, 102) if backdrop is None else (29, 38, 48)
        draw.polygon(flat_points(self._origin + self._scale * outline), fill=fill, outline=(130, 145, 160))
        if backdrop is not None:
            image = ImageChops.screen(image, self._picture(image.size, backdrop))
        name = ("From above", "From the patient's left")[self._axis]
        pen(image).text((10 * SCALE, 18 * SCALE), name, fill=QUIET, font=font(15 * SCALE), anchor="lm")
        return image

    def _picture(self, size: tuple[int, int], backdrop: Backdrop) -> Image.Image:
        from PIL import Image

        forward = np.vstack([self._scale * backdrop.placement, [0, 0, 1]])
        forward[:2, 2] += self._origin
        back = np.linalg.inv(forward)[:2].ravel()
        picture = Image.fromarray(backdrop.image)
        return picture.transform(size, Image.Transform.AFFINE, tuple(back), Image.Resampling.BICUBIC).convert("RGB")

    def draw(self, moment: Moment) -> Image.Image:
        """The view at one moment."""
        image = self._background.copy()
        draw = pen(image)
        for plane, (lit, field) in enumerate(zip(moment.exposed, moment.field_mm, strict=True)):
            self._plane(draw, moment.position, plane, lit, field)
        if len(moment.trail_mm) > 1:
            draw.line(flat_points(self._flat(moment.trail_mm)), fill=(255, 255, 255, 130), width=3)
        self._marks(draw, moment.target_mm, moment.estimate)
        x, y = self._flat(moment.position[:3])
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(255, 255, 255))
        return image.reduce(SCALE)

    def _plane(self, draw: Any, position: F64, plane: int, lit: bool, field_mm: float) -> None:
        spec, deploy = self._preset.planes[plane], self._preset.deploy_deg
        swing = deploy - position[7] if plane else 0.0
        if swing > deploy - 0.5:
            return
        cameras = gantry_cameras(position, self._preset, plane)
        paint = (*PLANE_COLOURS[plane], 255 if swing < 0.5 else 115)
        faint = tuple(round(c + (p - c) * 0.28) for p, c in zip(paint[:3], CARD, strict=True))
        draw.line(flat_points(self._flat(arm(cameras, self._preset, plane)[0])), fill=faint, width=8, joint="curve")
        source = self._flat(cameras.source_mm[0])
        beam = corners(cameras, field_mm * spec.sid_mm / spec.sod_mm / 2)[0]
        if swing < 0.5 and field_mm > 0:
            fill = (*LIT, 120) if lit else (*PLANE_COLOURS[plane], 28)
            draw.polygon(_hull(np.vstack([source, self._flat(beam)])), fill=fill)
        self._detector(draw, self._flat(corners(cameras, spec.detector_mm / 2)[0]), paint)
        x, y = source
        fill = LIT if lit else CARD
        draw.ellipse((x - 14, y - 14, x + 14, y + 14), fill=fill, outline=paint, width=6)

    def _detector(self, draw: Any, shape: F64, paint: Colour) -> None:
        edge_on = np.ptp(shape, axis=0).min() < 0.3 * np.ptp(shape, axis=0).max()
        outline = _hull(shape)
        draw.line([*outline, outline[0]], fill=paint, width=10 if edge_on else 4, joint="curve")

    def _marks(self, draw: Any, target_mm: F64, estimate: F64) -> None:
        if not np.isnan(estimate).any():
            x, y = self._flat(estimate[:3])
            rx, ry = np.clip(self._scale * estimate[3:][[2, self._axis]], 6, 800)
            draw.ellipse((x - rx, y - ry, x + rx, y + ry), outline=ESTIMATE, width=4)
        _cross(draw, self._flat(target_mm), TARGET)


def _hull(points: F64) -> list[tuple[float, float]]:
    """Convex hull of a few points, in order around it."""
    ordered = sorted(set(flat_points(points)))

    def half(sequence: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        chain: list[tuple[float, float]] = []
        for p in sequence:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return half(ordered) + half(ordered[::-1])


def _turn(p: tuple[float, float], q: tuple[float, float], r: tuple[float, float]) -> float:
    return (q[0] - p[0]) * (r[1] - q[1]) - (q[1] - p[1]) * (r[0] - q[0])


class TwoViews:
    """The C-arm over the patient from above and from the side, one below the other: a ``moment.Panel``.

    Args:
        size: of both together, width and height, px; the gap between them is ``gap`` px.
    """

    smooth = True

    def __init__(
        self, record: EpisodeRecord, body: Body, preset: DevicePreset, size: tuple[int, int], gap: int = 12
    ) -> None:
        shown, self._size = bounds(record, body, preset), size
        self._step = (size[1] + gap) // 2
        each = (size[0], self._step - gap)
        self._rooms = [Room(axis, shown[view], each, body, preset) for view, axis in VIEWS.items()]

    def draw(self, moment: Moment) -> Image.Image:
        """Both views at a moment."""
        from PIL import Image

        image = Image.new("RGB", self._size, GROUND)
        for index, room in enumerate(self._rooms):
            image.paste(room.draw(moment), (0, index * self._step))
        return image
