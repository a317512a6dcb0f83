"""The 3-D scene of an episode: patient, table and gantry, rendered off screen by PyVista."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import DEPLOY
from carm_env.view.drawing import LIT, PLANE_COLOURS
from carm_env.view.moment import Moment
from carm_env.view.solid.furniture import add_body, add_table
from carm_env.view.solid.gantry import beam_matrix, plane_matrix, plane_parts
from carm_env.view.solid.lookout import Lookout
from carm_env.view.solid.marks import Marks
from carm_env.view.solid.mesh import Surfaces
from carm_env.view.solid.offscreen import off_screen

if TYPE_CHECKING:
    from PIL import Image

F64 = NDArray[np.float64]

SAMPLES = 2
"""Rendered so many times as large in both directions, then averaged; faster than VTK's own anti-aliasing here."""

_TOP, _BOTTOM = (34, 45, 58), (13, 17, 23)
_PAINT, _DARK = (206, 214, 222), (40, 46, 54)
_LIGHTS = (((-3000, -5000, -1500), 0.75), ((4000, -2000, -3000), 0.35), ((-1000, -2500, 5000), 0.35))
_PARKED_DEG = 0.5


@dataclass(frozen=True, eq=False)
class Contents:
    """What does not change during an episode, table frame, mm.

    Attributes:
        body: the patient's surfaces, already on the table.
        landmarks_mm: [K, 3]; preset: the machine; planes: how many of its planes are used.
    """

    body: Surfaces
    landmarks_mm: F64
    preset: DevicePreset
    planes: int


class SolidRoom:
    """Renders moments of one episode; made once, then only parts are moved.

    Args:
        view: camera and size of the picture.

    Raises:
        CarmError: VTK cannot be used here.
    """

    def __init__(self, contents: Contents, view: Lookout) -> None:
        self._preset, self._planes = contents.preset, range(contents.planes)
        self._plotter = _plotter(view)
        add_body(self._plotter, contents.body, view)
        add_table(self._plotter, contents.preset, contents.body)
        self._gantry = [self._add_plane(plane) for plane in self._planes]
        self._marks = Marks(self._plotter, contents.landmarks_mm)

    def _add_plane(self, plane: int) -> dict[str, Any]:
        parts, colour = plane_parts(self._preset.planes[plane]), PLANE_COLOURS[plane]
        metal = {"smooth_shading": True, "specular": 0.35, "specular_power": 25, "ambient": 0.18, "diffuse": 0.8}
        add = self._plotter.add_mesh
        return {
            "arm": add(parts.arm, color=_PAINT, **metal),
            "housing": add(parts.housing, color=_tinted(colour), **metal),
            "panel": add(parts.panel, color=_DARK, ambient=0.6),
            "tube": add(parts.tube, color=_tinted(colour), **metal),
            "beam": add(parts.beam, color=colour, lighting=False, opacity=0.1),
            "edges": add(parts.beam, style="wireframe", color=colour, lighting=False, line_width=2),
        }

    def draw(self, moment: Moment) -> Image.Image:
        """The picture at a moment, RGB."""
        from PIL import Image

        for plane in self._planes:
            self._place(plane, moment)
        self._marks.place(moment)
        self._plotter.renderer.ResetCameraClippingRange()
        self._plotter.render()
        return Image.fromarray(self._plotter.screenshot(return_img=True)).reduce(SAMPLES)

    def _place(self, plane: int, moment: Moment) -> None:
        spec, actors = self._preset.planes[plane], self._gantry[plane]
        swing = float(moment.position[DEPLOY]) if plane else self._preset.deploy_deg
        ready = swing >= self._preset.deploy_deg - _PARKED_DEG
        matrix = plane_matrix(moment.position, self._preset, plane)
        beam = beam_matrix(matrix, moment.field_mm[plane], spec)
        for name, actor in actors.items():
            actor.user_matrix = beam if name in ("beam", "edges") else matrix
            actor.visibility = swing > _PARKED_DEG
            if name in ("arm", "housing", "panel", "tube"):
                actor.prop.opacity = 1.0 if ready else 0.15 + 0.5 * swing / self._preset.deploy_deg
        self._light(plane, moment.exposed[plane], ready and moment.field_mm[plane] > 0)

    def _light(self, plane: int, lit: bool, shown: bool) -> None:
        colour = LIT if lit else PLANE_COLOURS[plane]
        for name, strength in (("beam", 0.28 if lit else 0.05), ("edges", 0.9 if lit else 0.3)):
            actor = self._gantry[plane][name]
            actor.visibility = shown
            actor.prop.color = colour
            actor.prop.opacity = strength

    def close(self) -> None:
        """Frees the render window."""
        self._plotter.close()


def _plotter(view: Lookout) -> Any:
    pv = off_screen()
    size = [SAMPLES * side for side in view.size]
    plotter = pv.Plotter(off_screen=True, window_size=size, lighting="none")
    plotter.set_background(_BOTTOM, top=_TOP)
    view.aim(plotter.camera)
    for place, strength in _LIGHTS:
        light = pv.Light(position=place, focal_point=(0, 0, -500), intensity=strength, light_type="scene light")
        plotter.add_light(light)
    plotter.disable_anti_aliasing()
    return plotter


def _tinted(colour: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(round(0.45 * c + 0.55 * p) for c, p in zip(colour, _PAINT, strict=True))
