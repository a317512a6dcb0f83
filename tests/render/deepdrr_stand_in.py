"""A package in DeepDRR's place, for machines without CUDA.

It has the part of DeepDRR 1.2.2 that the renderer uses, writes down how it is used, and projects in float64 on the CPU
by the conventions of DeepDRR's ``project_kernel.cu``: voxel i at volume index i + 1, rays cut at the indices -0.5 and
n - 0.5 and at ``4 * source_to_detector_distance``, pixel (row, column) at (column + 0.5, row + 0.5), half weights
at both ends of a ray, keV per photon.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

F64 = NDArray[np.float64]

MASS_ATTENUATION = {"tissue_soft": 0.1934, "bone": 0.2605}
"""cm2/g at any energy; any figure will do."""


class FrameTransform:
    """Homogeneous [4, 4]."""

    def __init__(self, data: F64) -> None:
        assert data.shape == (4, 4)
        self.data = np.asarray(data, float)

    @classmethod
    def identity(cls, dim: int) -> FrameTransform:
        return cls(np.eye(dim + 1))


class CameraIntrinsicTransform:
    """Image index from camera, [3, 3]."""

    def __init__(self, data: F64, sensor_height: int, sensor_width: int) -> None:
        assert data.shape == (3, 3)
        self.data, self.sensor_size = data, (sensor_width, sensor_height)


class CameraProjection:
    """Camera with its intrinsic transform and camera-from-world extrinsic."""

    def __init__(self, intrinsic: CameraIntrinsicTransform, extrinsic: FrameTransform) -> None:
        self.intrinsic, self.extrinsic = intrinsic, extrinsic

    def rays(self) -> tuple[F64, F64]:
        """Focal spot [3] and vectors through the pixels, [H, W, 3], in world axes."""
        width, height = self.intrinsic.sensor_size
        world = np.linalg.inv(self.extrinsic.data)
        column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        index = np.stack([column, row, np.ones_like(row)], axis=-1)
        return world[:3, 3], index @ (world[:3, :3] @ np.linalg.inv(self.intrinsic.data)).T


class Coefficients:
    """What ``Material.get_coefficients`` gives."""

    def __init__(self, mu_over_rho: float) -> None:
        self.mu_over_rho = mu_over_rho


class Material:
    """A material that DeepDRR knows."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def from_string(cls, name: str) -> Material:
        if name not in MASS_ATTENUATION:
            raise AttributeError(f"Material '{name}' not found")
        return cls(name)

    def get_coefficients(self, energy_keV: float) -> Coefficients:
        assert 10 < energy_keV < 200, "keV"
        return Coefficients(MASS_ATTENUATION[self.name])


class Volume:
    """Densities in g/cm3 with a label a voxel."""

    def __init__(
        self,
        data: NDArray[np.float32],
        materials: tuple[dict[str, int], NDArray[np.uint16]],
        anatomical_from_IJK: FrameTransform,
        world_from_anatomical: FrameTransform,
        anatomical_coordinate_system: str,
    ) -> None:
        assert data.ndim == 3 and materials[1].shape == data.shape and not materials[1].any()
        self.data, self.materials, self.enabled = np.asarray(data, float), materials, True
        self.system = anatomical_coordinate_system
        self.world_from_index = world_from_anatomical.data @ anatomical_from_IJK.data

    def set_enabled(self, enabled: bool) -> None:
        self.enabled = enabled


