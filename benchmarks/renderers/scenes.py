"""What the renderers are compared on: CTs and the views of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.realism.frames import REGIONS, region_centre
from carm_env.geometry import Cameras, cone_beam
from carm_env.patient.model import Patient, Volume

SHAPE = (256, 256, 600)
SPACING_MM = 1.5
SIZE = (128, 128)
SOD_MM, SID_MM, DETECTOR_MM = 800.0, 1200.0, 384.0
LOOKS = {"frontal": (0.0, 0.0), "lateral": (90.0, 0.0), "oblique": (-30.0, 20.0), "cranial": (10.0, 40.0)}
"""Primary and secondary angle."""

Image = NDArray[np.floating[Any]]


def body(spacing_mm: float = SPACING_MM, length_mm: float = SHAPE[2] * SPACING_MM, seed: int = 0) -> Patient:
    """A smooth, noisy body: outer ellipse, lungs, spine of vertebrae, ribs and two long bones."""
    from scipy.ndimage import gaussian_filter

    sides = [round(n * SPACING_MM / spacing_mm) for n in SHAPE[:2]]
    shape = (*sides, round(length_mm / spacing_mm))
    middle_mm = SHAPE[2] * SPACING_MM / 2
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in sides), indexing="ij")
    hu = np.empty(shape, np.float32)
    for k in range(shape[2]):
        hu[:, :, k] = _slice(x, y, middle_mm + (k - shape[2] / 2) * spacing_mm)
    hu += 40.0 * rng.standard_normal(shape, np.float32) * (hu > -1000)
    hu = gaussian_filter(hu, 0.8)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = [-spacing_mm * (n - 1) / 2 for n in shape]
    stored = np.round(hu).clip(-1024, 3071).astype(np.int16)
    return Patient(f"body-{spacing_mm}-{length_mm}-{seed}", Volume(stored, affine))


def _slice(x: Image, y: Image, z: float) -> Image:
    width = 0.82 + 0.1 * np.sin(z / 140)
    radius = np.hypot(x / width, y / (0.62 * width))
    hu = np.where(radius < 1, np.where(radius < 0.9, 45.0, -90.0), -1024.0).astype(np.float32)
    if 400 < z < 640:
        hu[np.hypot((np.abs(x) - 0.36) / 0.24, y / 0.36) < 1] = -820
        rib = (np.abs(radius - 0.86) < 0.05) & ((z / 26 + 0.6 * y) % 1 < 0.35)
        hu[rib] = 700
    vertebra = np.hypot(x, y - 0.32) < (0.14 if z % 32 < 25 else 0.08)
    hu[vertebra] = 320
    hu[vertebra & (np.abs(np.hypot(x, y - 0.32) - 0.13) < 0.015)] = 900
    limb = np.hypot(np.abs(x) - 0.5, y)
    if z < 250:
        hu[limb < 0.12] = 250
        hu[(limb < 0.12) & (limb > 0.08)] = 1300
    return hu


def pair(
    pixels: int = SIZE[0],
    secondary_deg: tuple[float, float] = (9.0, -7.0),
    primary_deg: tuple[float, float] = (12.0, 97.0),
) -> Cameras:
    """A biplane pair of oblique views of the origin."""
    return cone_beam(np.zeros((2, 3)), primary_deg, secondary_deg, SOD_MM, SID_MM, DETECTOR_MM / pixels)


@dataclass(frozen=True)
class Scene:
    """One patient seen from M sides; ``names`` tell region and look."""

    patient: Patient
    cameras: Cameras
    names: tuple[str, ...]


def regions_of(patient: Patient) -> Scene:
    """Head, chest and pelvis, as far as the CT holds them, in the four ``LOOKS``; without landmarks its middle."""
    centres = {region: region_centre(patient, region) for region in REGIONS if region in ("head", "thorax", "pelvis")}
    found = {region: centre for region, centre in centres.items() if centre is not None}
    if not found:
        found = {"middle": patient.volume.to_mm((np.array(patient.volume.hu.shape) - 1) / 2)}
    views = [(region, look) for region in found for look in LOOKS]
    cameras = cone_beam(
        [found[region] for region, _ in views],
        [LOOKS[look][0] for _, look in views],
        [LOOKS[look][1] for _, look in views],
        SOD_MM,
        SID_MM,
        DETECTOR_MM / SIZE[0],
    )
    return Scene(patient, cameras, tuple(f"{region}, {look}" for region, look in views))
