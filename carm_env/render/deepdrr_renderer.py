"""DeepDRR 1.2.2 on CUDA, as an independent renderer: what it needs, costs and cannot do is in docs/deepdrr.md."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.model import Patient, Volume
from carm_env.render.deepdrr_pieces import import_deepdrr, missing_piece
from carm_env.render.deepdrr_scene import MATERIAL, partial_densities, projections, ray_lengths_mm
from carm_env.render.end_slices import MAX_REPEATED, repeat_ends, slices_beyond
from carm_env.render.packing import crop_to_body
from carm_env.render.request import check_request, rows_of_patients
from carm_env.xray.materials import CT_ENERGY_KEV, mixture

STEP_MM = 0.25
"""Along a ray. The kernel adds steps up in float32, which is exact for a power of two."""
SLICES_AT_ONCE = 64
"""End slices are repeated in blocks, so that a drive along the body rarely rebuilds its projector."""
RAY_PER_DISTANCE = 4
"""DeepDRR's rays are so many source-to-detector distances long."""


@dataclass
class Scene:
    """A patient on the device.

    Attributes:
        body: the CT within the body's box.
        volumes: DeepDRR's, of soft tissue and of bone, with the end slices repeated ``below`` and ``above`` times.
    """

    projector: Any
    body: Volume
    volumes: list[Any]
    below: int
    above: int


class DeepDrrRenderer:
    """The ``Renderer`` named ``deepdrr``: one projector a patient, two passes (soft tissue, bone) a request.

    DeepDRR delivers keV per photon. With one energy in the spectrum and one material in the volumes, that energy and
    the material's mass attenuation coefficient give the line integral back, up to some 480 g/cm2.

    Args:
        ct_energy_kev: effective energy of the CTs.
        patients_kept: projectors on the device; the least recently used one is freed first.

    Raises:
        CarmError: something that DeepDRR needs is missing, or no patient is to be kept.
    """

    name = "deepdrr"

    def __init__(self, ct_energy_kev: float = CT_ENERGY_KEV, patients_kept: int = 8) -> None:
        if patients_kept < 1:
            raise CarmError(f"renderer 'deepdrr' is to keep {patients_kept} patients; at least 1 is needed")
        self._mixture = mixture(ct_energy_kev)
        if (piece := missing_piece()) is not None:
            raise CarmError(f"renderer 'deepdrr' cannot run here: {piece}")
        self._deepdrr = import_deepdrr()
        rays = {"source_to_detector_distance": 1.0}
        self._projector_class = type("ProjectorOfAnyRayLength", (self._deepdrr.Projector,), rays)
        self._patients_kept = patients_kept
        self._spectrum = np.array([[1000.0 * ct_energy_kev, 1.0]])
        self._kev = np.float32(self._spectrum[0, 0] / 1000)
        material = self._deepdrr.Material.from_string(MATERIAL)
        self._mass_attenuation = np.float32(material.get_coefficients(self._kev).mu_over_rho)
        self._scenes: OrderedDict[str, Scene] = OrderedDict()
        self._lock = threading.Lock()

    def render(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> NDArray[np.float32]:
        """Line integrals (soft, bone) in g/cm2, float32 [M, 2, H, W]; see ``protocol.Renderer``.

        A ray ends at the distance of its image's farthest pixel: what touches the detector from behind shows.

        Raises:
            CarmError: numbers of patients and cameras differ, or a camera, the size or a CT cannot be rendered.
        """
        check_request(patients, cameras, size)
        images = np.zeros((len(patients), 2, *size), np.float32)
        with self._lock:
            for rows in rows_of_patients(patients).values():
                images[rows] = self._project(patients[rows[0]], cameras[rows], size)
        return images

    def close(self) -> None:
        """Frees the device; a later request builds its projectors anew."""
        with self._lock:
            while self._scenes:
                _free(self._scenes.popitem()[1].projector)

    def _project(self, patient: Patient, cameras: Cameras, size: tuple[int, int]) -> NDArray[np.float32]:
        views = projections(cameras, size, self._deepdrr.geo)
        scene = self._scene(patient, cameras, size, views[0].intrinsic)
        images = np.empty((len(cameras), 2, *size), np.float32)
        lengths = ray_lengths_mm(cameras, size)
        for length in np.unique(lengths):
            chosen = np.flatnonzero(lengths == length)
            scene.projector.source_to_detector_distance = length / RAY_PER_DISTANCE
            for channel, volume in enumerate(scene.volumes):
                for other in scene.volumes:
                    other.set_enabled(other is volume)
                kev = scene.projector.project(*(views[row] for row in chosen))
                seen = np.maximum(kev.reshape(len(chosen), *size), np.finfo(np.float32).tiny)
                images[chosen, channel] = (np.log(self._kev) - np.log(seen)) / self._mass_attenuation
        return images

    def _scene(self, patient: Patient, cameras: Cameras, size: tuple[int, int], sensor: Any) -> Scene:
        """The patient's projector; a new one where there is none or its end slices do not reach far enough."""
        scene = self._scenes.pop(patient.id, None)
        body = crop_to_body(patient.volume) if scene is None else scene.body
        below, above = (_in_blocks(int(count)) for count in slices_beyond(body, cameras, size).max(axis=0))
        if scene is not None and (scene.below < below or scene.above < above):
            below, above = max(scene.below, below), max(scene.above, above)
            _free(scene.projector)
            scene = None
        if scene is None:
            while len(self._scenes) >= self._patients_kept:
                _free(self._scenes.popitem(last=False)[1].projector)
            scene = self._build(body, sensor, below, above)
        self._scenes[patient.id] = scene
        return scene

    def _build(self, body: Volume, sensor: Any, below: int, above: int) -> Scene:
        deepdrr, longer = self._deepdrr, repeat_ends(body, below, above)
        densities, lps_from_index = partial_densities(longer, self._mixture, deepdrr.geo)
        labels = np.zeros(densities[0].shape, np.uint16)
        volumes = [
            deepdrr.Volume(
                data=density,
                materials=({MATERIAL: 0}, labels),
                anatomical_from_IJK=lps_from_index,
                world_from_anatomical=deepdrr.geo.FrameTransform.identity(3),
                anatomical_coordinate_system="LPS",
            )
            for density in densities
        ]
        projector = self._projector_class(
            volumes,
            camera_intrinsics=sensor,
            step=STEP_MM,
            spectrum=self._spectrum,
            neglog=False,
            add_noise=False,
            attenuate_outside_volume=False,
            max_mesh_hits=4,
            mesh_layers=1,
        )
        projector.initialize()
        return Scene(projector, body, volumes, below, above)


def _in_blocks(count: int) -> int:
    return min(-(-count // SLICES_AT_ONCE) * SLICES_AT_ONCE, MAX_REPEATED)


def _free(projector: Any) -> None:
    """Frees a projector and its OpenGL context, which DeepDRR makes for meshes and its ``free`` leaves behind."""
    projector.free()
    platform = projector._egl_platform
    import_module("OpenGL.EGL").eglDestroyContext(platform._egl_display, platform._egl_context)
