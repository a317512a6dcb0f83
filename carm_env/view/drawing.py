"""Pillow drawings for the video: the C-arm over the patient, and curves; drawn twice as large, then halved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.machine.presets import DevicePreset
from carm_env.view.scene import Backdrop, Body, arm, corners, gantry_cameras

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


def _xy(points: F64) -> list[tuple[float, float]]:
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
        (x0, y0), (x1, y1) = _xy(self._flat(np.stack([low, high])))
        draw.rectangle((x0, y0, x1, max(y1, y0 + 6)), fill=(38, 48, 59))
        fill = (74, 88, 102) if backdrop is None else (29, 38, 48)
        draw.polygon(_xy(self._origin + self._scale * outline), fill=fill, outline=(130, 145, 160))
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

    def draw(
        self,
        position: F64,
        exposed: Sequence[bool],
        field_mm: Sequence[float],
        target_mm: F64,
        estimate: F64,
        trail_mm: F64,
    ) -> Image.Image:
        """The view at one moment.

        Args:
            position: pose, [8]; exposed, field_mm: of each plane; target_mm: [3]; estimate: mean and sd, [6], NaN for
                none; trail_mm: the isocentre's path so far, [T, 3].
        """
        image = self._background.copy()
        draw = pen(image)
        for plane, (lit, field) in enumerate(zip(exposed, field_mm, strict=True)):
            self._plane(draw, position, plane, lit, field)
        if len(trail_mm) > 1:
            draw.line(_xy(self._flat(trail_mm)), fill=(255, 255, 255, 130), width=3)
        self._marks(draw, target_mm, estimate)
        x, y = self._flat(position[:3])
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
        draw.line(_xy(self._flat(arm(cameras, self._preset, plane)[0])), fill=faint, width=8, joint="curve")
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
    ordered = sorted(set(_xy(points)))

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


class Chart:
    """Curves over time with a cursor.

    Args:
        time_s: [T]; curves: each [T] with its colour; size: width and height, px.
        log_from: lowest value of a logarithmic axis, ``None`` for a linear axis from 0 with curves as stairs.
        mark: a dashed line at this value.
    """

    PAD = 40

    def __init__(
        self,
        time_s: F64,
        curves: Sequence[tuple[F64, Colour]],
        size: tuple[int, int],
        log_from: float | None = None,
        mark: float | None = None,
    ) -> None:
        self._time, self._curves, self._size, self._low, self._mark = time_s, curves, size, log_from, mark
        top = max(float(np.nanmax(values)) for values, _ in curves)
        self._high = max(top, mark or 0.0, 1e-9) * (1.3 if log_from else 1.08)
        self._background = canvas(*size)
        self._grid(pen(self._background))
        for values, colour in curves:
            self._curve(pen(self._background), values, tuple(c // 3 for c in colour), len(time_s))

    def _x(self, time: F64 | float) -> Any:
        width = self._size[0] - self.PAD - 8
        return SCALE * (self.PAD + width * np.asarray(time) / max(float(self._time[-1]), 1e-9))

    def _y(self, value: Any) -> Any:
        value = np.nan_to_num(np.asarray(value, float))
        if self._low:
            share = np.log(np.maximum(value, self._low) / self._low) / np.log(self._high / self._low)
        else:
            share = value / self._high
        return SCALE * (self._size[1] - 18 - share * (self._size[1] - 26))

    def _ticks(self) -> list[float]:
        if self._low:
            return [v for v in (1.0, 10.0, 100.0, 1000.0) if self._low <= v <= self._high]
        base = 10 ** np.floor(np.log10(self._high / 3))
        step = next(k * base for k in (1, 2, 5, 10) if k * base >= self._high / 3)
        return [k * step for k in range(4) if k * step <= self._high]

    def _grid(self, draw: Any) -> None:
        right, bottom = SCALE * (self._size[0] - 8), SCALE * (self._size[1] - 2)
        for tick in self._ticks():
            y = float(self._y(tick))
            draw.line((SCALE * self.PAD, y, right, y), fill=LINE, width=2)
            draw.text((SCALE * (self.PAD - 6), y), f"{tick:g}", fill=QUIET, font=font(12 * SCALE), anchor="rm")
        draw.text((right, bottom), f"{self._time[-1]:.1f} s", fill=QUIET, font=font(12 * SCALE), anchor="rb")
        if self._mark is not None:
            y = float(self._y(self._mark))
            for x in range(SCALE * self.PAD, right, 16):
                draw.line((x, y, x + 8, y), fill=TARGET, width=2)

    def _curve(self, draw: Any, values: F64, colour: Colour, count: int) -> None:
        time, values = self._time[:count], values[:count]
        if not self._low:
            time, values = np.repeat(time, 2)[1:], np.repeat(values, 2)[:-1]
        points = np.stack([self._x(time), self._y(values)], axis=1)
        if count > 1:
            draw.line(_xy(points), fill=colour, width=4, joint="curve")

    def draw(self, row: int, time: float) -> Image.Image:
        """The curves up to ``row``, the cursor at ``time``."""
        image = self._background.copy()
        draw = pen(image)
        for values, colour in self._curves:
            self._curve(draw, values, colour, row + 1)
        x = float(self._x(time))
        draw.line((x, 4, x, SCALE * (self._size[1] - 17)), fill=TEXT, width=2)
        return image.reduce(SCALE)
