"""Frames of an imaginary person: a smooth signal with quantum noise, seen by plane A or B of a biplane."""

import numpy as np

from carm_env.geometry import cone_beam
from carm_env.patient.model import LANDMARKS
from carm_env.sim.perception import Context, Frames
from carm_env.sim.streams import stream
from carm_env.xray.exposure import Technique

FULL_MM, PIXELS = 214.0, 64
PITCH_MM = 300.0 / PIXELS
TARGET_MM = np.array([5.0, -205.0, -220.0])


def landmarks_mm():
    """20 points along the body, some of them missing."""
    rng = np.random.default_rng(0)
    z = np.linspace(-210.0, -1000.0, len(LANDMARKS))
    points = np.stack([rng.uniform(-60, 60, len(z)), rng.uniform(-220, -120, len(z)), z], axis=1)
    points[[5, 6, 7, 8]] = np.nan
    return points


def make(isocentres_mm, plane=0, field_mm=FULL_MM, quanta=2000.0, empty=False, seed=0, points=None):
    """Frames and context of M exposures at ``isocentres_mm`` [M, 3], one step after the other."""
    iso = np.atleast_2d(np.asarray(isocentres_mm, float))
    m = len(iso)
    planes = np.full(m, plane)
    angle = np.where(planes == 1, 90.0, 0.0)
    cameras = cone_beam(iso, angle, 0.0, 785.0, 1100.0, PITCH_MM)
    at = (np.arange(PIXELS) - (PIXELS - 1) / 2) * PITCH_MM * 785.0 / 1100.0
    mask = (np.abs(at)[:, None] <= field_mm / 2) & (np.abs(at)[None, :] <= field_mm / 2)
    body = np.ones_like(mask, float) if empty else np.exp(0.004 * at)[None, :] * (1 + 0.2 * np.cos(at / 15.0))[:, None]
    noise = np.random.default_rng(seed).normal(size=(m, PIXELS, PIXELS)) / np.sqrt(quanta * PITCH_MM**2)
    signal = np.where(mask, body * (1 + noise), 0.0).astype(np.float32)
    nan = np.full(m, np.nan)
    frames = Frames(
        lane=np.arange(m), plane=planes, signal=signal, image=np.zeros(signal.shape, np.uint8),
        mask=np.broadcast_to(mask, signal.shape), cameras=cameras, isocentre_mm=iso,
        angles_deg=np.stack([angle, np.zeros(m)], axis=1), field_mm=np.full(m, field_mm),
        technique=Technique(nan, nan, nan, nan), quanta=np.full(m, quanta), demographics=np.full((m, 5), np.nan),
        goal=np.full(m, -1),
    )
    points = landmarks_mm() if points is None else points
    context = Context(
        target_mm=np.tile(TARGET_MM, (m, 1)),
        landmarks_mm=np.tile(points, (m, 1, 1)),
        rng=[stream(seed, "perception", i, plane) for i in range(m)],
        episode_seed=np.full(m, seed),
    )
    return frames, context


def rows(frames, context, pick, seed=0, plane=0):
    """The frames of ``pick`` alone, with fresh generators of the same streams."""
    part = Frames(**{
        name: Technique(*(t[pick] for t in vars(value).values())) if name == "technique" else value[pick]
        for name, value in vars(frames).items()
    })
    rng = [stream(seed, "perception", int(i), plane) for i in pick]
    return part, Context(context.target_mm[pick], context.landmarks_mm[pick], rng, context.episode_seed[pick])
