"""A CT and cameras as DeepDRR 1.2.2 takes them.

What its ``project_kernel.cu`` does, and what follows for whoever calls it:

- It samples voxel i at volume index i + 1 and cuts rays at the indices -0.5 and n - 0.5. So the affine given to it is
  one voxel short of the CT's, and air is added around: one voxel below and two above.
- The ray of pixel (row, column) passes the image index (column + 0.5, row + 0.5).
- A ray runs from the focal spot to ``max_ray_length`` (4 x source_to_detector_distance), not to its pixel.
- It starts where it enters the volume, or at the length of the unnormalised pixel vector if that is less. With the SID
  as the unit of the camera's frame that vector ends in the pixel, and no air is marched through.
- Densities are summed with their sign, nothing is clipped: negative partial densities (metal) need no care.
- Material indices of a voxel serve the next volume too where it is at the same voxel. With one material in all volumes
  that changes nothing; its mass attenuation coefficient cancels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.model import Volume
from carm_env.render.reference import pixel_centres
from carm_env.xray.materials import Mixture

F64 = NDArray[np.float64]

MATERIAL = "tissue_soft"
"""DeepDRR's name of the material that every density is given."""
AIR_BELOW, AIR_ABOVE = 1, 2
"""Voxels of air around a volume in x and y."""
VOXEL_SHIFT = 1
"""Volume index minus voxel index in DeepDRR's kernel."""


def partial_densities(volume: Volume, mixture: Mixture, geo: Any) -> tuple[list[NDArray[np.float32]], Any]:
    """Densities of soft tissue and of bone in g/cm3, each [X + 3, Y + 3, Z] with air around, and their placement.

    Hounsfield units are mapped voxel by voxel, before DeepDRR interpolates.

    Args:
        geo: ``deepdrr.geo``.

    Returns:
        [soft, bone] and the ``FrameTransform`` from DeepDRR's volume indices to LPS mm.
    """
    every = np.arange(2**16, dtype=np.uint16).view(np.int16)
    stored = np.ascontiguousarray(volume.hu).view(np.uint16)
    sides = ((AIR_BELOW, AIR_ABOVE), (AIR_BELOW, AIR_ABOVE), (0, 0))
    densities = [np.pad(table.astype(np.float32)[stored], sides) for table in mixture.densities(every)]
    shift = np.eye(4)
    shift[:3, 3] = -AIR_BELOW - VOXEL_SHIFT, -AIR_BELOW - VOXEL_SHIFT, -VOXEL_SHIFT
    return densities, geo.FrameTransform(volume.affine @ shift)


def projections(cameras: Cameras, size: tuple[int, int], geo: Any) -> list[Any]:
    """``CameraProjection`` of every camera.

    Args:
        size: image (rows, columns).
        geo: ``deepdrr.geo``.

    Raises:
        CarmError: a focal spot lies in its detector's plane.
    """
    made = []
    for row in range(len(cameras)):
        u, v, pitch = cameras.u[row], cameras.v[row], cameras.pitch_mm[row]
        centre = cameras.centre_mm[row] - cameras.source_mm[row]
        normal = np.cross(u, v)
        sid = abs(centre @ normal)
        if sid < 1e-6 * np.linalg.norm(centre) or sid == 0:
            raise CarmError(f"render: the focal spot of camera {row} lies in its detector's plane; it has to be off it")
        axes = np.stack([u, v, np.sign(centre @ normal) * normal]) / sid
        extrinsic = np.eye(4)
        extrinsic[:3, :3], extrinsic[:3, 3] = axes, -axes @ cameras.source_mm[row]
        focal = sid / pitch
        middle = size[1] / 2 - centre @ u / pitch, size[0] / 2 - centre @ v / pitch
        intrinsic = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
        sensor = geo.CameraIntrinsicTransform(intrinsic, sensor_height=size[0], sensor_width=size[1])
        made.append(geo.CameraProjection(sensor, geo.FrameTransform(extrinsic)))
    return made


def ray_lengths_mm(cameras: Cameras, size: tuple[int, int]) -> F64:
    """From focal spot to the farthest pixel, in whole micrometres, [M]."""
    corners = np.ix_(range(len(cameras)), sorted({0, size[0] - 1}), sorted({0, size[1] - 1}))
    rays = pixel_centres(cameras, size)[corners] - cameras.source_mm[:, None, None]
    return np.asarray(np.linalg.norm(rays, axis=-1).max(axis=(1, 2)).round(3), np.float64)
