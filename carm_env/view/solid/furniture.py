"""What stands still in the scene: the patient on the mattress, and the table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.machine.presets import DevicePreset
from carm_env.view.solid.lookout import Lookout
from carm_env.view.solid.mesh import Surfaces
from carm_env.view.solid.offscreen import off_screen

_BONE, _SKIN = (240, 232, 212), (238, 200, 178)
_TABLE, _MATTRESS = (84, 98, 114), (44, 62, 84)
_CLEAR, _RIM = 0.20, 0.75
"""Opacity of skin seen face on, and what is added at its rim."""

_TABLE_BELOW_MM = 200.0
"""The table is drawn so far beyond the CT's lower end: its foot end would fill half the picture."""


def add_body(plotter: Any, body: Surfaces, view: Lookout) -> None:
    """Bone opaque; skin clear where it is seen face on and dense at its rim, like glass."""
    if body.bone.n_cells:
        plotter.add_mesh(body.bone, color=_BONE, smooth_shading=True, ambient=0.12, diffuse=0.85, specular=0.2)
    if body.skin.n_cells:
        look = {"smooth_shading": True, "ambient": 0.5, "diffuse": 0.6, "culling": "back"}
        plotter.add_mesh(body.skin, scalars=_glass(body.skin, view), rgba=True, **look)


def _glass(skin: Any, view: Lookout) -> NDArray[np.uint8]:
    """Colour and opacity of each point of the skin by the angle at which it is seen, [K, 4]."""
    ray = np.asarray(skin.points) - view.eye
    ray /= np.linalg.norm(ray, axis=1)[:, None]
    facing = np.abs(np.einsum("ki,ki->k", ray, np.asarray(skin.point_data["Normals"])))
    opacity = _CLEAR + _RIM * (1 - facing) ** 1.6
    return np.column_stack([np.tile(_SKIN, (len(facing), 1)), 255 * opacity]).astype(np.uint8)


def table_box(preset: DevicePreset, body: Surfaces) -> NDArray[np.float64]:
    """The slab as it is drawn: x, y, z from and to, mm, [3, 2]."""
    box = np.stack([preset.table_low_mm, preset.table_high_mm], axis=1)
    if body.skin.n_cells:
        box[2, 0] = max(box[2, 0], body.skin.bounds[4] - _TABLE_BELOW_MM)
    return box


def add_table(plotter: Any, preset: DevicePreset, body: Surfaces) -> None:
    """The slab, and a mattress as thick as the patient lies above it."""
    pv, box = off_screen(), table_box(preset, body)
    plotter.add_mesh(pv.Box(box.ravel()), color=_TABLE, ambient=0.2, specular=0.3, specular_power=20)
    back = float(body.skin.bounds[3]) if body.skin.n_cells else 0.0
    if back < -5:
        mattress = np.array([box[0] + (12, -12), (back, 0.0), box[2] + (12, -12)])
        plotter.add_mesh(pv.Box(mattress.ravel()), color=_MATTRESS, ambient=0.25)
