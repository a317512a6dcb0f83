"""Synthetic patients and irradiations for the tests of this folder."""

from __future__ import annotations

from functools import cache

import numpy as np

from carm_env.geometry import Rigid, cone_beam
from carm_env.machine.presets import DevicePreset, device
from carm_env.patient.model import Patient, Volume
from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.skin import skin_surface
from carm_env.xray.dose.skin_map import SkinMap

SOD, SID = 785.0, 1100.0
DEVICE: DevicePreset = device("artis_biplane")
IN_PLACE = Rigid.yaw(0.0, np.zeros(3))
MARGIN_MM = 30.0
TRUNK_MM = (0.0, -160.0, -700.0)


def cylinder(
    rx_mm: float = 160.0,
    ry_mm: float = 110.0,
    length_mm: float = 400.0,
    spacing_mm: tuple[float, float, float] = (2.5, 2.5, 2.5),
    centre_mm: tuple[float, float, float] = TRUNK_MM,
    name: str = "cylinder",
    **other,
) -> Patient:
    """An elliptical cylinder of 0 HU along z that runs on beyond both ends of the CT; ``centre_mm`` is its middle."""
    grid, affine = _grid((rx_mm, ry_mm), length_mm, spacing_mm, centre_mm)
    x, y = grid
    inside = ((x - centre_mm[0]) / rx_mm) ** 2 + ((y - centre_mm[1]) / ry_mm) ** 2 <= 1.0
    slices = round(length_mm / spacing_mm[2])
    hu = np.where(inside, 0, -1000).astype(np.int16)[:, :, None].repeat(slices, axis=2)
    return Patient(name, Volume(hu, affine), **other)


@cache
def trunk() -> Patient:
    """A trunk of soft tissue around ``TRUNK_MM``, 400 mm long."""
    return cylinder()


def add_cylinder(patient: Patient, centre_mm: tuple[float, float], radius_mm: float, hu: int = 0) -> None:
    """Paints another cylinder along all of z into a patient's CT."""
    size = patient.volume.hu.shape
    index = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1]), [0], indexing="ij"), axis=-1)
    at = patient.volume.to_mm(index)[:, :, 0]
    patient.volume.hu[np.hypot(at[..., 0] - centre_mm[0], at[..., 1] - centre_mm[1]) <= radius_mm] = hu


def _grid(radii_mm, length_mm, spacing_mm, centre_mm):
    half = [np.ceil((r + MARGIN_MM) / s) for r, s in zip(radii_mm, spacing_mm, strict=False)]
    x, y = (c + s * np.arange(-h, h + 1) for c, s, h in zip(centre_mm, spacing_mm, half, strict=False))
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = x[0], y[0], centre_mm[2] - 0.5 * length_mm + 0.5 * spacing_mm[2]
    return np.meshgrid(x, y, indexing="ij"), affine


def irradiations(isocentre_mm, angles_deg, field_mm=210.0, pixels: int = 128, **values) -> Irradiations:
    """Irradiations with the reference geometry; each value may be one for all or one each.

    Args:
        isocentre_mm: table frame, [K, 3] or [3]. angles_deg: primary and secondary, [K, 2] or [2].
        field_mm: side of the square field at the isocentre, or both (along v and u), [2] or [K, 2].
    """
    iso, angles = np.atleast_2d(np.asarray(isocentre_mm, float)), np.atleast_2d(np.asarray(angles_deg, float))
    k = max(len(iso), len(angles))
    iso, angles = np.broadcast_to(iso, (k, 3)).copy(), np.broadcast_to(angles, (k, 2)).copy()
    sod, sid = values.pop("sod_mm", SOD), values.pop("sid_mm", SID)

    def each(name: str, default, kind=float):
        return np.broadcast_to(np.asarray(values.pop(name, default), kind), (k,)).copy()

    field = np.broadcast_to(np.asarray(field_mm, float), (k, 2)) * sid / sod
    ka_r = each("ka_r_mgy", 1.0)
    area_cm2 = field.prod(axis=1) * ((sod - 150.0) / sid) ** 2 / 100.0
    made = Irradiations(
        step=np.arange(k),
        plane=each("plane", 0, np.int64),
        time_s=np.arange(k, dtype=float),
        position=np.hstack([iso, np.zeros((k, 5))]),
        cameras=cone_beam(iso, angles[:, 0], angles[:, 1], sod, sid, 300.0 / pixels, values.pop("flip", False)),
        sod_mm=np.full(k, sod),
        sid_mm=np.full(k, sid),
        field_mm=field,
        kv=each("kv", 77.0),
        cu_mm=each("cu_mm", 0.3),
        al_mm=each("al_mm", 0.0),
        mas=each("mas", 0.5),
        ms=each("ms", 5.0),
        pulses=each("pulses", 1, np.int64),
        pulse_rate_hz=each("pulse_rate_hz", 7.5),
        ka_r_mgy=ka_r,
        kap_gycm2=ka_r / 1000.0 * area_cm2,
        preset=each("preset", 2, np.int64),
        verification=each("verification", False, bool),
    )
    assert not values, f"unknown {list(values)}"
    return made


def skin_map(patient: Patient, exposures: Irradiations, table_gcm2: float = 0.0, to_table: Rigid = IN_PLACE) -> SkinMap:
    """The patient's map after some exposures."""
    made = SkinMap(skin_surface(patient), body_grid(patient), to_table, DEVICE, table_gcm2)
    made.add(exposures)
    return made
