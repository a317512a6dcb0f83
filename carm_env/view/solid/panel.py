"""The 3-D scene of one episode as a panel with labels, for stills and for the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.geometry import Rigid
from carm_env.machine.collision import gantry_shapes
from carm_env.machine.presets import DevicePreset
from carm_env.machine.state import DEPLOY
from carm_env.patient.model import Volume
from carm_env.sim.episode_setup import EpisodeSetup
from carm_env.view.moment import Moment
from carm_env.view.solid.furniture import table_box
from carm_env.view.solid.labels import Labels
from carm_env.view.solid.lookout import Lookout
from carm_env.view.solid.mesh import Surfaces, surfaces
from carm_env.view.solid.room import Contents, SolidRoom

if TYPE_CHECKING:
    from PIL import Image

F64 = NDArray[np.float64]

TOWARDS = (1.0, 0.52, 0.9)
"""Seen from the patient's right, from above and a little from the feet: the head is on the left, plane B's tube, which
hides less than its detector, in front."""

_POSES = 12
"""Poses of a drive at which the gantry must fit into the picture."""

_CORNERS = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)


class SolidPanel:
    """Draws moments of one episode.

    Args:
        volume: the CT; motion: from its LPS frame to the table frame (a ``Rigid`` of length 1).
        landmarks_mm: table frame, NaN where there is none, [K, 3].
        preset: the machine; planes: how many of its planes the episode uses.
        poses: of the gantry during the episode, [T, 8]; all fit into the picture (plane B where it is deployed).
        size: width and height, px.

    Attributes:
        view: the camera.

    Raises:
        CarmError: VTK cannot be used here.
    """

    smooth = False

    def __init__(
        self,
        volume: Volume,
        motion: Rigid,
        landmarks_mm: F64,
        preset: DevicePreset,
        planes: int,
        poses: ArrayLike,
        size: tuple[int, int],
    ) -> None:
        body = on_table(surfaces(volume), motion)
        box = table_box(preset, body)
        shown = [box_corners(box), gantry_points(preset, np.atleast_2d(np.asarray(poses, float)), planes)]
        if body.skin.n_cells:
            shown.append(box_corners(np.reshape(body.skin.bounds, (3, 2))))
        self.view = Lookout.over(np.vstack(shown), TOWARDS, size)
        self._labels = Labels(self.view, preset, planes, box)
        self._room = SolidRoom(Contents(body, landmarks_mm, preset, planes), self.view)

    def draw(self, moment: Moment) -> Image.Image:
        """The scene at a moment, RGB."""
        return self._labels.write(self._room.draw(moment), moment)

    def close(self) -> None:
        """Frees the render window."""
        self._room.close()


def episode_panel(
    setup: EpisodeSetup, preset: DevicePreset, planes: int, poses: ArrayLike, size: tuple[int, int]
) -> SolidPanel:
    """The panel of a drawn episode; arguments and errors as of ``SolidPanel``."""
    patient = setup.patient
    return SolidPanel(patient.volume, setup.patient_to_table, setup.landmarks_mm, preset, planes, poses, size)


def on_table(body: Surfaces, motion: Rigid) -> Surfaces:
    """Surfaces after a rigid motion (length 1)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = motion.rotation[0], motion.translation_mm[0]
    skin, bone = (mesh.transform(matrix, inplace=False) if mesh.n_cells else mesh for mesh in (body.skin, body.bone))
    return Surfaces(skin, bone)


def box_corners(box: F64) -> F64:
    """Corners of a box given by its ranges [3, 2], [8, 3]."""
    return np.asarray(box.mean(axis=1) + _CORNERS * np.ptp(box, axis=1) / 2)


def gantry_points(preset: DevicePreset, poses: F64, planes: int) -> F64:
    """Points around the gantry at some of the poses [T, 8], the first and the last among them, [K, 3], mm."""
    chosen = poses[np.unique(np.linspace(0, len(poses) - 1, _POSES).astype(int))]
    points = []
    for pose in chosen:
        for name, shape in gantry_shapes(preset, pose).items():
            if name[0] == "A" or (planes > 1 and pose[DEPLOY] >= preset.deploy_deg - 1.0):
                reach = _CORNERS[:, None] * (shape.radius_mm[:, None] / np.sqrt(2.0))
                points += [(shape.a_mm + reach).reshape(-1, 3), (shape.b_mm + reach).reshape(-1, 3)]
    return np.concatenate(points)
