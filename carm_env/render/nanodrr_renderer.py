"""Line integrals by nanodrr: batches on CUDA, gradients with respect to the pose everywhere.

nanodrr integrates one number a voxel along each ray, apart by the label of the nearest voxel. The number is the
attenuation at the CT's energy, so the sum of both materials is as exact as trilinear interpolation; the labels are
classes of nearly one material (``material_classes``), whose integrals are added up to soft tissue and bone.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from nanodrr.data import Subject
from nanodrr.drr.renderer import render as march
from numpy.typing import NDArray
from torch import Tensor

from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.model import Patient, Volume
from carm_env.render.end_slices import MAX_REPEATED, repeat_ends, slices_beyond
from carm_env.render.material_classes import material_classes
from carm_env.render.packing import crop_to_body
from carm_env.render.request import check_request, rows_of_patients
from carm_env.render.tensor_cameras import TensorCameras
from carm_env.xray.materials import CT_ENERGY_KEV, mixture

SAMPLES_A_VOXEL = 1.5
"""Samples along a ray over the smallest voxel, counted across the body."""
CPU_SAMPLES = 2**22
"""Samples in one call of nanodrr on a CPU, where each occupies some 50 bytes."""
REPEATS = np.array([0, 64, 256, 1024, MAX_REPEATED])
"""How often end slices may be repeated: every frame gets the least that it needs, whatever was rendered with it."""


@dataclass(frozen=True)
class _Scene:
    """A patient on the device; ``weights`` [2, classes]."""

    subject: Subject
    weights: Tensor
    samples: int

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.subject.buffers())


class NanodrrRenderer:
    """The ``Renderer`` named ``nanodrr``.

    Patients stay on the device (8 bytes a voxel of the body's box; once more with end slices repeated where a field
    leaves the CT), the least recently used ones dropped beyond ``cache_bytes``; the newest is always kept.
    """

    name = "nanodrr"

    def __init__(
        self, ct_energy_kev: float = CT_ENERGY_KEV, device: str | None = None, cache_bytes: int = 4 * 2**30
    ) -> None:
        """Renders on ``device``; without one on CUDA where there is any, else on the CPU.

        Raises:
            CarmError: there is no such device, or an energy that no CT has.
        """
        self._mixture = mixture(ct_energy_kev)
        self.device = _device(device)
        self.cache_bytes = cache_bytes
        self._scenes: OrderedDict[tuple[str, int, int], _Scene] = OrderedDict()
        self._bodies: dict[str, Volume] = {}

    def render(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> NDArray[np.float32]:
        """Line integrals (soft, bone) in g/cm2, float32 [M, 2, H, W]; see ``protocol.Renderer``.

        Raises:
            CarmError: numbers of patients and cameras differ, a camera is not finite or out of range, or the size or
                a CT cannot be rendered.
        """
        check_request(patients, cameras, size)
        images = np.zeros((len(patients), 2, *size), np.float32)
        with torch.inference_mode():
            for rows in rows_of_patients(patients).values():
                views = TensorCameras.of(cameras[rows], self.device)
                images[rows] = self.line_integrals(patients[rows[0]], views, size).cpu().numpy()
        return images

    def close(self) -> None:
        """Frees the device."""
        self._scenes.clear()
        self._bodies.clear()

    def line_integrals(
        self, patient: Patient, cameras: TensorCameras, size: tuple[int, int], soft_labels: bool = False
    ) -> Tensor:
        """(soft, bone) in g/cm2 of one patient on the device, float32 [M, 2, H, W], differentiable in ``cameras``.

        Args:
            soft_labels: count every voxel's part in its own class. Then each material has its gradient, not their sum
                alone; it takes several times as long, and bone differs from ``render``'s as densities that are
                interpolated differ from interpolated Hounsfield units.

        Raises:
            CarmError: as ``render``.
        """
        plain = cameras.to_cameras()
        check_request([patient] * len(plain), plain, size)
        if patient.id not in self._bodies:
            self._bodies[patient.id] = crop_to_body(patient.volume)
        repeats = REPEATS[np.searchsorted(REPEATS, slices_beyond(self._bodies[patient.id], plain, size))]
        images = torch.zeros(len(plain), 2, *size, device=self.device)
        for below, above in np.unique(repeats, axis=0):
            rows = torch.from_numpy(np.flatnonzero((repeats == (below, above)).all(axis=1))).to(self.device)
            scene = self._scene(patient.id, int(below), int(above))
            images = images.index_copy(0, rows, self._project(scene, cameras.rows(rows), size, soft_labels))
        return images

    def _project(self, scene: _Scene, cameras: TensorCameras, size: tuple[int, int], soft_labels: bool) -> Tensor:
        source, pixels = cameras.source_mm[:, None], cameras.pixels_mm(size)
        if self.device.type == "cuda":
            sums = _integrals(scene, source, pixels, size, soft_labels).flatten(2)
        else:
            source, pixels = source.expand_as(pixels).reshape(1, -1, 3), pixels.reshape(1, -1, 3)
            rays = max(CPU_SAMPLES // scene.samples, 1)
            parts = [
                _integrals(scene, one, other, (1, one.shape[1]), soft_labels)[0, :, 0]
                for one, other in zip(source.split(rays, 1), pixels.split(rays, 1), strict=True)
            ]
            sums = torch.cat(parts, 1).reshape(len(scene.weights[0]), len(cameras.u), -1).movedim(0, 1)
        return 0.1 * torch.einsum("kc,mcn->mkn", scene.weights, sums).reshape(-1, 2, *size)

    def _scene(self, name: str, below: int, above: int) -> _Scene:
        """The patient with its end slices repeated so often."""
        key = (name, below, above)
        scene = self._scenes.pop(key, None) or self._load(repeat_ends(self._bodies[name], below, above))
        self._scenes[key] = scene
        while len(self._scenes) > 1 and sum(s.nbytes for s in self._scenes.values()) > self.cache_bytes:
            self._scenes.popitem(last=False)
        self._bodies = {name: self._bodies[name] for name, _, _ in self._scenes}
        return scene

    def _load(self, longer: Volume) -> _Scene:
        classes = material_classes(longer.hu, self._mixture)
        counts = np.array(longer.hu.shape)
        scale = np.diag([*(2.0 / counts), 1.0])
        scale[:3, 3] = 1.0 / counts - 1.0
        to_mm, to_voxel, grid = (
            torch.tensor(m, dtype=torch.float32) for m in (longer.affine, longer.inverse_affine, scale)
        )
        image, label = (
            torch.from_numpy(np.ascontiguousarray(voxels.T, np.float32))[None, None]
            for voxels in (classes.total, classes.labels)
        )
        labels = classes.weights.shape[1] - 1
        centre = torch.zeros(3)
        subject = Subject(image, label, to_mm, to_voxel, grid, centre, max_label=labels, convert_to_mu=False)
        weights = torch.tensor(classes.weights, dtype=torch.float32, device=self.device)
        across = np.hypot(*(counts * longer.spacing_mm)[:2])
        samples = math.ceil(SAMPLES_A_VOXEL * across / longer.spacing_mm.min())
        return _Scene(subject.to(self.device), weights, max(samples, 2))


def _integrals(scene: _Scene, source: Tensor, pixels: Tensor, size: tuple[int, int], soft_labels: bool) -> Tensor:
    """By class in mm times g/cm3, [B, classes, *size], from ``source`` [B, 1 or N, 3] to ``pixels`` [B, N, 3]."""
    views = len(pixels)
    eye = torch.eye(4, device=pixels.device).expand(views, 4, 4)
    unused = torch.ones(views, device=pixels.device)
    return march(
        scene.subject, eye[:, :3, :3], eye, unused, *size, scene.samples,
        soft_labels=soft_labels, src=source, tgt=pixels,
    )  # fmt: skip


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise CarmError(f"renderer nanodrr: device {name!r} cannot be used ({reason}); cpu or cuda is needed") from None
    return device
