"""Other people's renderers and our first one, in their single-material mode, on the same volume and rays."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from benchmarks.renderers.joseph_pairs import pack_pairs, project_pairs
from benchmarks.renderers.scenes import SID_MM, Image
from carm_env.geometry import Cameras
from carm_env.patient.model import Patient, Volume
from carm_env.render.reference import pixel_centres
from carm_env.xray.materials import mixture

NANODRR_SAMPLES = 290
"""Where nanodrr's error equals that of Joseph's method."""

Peer = Callable[[], Image]


def peers(patient: Patient, cameras: Cameras, size: tuple[int, int]) -> dict[str, Peer]:
    """Functions that render the attenuation at the CT's energy, [M, H, W], by name; those that are installed."""
    makers = {"prototype": _prototype}
    makers |= {"nanodrr-torch-cpu": _nanodrr} if installed("nanodrr") else {}
    makers |= {"itk-rtk": _rtk} if installed("itk-rtk") else {}
    return {name: make(patient, cameras, size) for name, make in makers.items()}


def installed(package: str) -> str | None:
    """A package's version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _prototype(patient: Patient, cameras: Cameras, size: tuple[int, int]) -> Peer:
    packed, per_hu = pack_pairs(patient.volume), np.float32(mixture().mu_water / 1000)
    return lambda: per_hu * project_pairs(packed, patient.volume, cameras, size)


def nanodrr_subject(volume: Volume, device: str = "cpu") -> Any:
    """The attenuation coefficients of a CT as nanodrr's subject of one class."""
    import torch
    from nanodrr.data import Subject

    counts = np.array(volume.hu.shape)
    mu = torch.from_numpy(np.ascontiguousarray(mixture().attenuation(volume.hu).astype(np.float32).T))[None, None]
    grid = np.diag([*(2.0 / counts), 1.0])
    grid[:3, 3] = 1.0 / counts - 1.0
    to_mm, to_voxel, to_grid = (
        torch.tensor(a, dtype=torch.float32) for a in (volume.affine, volume.inverse_affine, grid)
    )
    label = torch.zeros(1, 1, 1, 1, 1)
    return Subject(mu, label, to_mm, to_voxel, to_grid, torch.zeros(3), convert_to_mu=False).to(device)


def _nanodrr(patient: Patient, cameras: Cameras, size: tuple[int, int]) -> Peer:
    import torch
    from nanodrr.drr.renderer import render

    torch.set_num_threads(os.cpu_count() or 1)
    subject = nanodrr_subject(patient.volume)
    pixels = torch.tensor(pixel_centres(cameras, size).reshape(len(cameras), -1, 3), dtype=torch.float32)
    source = torch.tensor(cameras.source_mm[:, None], dtype=torch.float32)
    eye = torch.eye(4).repeat(len(cameras), 1, 1)
    sid = torch.full((len(cameras),), SID_MM)

    def pair() -> Image:
        with torch.inference_mode():
            image = render(
                subject, eye[:, :3, :3], eye, sid, *size, NANODRR_SAMPLES, src=source, tgt=pixels, backend="torch"
            )
        return 0.1 * image[:, 0].numpy()

    return pair


def _rtk(patient: Patient, cameras: Cameras, size: tuple[int, int]) -> Peer:
    import itk

    rtk = itk.RTK
    volume, pitch = patient.volume, float(cameras.pitch_mm[0])
    image = itk.image_from_array(np.ascontiguousarray(mixture().attenuation(volume.hu).astype(np.float32).T))
    image.SetSpacing([float(side) for side in volume.spacing_mm])
    image.SetOrigin([float(x) for x in volume.affine[:3, 3]])
    geometry = rtk.ThreeDCircularProjectionGeometry.New()
    for row in range(len(cameras)):
        parts = (cameras.source_mm, cameras.centre_mm, cameras.u, cameras.v)
        geometry.AddProjection(*([float(x) for x in part[row]] for part in parts))
    empty = rtk.ConstantImageSource[type(image)].New()
    empty.SetOrigin([-(size[1] - 1) / 2 * pitch, -(size[0] - 1) / 2 * pitch, 0.0])
    empty.SetSpacing([pitch, pitch, 1.0])
    empty.SetSize([size[1], size[0], len(cameras)])
    empty.SetConstant(0.0)
    joseph = rtk.JosephForwardProjectionImageFilter[type(image), type(image)].New()
    joseph.SetInput(0, empty.GetOutput())
    joseph.SetInput(1, image)
    joseph.SetGeometry(geometry)

    def pair() -> Image:
        empty.Modified()  # it works in place, so its input is made anew
        joseph.Update()
        return 0.1 * itk.array_from_image(joseph.GetOutput())

    return pair
