"""Curves over time for the video; drawn twice as large, then halved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.view.drawing import LINE, QUIET, SCALE, TARGET, TEXT, Colour, canvas, flat_points, font, pen

if TYPE_CHECKING:
    from PIL import Image

F64 = NDArray[np.float64]


class Chart:
    """Curves over time with a cursor.

    Args:
        time_s: [T]; curves: each [T] with its colour, NaN where there is nothing to draw; size: width and height, px.
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
        top = max(float(np.nanmax(values, initial=0.0)) for values, _ in curves)
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
        known = np.flatnonzero(np.isfinite(values[:count]))
        time, values = self._time[known], values[known]
        if not self._low:
            time, values = np.repeat(time, 2)[1:], np.repeat(values, 2)[:-1]
        points = np.stack([self._x(time), self._y(values)], axis=1)
        if len(known) > 1:
            draw.line(flat_points(points), fill=colour, width=4, joint="curve")

    def draw(self, row: int, time: float) -> Image.Image:
        """The curves up to ``row``, the cursor at ``time``."""
        image = self._background.copy()
        draw = pen(image)
        for values, colour in self._curves:
            self._curve(draw, values, colour, row + 1)
        x = float(self._x(time))
        draw.line((x, 4, x, SCALE * (self._size[1] - 17)), fill=TEXT, width=2)
        return image.reduce(SCALE)
