"""What an episode's rows say was irradiated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.recorder import EpisodeRecord
from carm_env.episode.schema import PLANES
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.presets import DevicePreset
from carm_env.sim.task import SAME_POSE, VERIFY_FIELD_MM, VERIFY_PRESET
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.exposure import PRESETS


def irradiations(
    record: EpisodeRecord, device: DevicePreset, al_mm: float, pulse_rate_hz: float, pixels: int
) -> Irradiations:
    """The irradiations of an episode in the order of time, plane A before plane B.

    Args:
        device: the machine that was driven; al_mm: aluminium that the exposure curve adds to every beam.
        pulse_rate_hz: of exposing without a pause; pixels: side of the images.
    """
    steps, planes = record.steps, record.planes
    exposed = np.stack([steps[f"exposed_{p}"] for p in PLANES[:planes]], axis=1)
    row, plane = np.nonzero(exposed)

    def column(name: str) -> NDArray[np.float64]:
        return np.stack([steps[f"{name}_{p}"] for p in PLANES[:planes]], axis=1)[row, plane].astype(float)

    sod, sid, side = (
        np.array(values)[plane]
        for values in zip(*((p.sod_mm, p.sid_mm, p.detector_mm) for p in device.planes), strict=True)
    )
    field = np.minimum(column("field_mm") * sid / sod, side)
    return Irradiations(
        step=row,
        plane=plane,
        time_s=steps["elapsed_s"][row].astype(float),
        position=record.position[row],
        cameras=plane_cameras(device, record.position[row], plane, np.arange(len(row)), pixels),
        sod_mm=sod,
        sid_mm=sid,
        field_mm=np.stack([field, field], axis=1),
        kv=column("kv"),
        cu_mm=column("cu_mm"),
        al_mm=np.full(len(row), al_mm),
        mas=column("mas"),
        ms=column("pulse_ms"),
        pulses=column("pulses").astype(np.int64),
        pulse_rate_hz=np.full(len(row), pulse_rate_hz),
        ka_r_mgy=column("ka_r_mgy"),
        kap_gycm2=column("kap_gycm2"),
        preset=np.array([PRESETS.index(name) for name in steps["preset"][row]], np.int64),
        verification=_verification(record, exposed)[row, plane],
    )


def _verification(record: EpisodeRecord, exposed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The last exposure of each plane that qualifies as verification and after which nothing moved, [T, P]."""
    steps, position = record.steps, record.position
    preset = np.isin(steps["preset"], PRESETS[VERIFY_PRESET:])
    still = np.abs(position - position[-1]).max(axis=1) <= SAME_POSE
    since = len(record) - int(np.argmin(np.append(still[::-1], False)))
    chosen = np.zeros_like(exposed)
    for plane in range(exposed.shape[1]):
        wide = steps[f"field_mm_{PLANES[plane]}"] >= VERIFY_FIELD_MM
        rows = np.flatnonzero(exposed[:, plane] & preset & wide & (np.arange(len(record)) >= since))
        chosen[rows[-1:], plane] = True
    return chosen
