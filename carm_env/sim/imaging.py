"""The imaging chain of one step: all exposed (lane, plane) pairs through renderer, X-ray chain and display at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Cameras, Rigid
from carm_env.machine.cameras import plane_cameras
from carm_env.machine.presets import DevicePreset
from carm_env.render.registry import make_renderer
from carm_env.sim.config import SimConfig
from carm_env.sim.episode_setup import EpisodeSetup
from carm_env.sim.streams import stream
from carm_env.xray.chain import XrayChain
from carm_env.xray.config import xray_config
from carm_env.xray.display import to_display
from carm_env.xray.exposure import Exposure, ExposureRequest, Technique
from carm_env.xray.support import add_support

F64 = NDArray[np.float64]
EDGE_DEPTH_MM = 100.0
"""Depth about the isocentre, along the beam, in which a field that leaves the CT is flagged."""
TISSUE_HU = -900
"""What is denser is no air; lungs are."""


@dataclass(frozen=True)
class Shot:
    """M frames as taken: where from, through which cameras (table frame), with what exposure and display image."""

    lane: NDArray[np.int64]
    plane: NDArray[np.int64]
    cameras: Cameras
    exposure: Exposure
    image: NDArray[np.uint8]
    edge_of_ct: NDArray[np.bool_]


class Imaging:
    """Renderer, X-ray chain and display of one simulator."""

    def __init__(self, config: SimConfig, device: DevicePreset) -> None:
        self.device = device
        self.pixels = config.image_pixels
        xray = xray_config(config.xray)
        self.renderer = make_renderer(config.renderer, xray.ct_energy_kev)
        self.chain = XrayChain(config.exposure_control, xray, config.pulse_rate_hz)

    def shoot(
        self,
        setups: Sequence[EpisodeSetup],
        position: F64,
        step: NDArray[np.int64],
        lane: NDArray[np.int64],
        plane: NDArray[np.int64],
        field_mm: F64,
        preset: NDArray[np.int64],
        pulses: NDArray[np.int64],
        previous: Technique,
    ) -> Shot:
        """Takes M frames.

        Args:
            setups, position, step: of each frame's lane, [M], [M, 8], [M].
            lane, plane, field_mm, preset, pulses, previous: of the frames, [M].
        """
        spec = [self.device.planes[p] for p in plane]
        cameras = plane_cameras(self.device, position, plane, np.arange(len(lane)), self.pixels)
        local = cameras.moved(_joined([s.patient_to_table for s in setups]).inverse())
        _check_sources(setups, local, plane)
        integrals = self.renderer.render([s.patient for s in setups], local, (self.pixels, self.pixels))
        if not np.isfinite(integrals).all():
            raise CarmError(f"renderer {self.renderer.name!r} returned values that are not finite")
        table = np.array([self.device.table_low_mm, self.device.table_high_mm])
        add_support(integrals, cameras, table[0], table[1], self.chain.config.table_gcm2)
        request = ExposureRequest(
            sod_mm=np.array([s.sod_mm for s in spec]),
            sid_mm=np.array([s.sid_mm for s in spec]),
            pitch_mm=cameras.pitch_mm,
            field_mm=field_mm,
            preset=preset,
            pulses=pulses,
            previous=previous,
        )
        rngs = [stream(s.seed, "noise", int(t), int(p)) for s, t, p in zip(setups, step, plane, strict=True)]
        exposure = self.chain.expose(integrals, request, rngs)
        image = to_display(exposure.signal, exposure.mask)
        edge = _leaves_ct(setups, local, request)
        return Shot(lane, plane, cameras, exposure, image, edge)


def _check_sources(setups: Sequence[EpisodeSetup], cameras: Cameras, plane: NDArray[np.int64]) -> None:
    """Raises CarmError where a focal spot lies in anything denser than air."""
    for setup, source, p in zip(setups, cameras.source_mm, plane, strict=True):
        volume = setup.patient.volume
        at = np.round(volume.to_index(source)).astype(int)
        if (at < 0).any() or (at >= volume.hu.shape).any():
            continue
        hu = int(volume.hu[tuple(at)])
        if hu > TISSUE_HU:
            where = ", ".join(f"{x:.0f}" for x in source)
            raise CarmError(
                f"the focal spot of plane {'AB'[p]} at ({where}) mm LPS lies inside the patient ({hu} HU); "
                "want it outside of the body"
            )


def frame_hash(image: NDArray[np.uint8]) -> np.uint64:
    """64 bits of a frame's content."""
    return np.uint64(int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest(), "little"))


def _joined(motions: Sequence[Rigid]) -> Rigid:
    return Rigid(np.concatenate([m.rotation for m in motions]), np.concatenate([m.translation_mm for m in motions]))


def _leaves_ct(setups: Sequence[EpisodeSetup], cameras: Cameras, request: ExposureRequest) -> NDArray[np.bool_]:
    """Whether the rays through a field's corners leave the CT's z range near the isocentre, [M]."""
    half = 0.5 * request.field_mm * request.sid_mm / request.sod_mm
    z_range = np.array([s.patient.volume.z_range_mm() for s in setups])
    out = np.zeros(len(cameras), bool)
    for right in (-1, 1):
        for down in (-1, 1):
            corner = cameras.centre_mm + half[:, None] * (right * cameras.u + down * cameras.v)
            for depth in (-EDGE_DEPTH_MM, EDGE_DEPTH_MM):
                share = ((request.sod_mm + depth) / request.sid_mm)[:, None]
                z = (cameras.source_mm + share * (corner - cameras.source_mm))[:, 2]
                out |= (z < z_range[:, 0]) | (z > z_range[:, 1])
    return out
