"""Words over the rendered scene: the patient's sides, the planes, and a key to the marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import DEPLOY
from carm_env.view.drawing import CARD, ESTIMATE, PLANE_COLOURS, QUIET, TARGET, TEXT, font, pen
from carm_env.view.moment import Moment
from carm_env.view.scene import gantry_cameras
from carm_env.view.solid.lookout import Lookout

if TYPE_CHECKING:
    from PIL import Image

F64 = NDArray[np.float64]

_ASIDE_MM, _BESIDE_MM = 60.0, 110.0
_KEY = (("isocentre", TEXT), ("landmark", QUIET), ("target", TARGET), ("believed", ESTIMATE))


class Labels:
    """Writes on pictures of one view.

    Args:
        table_box: the table as drawn, x, y, z from and to, mm, [3, 2].
    """

    def __init__(self, view: Lookout, preset: DevicePreset, planes: int, table_box: F64) -> None:
        self._view, self._preset, self._planes = view, preset, planes
        (right, left), (top, _), (feet, head) = table_box
        self._sides = {
            "L": (left + _ASIDE_MM, top, feet + _BESIDE_MM),
            "R": (right - _ASIDE_MM, top, feet + _BESIDE_MM),
            "head": (0.0, top, head + _BESIDE_MM),
            "feet": (0.0, top, feet - _BESIDE_MM),
        }

    def write(self, image: Image.Image, moment: Moment) -> Image.Image:
        """``image`` with its words, in place."""
        ink = pen(image)
        for text, place in self._sides.items():
            self._at(ink, np.array(place), text, TEXT)
        for plane in range(self._planes):
            if plane == 0 or moment.position[DEPLOY] > self._preset.deploy_deg / 2:
                camera = gantry_cameras(moment.position, self._preset, plane)
                behind = camera.centre_mm[0] + 0.2 * (camera.centre_mm - camera.source_mm)[0]
                self._at(ink, behind, f"plane {'AB'[plane]}", PLANE_COLOURS[plane])
        shown = _KEY if np.isfinite(moment.estimate).all() else _KEY[:-1]
        _key(ink, shown, image.height)
        return image

    def _at(self, ink: Any, place_mm: F64, text: str, colour: tuple[int, ...]) -> None:
        x, y = self._view.project(place_mm)
        ink.text((float(x), float(y)), text, fill=colour, font=font(15), anchor="mm", stroke_width=2, stroke_fill=CARD)


def _key(ink: Any, entries: tuple[tuple[str, tuple[int, ...]], ...], height: int) -> None:
    x = 14.0
    for name, colour in entries:
        ink.ellipse((x - 5, height - 21, x + 5, height - 11), fill=colour)
        ink.text((x + 10, height - 16), name, fill=QUIET, font=font(13), anchor="lm")
        x += 26 + ink.textlength(name, font=font(13))
