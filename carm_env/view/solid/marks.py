"""Points of interest, drawn over everything else: landmarks, target, estimate, isocentre and its path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.view.drawing import ESTIMATE, QUIET, TARGET
from carm_env.view.moment import Moment
from carm_env.view.solid.offscreen import off_screen

F64 = NDArray[np.float64]

TARGET_MM, ESTIMATE_MM, LANDMARK_MM, ISOCENTRE_MM = 15.0, 12.0, 8.0, 8.0
"""Radii."""

LEAST_SD_MM, MOST_SD_MM = 6.0, 150.0
"""A standard deviation beyond is drawn as this long: a direction that no view has seen has none."""


class Marks:
    """Actors in a layer of their own over a plotter's scene, so that bone hides none of them."""

    def __init__(self, plotter: Any, landmarks_mm: F64) -> None:
        from vtkmodules.vtkRenderingCore import vtkRenderer

        self._layer = vtkRenderer()
        self._layer.SetLayer(1)
        self._layer.SetActiveCamera(plotter.camera)
        plotter.render_window.SetNumberOfLayers(2)
        plotter.render_window.AddRenderer(self._layer)
        for light in plotter.renderer.lights:
            self._layer.AddLight(light)
        ball = off_screen().Sphere(radius=1.0, theta_resolution=32, phi_resolution=32)
        for point in landmarks_mm[np.isfinite(landmarks_mm).all(axis=1)]:
            self._add(ball, QUIET).user_matrix = _scaled(point, [LANDMARK_MM] * 3)
        self._cloud = self._add(ball, ESTIMATE, 0.3)
        self._estimate = self._add(ball, ESTIMATE)
        self._target = self._add(ball, TARGET)
        self._isocentre = self._add(ball, (255, 255, 255))
        self._trail = self._add(off_screen().PolyData(), (255, 255, 255), 0.7)

    def _add(self, mesh: Any, colour: tuple[int, ...], opacity: float = 1.0) -> Any:
        pv = off_screen()
        actor = pv.Actor(mapper=pv.DataSetMapper(mesh))
        actor.prop.color, actor.prop.opacity, actor.prop.ambient, actor.prop.diffuse = colour, opacity, 0.5, 0.6
        actor.prop.line_width = 2
        self._layer.AddActor(actor)
        return actor

    def place(self, moment: Moment) -> None:
        """Moves the marks to a moment."""
        self._target.user_matrix = _scaled(moment.target_mm, [TARGET_MM] * 3)
        self._isocentre.user_matrix = _scaled(moment.position[:3], [ISOCENTRE_MM] * 3)
        known = bool(np.isfinite(moment.estimate).all())
        self._estimate.visibility = self._cloud.visibility = known
        if known:
            mean, sd = moment.estimate[:3], np.clip(moment.estimate[3:], LEAST_SD_MM, MOST_SD_MM)
            self._estimate.user_matrix = _scaled(mean, [ESTIMATE_MM] * 3)
            self._cloud.user_matrix = _scaled(mean, sd)
        self._trail.visibility = len(moment.trail_mm) > 1
        if self._trail.visibility:
            self._trail.mapper.dataset = off_screen().lines_from_points(moment.trail_mm)


def _scaled(at: Any, radii: Any) -> F64:
    matrix = np.diag([*radii, 1.0])
    matrix[:3, 3] = at
    return matrix