def projector_class(log: SimpleNamespace) -> type:
    """``Projector``, writing into ``log``."""

    class Projector:
        def __init__(
            self,
            volume: list[Volume],
            camera_intrinsics: CameraIntrinsicTransform,
            device: Any = None,
            step: float = 0.1,
            spectrum: NDArray[Any] | str = "90KV_AL40",
            add_noise: bool = False,
            collected_energy: bool = False,
            neglog: bool = True,
            attenuate_outside_volume: bool = False,
            source_to_detector_distance: float = -1,
            max_mesh_hits: int = 32,
            mesh_layers: int = 2,
        ) -> None:
            assert device is None and not (add_noise or collected_energy or neglog or attenuate_outside_volume)
            assert max_mesh_hits >= 4 and max_mesh_hits % 4 == 0 and mesh_layers >= 1
            assert not isinstance(spectrum, str) and spectrum.shape == (1, 2), "a single energy"
            self.volumes, self.step, self.spectrum = volume, step, spectrum
            self.materials = {name for one in volume for name in one.materials[0]}
            self._distance, self.initialized = source_to_detector_distance, False
            self._egl_platform = SimpleNamespace(_egl_display="display", _egl_context=f"context {len(log.projectors)}")
            log.projectors.append(self)

        @property
        def source_to_detector_distance(self) -> float:
            return self._distance

        def initialize(self) -> None:
            assert not self.initialized and self.source_to_detector_distance > 0
            self.initialized = True
            log.initialized += 1

        def free(self) -> None:
            assert self.initialized
            self.initialized = False
            log.freed.append(self)

        def project(self, *views: CameraProjection) -> NDArray[np.float32]:
            assert self.initialized and views
            enabled = [one for one in self.volumes if one.enabled]
            log.calls.append((self, len(views), [self.volumes.index(one) for one in enabled]))
            assert len(enabled) == 1 and len(self.materials) == 1, "the kernel mixes materials of several volumes up"
            keV = self.spectrum[0, 0] / 1000
            mass_attenuation = Material.from_string(*self.materials).get_coefficients(keV).mu_over_rho
            images = [keV * np.exp(-mass_attenuation * self._march(enabled[0], view)) for view in views]
            return np.asarray(images if len(views) > 1 else images[0], np.float32)

        def _march(self, volume: Volume, view: CameraProjection) -> F64:
            """g/cm2, [H, W]."""
            source, ends = view.rays()
            shape, ends = ends.shape[:2], ends.reshape(-1, 3)
            lengths = np.linalg.norm(ends, axis=1)
            index = np.linalg.inv(volume.world_from_index)
            start, step = index[:3, :3] @ source + index[:3, 3], ends / lengths[:, None] @ index[:3, :3].T
            with np.errstate(divide="ignore", invalid="ignore"):
                crossings = (np.array([[-0.5] * 3, np.subtract(volume.data.shape, 0.5)])[:, None] - start) / step
            enter = np.maximum(crossings.min(axis=0).max(axis=1), 0)
            leave = np.minimum(crossings.max(axis=0).min(axis=1), 4 * self.source_to_detector_distance)
            first = np.minimum(enter, lengths)
            counts = np.maximum(np.ceil((np.maximum(leave, 0) - first) / self.step), 0).astype(int)
            sums = np.zeros(len(ends))
            for ray in np.flatnonzero(leave > enter):
                along = first[ray] + self.step * np.arange(counts[ray])
                weights = ((along >= enter[ray]) & (along <= leave[ray])).astype(float)
                weights[[0, -1]] *= 0.5
                at = start + along[:, None] * step[ray] - 1.0
                sums[ray] = weights @ map_coordinates(volume.data, at.T, order=1, mode="nearest") * self.step / 10
            return sums.reshape(shape)

    return Projector


def stand_in() -> tuple[SimpleNamespace, SimpleNamespace]:
    """The package, and a log of ``projectors`` made, how many were ``initialized``, those ``freed``, and ``calls``:
    (projector, number of views, indices of the enabled volumes)."""
    log = SimpleNamespace(projectors=[], initialized=0, freed=[], calls=[])
    geo = SimpleNamespace(
        FrameTransform=FrameTransform,
        CameraIntrinsicTransform=CameraIntrinsicTransform,
        CameraProjection=CameraProjection,
    )
    package = SimpleNamespace(Projector=projector_class(log), Volume=Volume, Material=Material, geo=geo)
    return package, log
