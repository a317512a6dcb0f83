"""An episode as pictures of 1280 x 720: both planes, the C-arm over the patient, curves and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.recorder import EpisodeRecord
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import A1, B1, DEPLOY
from carm_env.sim.task import TOLERANCE_MM
from carm_env.view.chart import Chart
from carm_env.view.drawing import (
    BAD,
    CARD,
    ESTIMATE,
    GROUND,
    LIT,
    PLANE_COLOURS,
    QUIET,
    TARGET,
    TEXT,
    font,
    pen,
)
from carm_env.view.moment import Panel, moment_at, row_at
from carm_env.view.scene import believed_error, estimated_targets, gantry_cameras, image_left

SIZE = (1280, 720)
PICTURE = 296
_LEFT, _TOP, _GAP = 16, 56, 12
PANEL = (632, 636)
"""Size of the panel that shows the C-arm over the patient."""

_CHART_TITLES = ((("Error:", QUIET), ("true", TARGET), ("believed", ESTIMATE)), (("Dose (KAP)", QUIET),))
_PANEL_CORNER = (SIZE[0] - _LEFT - PANEL[0], _TOP)
_CHART = 204


class Stage:
    """Composes pictures of one episode at any moment.

    Args:
        record: with the frames of its exposures (black screens without them).
        panel: draws the C-arm over the patient, ``PANEL`` pixels large.
    """

    def __init__(self, record: EpisodeRecord, preset: DevicePreset, title: str, panel: Panel) -> None:
        self._record, self._preset, self._title = record, preset, title
        self.time_s = record.steps["elapsed_s"]
        self._estimate = estimated_targets(record)
        self._held = [record.frames.held(plane, len(record)) for plane in range(record.planes)]
        self._screens = [_screen(image) for image in record.frames.image]
        self._panel = panel
        self._panel_at: tuple[float, Any] = (-1.0, None)
        cameras = (gantry_cameras(record.position[-1], preset, plane) for plane in range(record.planes))
        self._left = [image_left(camera.u[0]) for camera in cameras]
        self._charts = self._make_charts()
        self._background = self._make_background()

    @property
    def _marks(self) -> str:
        return "ab"[: self._record.planes]

    def _make_charts(self) -> list[Chart]:
        steps, size = self._record.steps, (PICTURE, _CHART)
        kap = [(steps[f"kap_plane_gycm2_{m}"] * 1000, PLANE_COLOURS["ab".index(m)]) for m in self._marks]
        error = steps["error_mm"]
        least = min(max(float(np.nanmin(error)), 0.5), TOLERANCE_MM / 2)
        errors = [(believed_error(self._record, self._estimate), ESTIMATE), (error, TARGET)]
        return [Chart(self.time_s, errors, size, least, TOLERANCE_MM), Chart(self.time_s, kap, size)]

    def _make_background(self) -> Any:
        from PIL import Image

        image = Image.new("RGB", SIZE, GROUND)
        draw = pen(image)
        draw.text((_LEFT, 28), self._title, fill=TEXT, font=font(20), anchor="lm")
        for box, colour in zip(self._screen_boxes(), PLANE_COLOURS, strict=False):
            draw.rectangle((box[0], box[1] - 30, box[0] + PICTURE - 1, box[1] + PICTURE + 62), fill=CARD)
            draw.rectangle((box[0], box[1] - 32, box[0] + PICTURE - 1, box[1] - 30), fill=colour)
            draw.rectangle((box[0], box[1], box[0] + PICTURE - 1, box[1] + PICTURE - 1), fill=(0, 0, 0))
            name = f"Plane {'AB'[PLANE_COLOURS.index(colour)]}"
            draw.text((box[0] + 8, box[1] - 15), name, fill=QUIET, font=font(15), anchor="lm")
        for index, words in enumerate(_CHART_TITLES):
            x, y = self._chart_corner(index)
            draw.rectangle((x, y - 28, x + PICTURE - 1, y + _CHART), fill=CARD)
            for word, colour in words:
                draw.text((x + 8, y - 14), word, fill=colour, font=font(15), anchor="lm")
                x += round(draw.textlength(word, font=font(15))) + 8
        return image

    def _screen_boxes(self) -> list[tuple[int, int]]:
        return [(_LEFT + plane * (PICTURE + _GAP), _TOP + 32) for plane in range(self._record.planes)]

    def _chart_corner(self, index: int) -> tuple[int, int]:
        return _LEFT + index * (PICTURE + _GAP), _TOP + 32 + PICTURE + 62 + 12 + 28

    def draw(self, time_s: float) -> NDArray[np.uint8]:
        """The picture at a moment of the episode, uint8 [720, 1280, 3]; motion between steps is interpolated."""
        row = row_at(self._record, time_s)
        image = self._background.copy()
        draw = pen(image)
        self._header(draw, row, time_s)
        for plane, corner in enumerate(self._screen_boxes()):
            self._plane(image, draw, plane, corner, row)
        self._curves(image, draw, row, time_s)
        image.paste(self._drawn_panel(time_s if self._panel.smooth else float(self.time_s[row])), _PANEL_CORNER)
        return np.asarray(image)

    def _header(self, draw: Any, row: int, time_s: float) -> None:
        outcome = str(self._record.steps["outcome"][row])
        draw.text((SIZE[0] - 16, 28), f"{time_s:.1f} s", fill=TEXT, font=font(20), anchor="rm")
        if outcome == "running":
            return
        text, colour = outcome.replace("_", " "), TARGET if outcome == "success" else BAD
        width = draw.textlength(text, font=font(18))
        draw.rounded_rectangle((1180 - width - 24, 12, 1180, 44), 16, fill=colour)
        draw.text((1180 - 12 - width, 28), text, fill=(4, 33, 11), font=font(18), anchor="lm")

    def _plane(self, image: Any, draw: Any, plane: int, corner: tuple[int, int], row: int) -> None:
        steps, mark, (x, y) = self._record.steps, "ab"[plane], corner
        held = self._held[plane][row]
        draw.text((x + PICTURE - 8, y - 15), self._pose(plane, row), fill=TEXT, font=font(15), anchor="rm")
        if held < 0:
            draw.text((x + PICTURE // 2, y + PICTURE // 2), "no exposure yet", fill=QUIET, font=font(15), anchor="mm")
            return
        image.paste(self._screens[held], corner)
        shot = int(self._record.frames.row[held])
        age = self.time_s[row] - self.time_s[shot]
        label, colour = ("X-RAY ON", LIT) if shot == row else (f"held {age:.1f} s", TEXT)
        shadow = {"font": font(15), "stroke_width": 2, "stroke_fill": (0, 0, 0)}
        draw.text((x + PICTURE - 8, y + 8), label, fill=colour, anchor="ra", **shadow)
        draw.text((x + 8, y + 8), self._left[plane], fill=TEXT, anchor="la", **shadow)
        for line, text in enumerate(_technique(steps, mark, shot)):
            draw.text((x + 8, y + PICTURE + 16 + 20 * line), text, fill=QUIET, font=font(13), anchor="lm")

    def _pose(self, plane: int, row: int) -> str:
        position = self._record.position[row]
        if plane and position[DEPLOY] < self._preset.deploy_deg - 0.5:
            return "parked" if position[DEPLOY] < 0.5 else "swinging in"
        primary, secondary = position[[A1, A1 + 1] if plane == 0 else [B1, B1 + 1]]
        return (
            f"{abs(primary):.0f}° {'RAO' if primary < 0 else 'LAO'}  "
            f"{abs(secondary):.0f}° {'CAU' if secondary < 0 else 'CRA'}"
        )

    def _curves(self, image: Any, draw: Any, row: int, time_s: float) -> None:
        steps = self._record.steps
        dose = ", ".join(f"{m.upper()} {steps[f'kap_plane_gycm2_{m}'][row] * 1000:.1f}" for m in self._marks)
        values = f"{steps['error_mm'][row]:.1f} mm", f"{dose} mGy cm2"
        for index, (chart, value) in enumerate(zip(self._charts, values, strict=True)):
            x, y = self._chart_corner(index)
            image.paste(chart.draw(row, time_s), (x, y))
            draw.text((x + PICTURE - 8, y - 14), value, fill=TEXT, font=font(15), anchor="rm")

    def _drawn_panel(self, time_s: float) -> Any:
        """The panel, drawn again only when the time is another."""
        if self._panel_at[0] != time_s:
            self._panel_at = time_s, self._panel.draw(moment_at(self._record, self._estimate, time_s))
        return self._panel_at[1]


def _screen(image: NDArray[np.uint8]) -> Any:
    from PIL import Image

    return Image.fromarray(image).resize((PICTURE, PICTURE), Image.Resampling.BICUBIC).convert("RGB")


def _technique(steps: dict[str, NDArray[Any]], mark: str, row: int) -> tuple[str, ...]:
    def value(name: str) -> float:
        return float(steps[f"{name}_{mark}"][row])

    return (
        f"{steps['preset'][row]}: {value('kv'):.0f} kV, {value('cu_mm'):.1f} mm Cu, {value('mas'):.2f} mAs",
        f"field {value('field_mm'):.0f} mm, KAP {value('kap_gycm2') * 1000:.2f} mGy cm2",
        f"K_a,r {value('ka_r_mgy'):.4f} mGy, detector {value('k_detector_ngy'):.0f} nGy",
    )
