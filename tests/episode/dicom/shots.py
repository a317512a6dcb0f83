"""Small irradiations, images and records for the export's tests."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from carm_env.episode.dicom.study import Study
from carm_env.episode.recorder import EpisodeRecord, FrameLog
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.presets import IRP_TO_ISOCENTRE_MM, PRESETS, DevicePreset
from carm_env.machine.state import A1, A2, B1, DEPLOY
from carm_env.patient.model import Demographics, Patient, Volume
from carm_env.xray.dose.irradiation import Irradiations

PIXELS = 32
STARTED = datetime(2026, 3, 4, 9, 30, 15, 250_000, tzinfo=UTC)
BIPLANE, CIOS = PRESETS["artis_biplane"], PRESETS["cios_spin"]
PATIENT = Patient(
    "phantom-7",
    Volume(np.zeros((2, 2, 2), np.int16), np.eye(4)),
    demographics=Demographics(sex="F", age_years=64.7, height_cm=168.0, weight_kg=71.5),
)
STUDY = Study(PATIENT.id, PATIENT.demographics, "a-run", 5, STARTED)


def shots(
    *isocentres: tuple[float, float, float],
    plane: int | list[int] = 0,
    primary: float | None = None,
    secondary: float = 0.0,
    device: DevicePreset = BIPLANE,
    field_mm: float = 150.0,
    ka_r_mgy: float = 0.004,
    kv: float = 80.0,
    cu_mm: float = 0.6,
    al_mm: float = 0.0,
) -> Irradiations:
    """One exposure an isocentre (table frame, mm), a control step after each other.

    Args:
        primary, secondary: of the exposing plane; its home by default.
        field_mm: side of the field at the isocentre.
    """
    count = len(isocentres)
    planes = np.broadcast_to(np.asarray(plane), count).astype(np.int64)
    position = np.tile(device.home, (count, 1))
    position[:, :3] = isocentres
    position[:, DEPLOY] = device.deploy_deg
    for row, chosen in enumerate(planes):
        first = B1 if chosen else A1
        position[row, first] = device.planes[chosen].home_deg[0] if primary is None else primary
        position[row, first + A2 - A1] = secondary
    sod = np.array([device.planes[p].sod_mm for p in planes])
    sid = np.array([device.planes[p].sid_mm for p in planes])
    side = field_mm * sid / sod
    ka_r = ka_r_mgy * (1.0 + np.arange(count) / 7.0)
    area_cm2 = (side * (sod - IRP_TO_ISOCENTRE_MM) / sid / 10.0) ** 2
    return Irradiations(
        step=np.arange(count) + 3,
        plane=planes,
        time_s=(np.arange(count) + 3) * 2.0 / 15.0,
        position=position,
        cameras=plane_cameras(device, position, planes, np.arange(count), PIXELS),
        sod_mm=sod,
        sid_mm=sid,
        field_mm=np.stack([side, side], axis=1),
        kv=np.full(count, kv),
        cu_mm=np.full(count, cu_mm),
        al_mm=np.full(count, al_mm),
        mas=np.full(count, 0.52),
        ms=np.full(count, 6.5),
        pulses=np.ones(count, np.int64),
        pulse_rate_hz=np.full(count, 7.5),
        ka_r_mgy=ka_r,
        kap_gycm2=ka_r * 1e-3 * area_cm2,
        preset=np.full(count, 2),
        verification=np.zeros(count, bool),
    )


def biplane_drive() -> Irradiations:
    """Plane A on the way from pelvis to head, then A and B at the target, four exposures."""
    way = [(12.0, -110.0, -880.0), (8.0, -105.5, -500.25), (4.0, -95.0, -110.0), (4.0, -95.0, -110.0)]
    drive = shots(*way, plane=[0, 0, 0, 1])
    drive.step[3], drive.time_s[3] = drive.step[2], drive.time_s[2]
    drive.verification[2:] = True
    return drive


def images(count: int, pixels: int = PIXELS) -> np.ndarray:
    """Noise in which every frame differs, uint8 [K, H, W]."""
    return np.random.default_rng(3).integers(0, 256, (count, pixels, pixels), dtype=np.uint8)


def record_of(irradiations: Irradiations) -> EpisodeRecord:
    """A record whose frames are those of the irradiations, in another order."""
    order = np.arange(len(irradiations))[::-1]
    log = FrameLog(irradiations.step[order], irradiations.plane[order], images(len(order)))
    return EpisodeRecord({}, log, {"seed": 5})
