"""``perception=surrogate``: the shipped network's errors without its images, for training policies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import erf, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from carm_env.sim.localisers.noisy import nearest_probabilities, visible_probabilities
from carm_env.sim.localisers.rows import View, blank_estimate, distances_mm
from carm_env.sim.perception import UNSEEN_SD_MM, Context, Estimate, Frames
from carm_env.sim.streams import stream
from perception.error_table import CHANNELS, EDGES_MM, FOUND, KNOTS, Cell, ErrorTable, Share, outside_mm, regressors

F64 = NDArray[np.float64]
K = len(LANDMARKS)
SHIPPED = Path(__file__).parent / "shipped" / "localizer-small.errors.json"
WAVES = 24
"""Cosines that make up a random field."""
NOISE_QUANTA = 2.5
"""Quantum noise is this over the quanta per mm2 of the deviates' variance: 240 poses of 6 phantoms, 4 frames each."""
REPEAT_MM = 5.0
"""Distance over which the rest changes: what repeated frames at one place have in common."""
BODY_MM = (300.0, 220.0)
"""A field whose edge is further than this from the target, left or right in a frontal view and to front or back in a
lateral one, shows nothing but air: estimates."""


class SurrogateLocaliser:
    """Errors drawn from a table of what a network did to patients that it was not trained on; blind to the image.

    The reported standard deviation in u and v depends on plane, region (target well inside of the field, near its edge,
    outside by classes of distance), quanta, field and distance; the true error is that times a deviate of the region's
    own distribution. Deviates are correlated from frame to frame of an episode and plane: everywhere, more at near
    places, and most in repeated frames at the same place (Gaussian random fields of random cosines). Where a landmark
    is the goal it errs as for the target.

    Args:
        errors: JSON file of `carm perception surrogate`; the shipped one by default.

    Raises:
        CarmError: a table that is missing or malformed.
    """

    name = "surrogate"

    def __init__(self, errors: str | None = None) -> None:
        if not (errors is None or isinstance(errors, str)):
            raise CarmError(f"perception.errors={errors!r} is no path; want a file of carm perception surrogate")
        self.table = ErrorTable.read(SHIPPED if errors is None else Path(errors))

    def estimate(self, frames: Frames, context: Context) -> Estimate:
        """One row a frame; draws 5 + 2 * 20 normals from each frame's generator, whatever it shows."""
        out = blank_estimate(frames)
        for i in range(len(frames.lane)):
            self._fill(out, i, frames, context, context.rng[i].standard_normal(len(CHANNELS) + 1 + 2 * K))
        return out

    def _fill(self, out: Estimate, i: int, frames: Frames, context: Context, draws: F64) -> None:
        view, plane = View.of(frames, i), int(frames.plane[i])
        across, along = (float(a[0]) for a in view.beyond_mm(context.target_mm[i][None]))
        if not (np.isfinite(across + along) and across <= BODY_MM[plane]):
            return
        true = context.target_mm[i] - view.isocentre_mm
        true_uv = np.array([true @ view.u, true @ view.v])
        apart = float(outside_mm(across, along))
        region = int(np.searchsorted(EDGES_MM, apart, side="left"))
        cell = self.table.cells[plane][region]
        if 0.5 * (1.0 + erf(draws[4] / sqrt(2.0))) > cell.valid:
            return
        share = self.table.shares[plane][int(region >= FOUND)]
        deviates = _common(int(context.episode_seed[i]), plane).mixed(
            share, view.isocentre_mm, float(frames.quanta[i]), draws[:4]
        )
        told = regressors(frames.quanta[i], frames.field_mm[i], max(apart, 0.0), sqrt(true_uv @ true_uv))
        sd = _sd_mm(cell, told, deviates)
        mean = true_uv + sd * [np.interp(g, KNOTS, q) for g, q in zip(deviates[2:], cell.score, strict=True)]
        _write(out, i, view, mean, sd)
        self._landmarks(out, i, view, context.landmarks_mm[i], draws[5:])

    def _landmarks(self, out: Estimate, i: int, view: View, points_mm: F64, draws: F64) -> None:
        if np.isfinite(points_mm[:, 0]).any():
            outside, distance = view.outside_mm(points_mm), distances_mm(points_mm, view.isocentre_mm)
            out.landmark_visible[i] = visible_probabilities(outside, self.table.visible_sd_mm, draws[:K])
            out.landmark_nearest[i] = nearest_probabilities(distance, self.table.nearest_sd_mm, draws[K:])


@dataclass(frozen=True)
class _Common:
    """What frames of one episode and plane share: standard normal deviates, one of each of ``CHANNELS``.

    Attributes:
        patient: the same everywhere, [4]; wave, phase: of random cosines, by near and repeat, [2, 4, WAVES, 3] (per
            correlation length) and [2, 4, WAVES].
    """

    patient: F64
    wave: F64
    phase: F64

    def mixed(self, share: Share, place_mm: F64, quanta: float, own: F64) -> F64:
        """Deviates of a frame at ``place_mm`` [3] with ``quanta`` per mm2; ``own`` [4] belong to it alone, [4]."""
        near, repeat = (
            sqrt(2.0 / WAVES) * np.cos((wave * (place_mm / length)).sum(axis=-1) + phase).sum(axis=-1)
            for wave, phase, length in zip(self.wave, self.phase, (share.length_mm, REPEAT_MM), strict=True)
        )
        left = 1.0 - share.patient - share.near
        noise = np.minimum(left, NOISE_QUANTA / max(quanta, 1.0))
        parts = (share.patient, self.patient), (share.near, near), (left - noise, repeat), (noise, own)
        return np.asarray(sum(np.sqrt(weight) * deviate for weight, deviate in parts))


@lru_cache(4096)
def _common(episode_seed: int, plane: int) -> _Common:
    """Of stream ``perception`` at step 0, where no frame is taken.

    Waves are Cauchy-distributed, so that the correlation is exp(-distance) (Rahimi and Recht, NeurIPS 2007).
    """
    rng = stream(episode_seed, "perception", 0, plane)
    shape = (2, len(CHANNELS), WAVES)
    wave = rng.standard_normal((*shape, 3)) / np.abs(rng.standard_normal((*shape, 1)))
    return _Common(rng.standard_normal(len(CHANNELS)), wave, rng.uniform(0.0, 2.0 * np.pi, shape))


def _sd_mm(cell: Cell, told: F64, deviates: F64) -> F64:
    """Reported standard deviations along u and v, [2]."""
    told = np.minimum(np.maximum(told, cell.low), cell.high)
    second = cell.together * deviates[0] + sqrt(1.0 - cell.together**2) * deviates[1]
    residual = [np.interp(g, KNOTS, q) for g, q in zip((deviates[0], second), cell.spread, strict=True)]
    return np.exp(cell.sd[:, 0] + (cell.sd[:, 1:] * told).sum(axis=1) + residual)


def _write(out: Estimate, i: int, view: View, mean_uv_mm: F64, sd_mm: F64) -> None:
    u2, v2 = np.square(sd_mm)
    unseen = max(UNSEEN_SD_MM**2, 0.5 * (u2 + v2))
    out.valid[i] = True
    out.displacement_mm[i] = mean_uv_mm[0] * view.u + mean_uv_mm[1] * view.v
    axes = np.stack([view.u, view.v, view.beam])
    out.covariance_mm2[i] = (axes.T * [u2, v2, unseen]) @ axes
