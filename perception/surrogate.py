"""``perception=surrogate``: the shipped network's errors without its images, for training policies."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
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
from perception.error_cells import (
    CHANNELS,
    EDGES_MM,
    FOUND,
    KNOTS,
    Cell,
    Share,
    outside_mm,
    place_mm,
    regressors,
    tilt_deg,
)
from perception.error_table import ErrorTable

F64 = NDArray[np.float64]
K = len(LANDMARKS)
SHIPPED = Path(__file__).parent / "shipped" / "localizer-small.errors.json"
WAVES = 24
"""Cosines that make up a random field."""
NOISE_QUANTA = 2.5
"""Quantum noise is this over the quanta per mm2 of the deviates' variance: 240 poses of 6 phantoms, 4 frames each."""
MOST_UNLIKE = 100.0
WIDE_MM = 200.0
"""Field below which a body that is unlike the table's shows too little: in lateral views of one real CT the network
reports 20 mm in fields of 100 to 140 mm, 12 up to 190 and 7 above, in those of phantoms 2 to 3 in all."""
BODY_MM = (300.0, 220.0)
"""A field whose edge is further than this from the target, left or right in a frontal view and to front or back in a
lateral one, shows nothing but air: estimates."""


class SurrogateLocaliser:
    """Errors drawn from a table of what a network did to patients that it was not trained on; blind to the image.

    The reported standard deviation in u and v depends on plane, region (target well inside of the field, near its edge,
    outside by classes of distance), quanta, field, distance and tilt; the true error is that times a deviate of the
    region's own distribution. Deviates are correlated from frame to frame of an episode and plane: in part everywhere,
    for the rest at near places (a Gaussian random field of random cosines), so that repeated frames differ in quantum
    noise only. Where a landmark is the goal it errs as for the target.

    Args:
        errors: JSON file of `carm perception surrogate`; the shipped one by default.
        unlike: bodies unlike the table's: in half of all episodes and planes the reported deviation grows by a factor
            between 1 and this (log-uniform; to twice this in a field of 100 mm), errors with it; independently, in half
            of them, errors alone grow by such a factor. Both stay the same throughout the episode.

    Raises:
        CarmError: a table that is missing or malformed, a factor out of range.
    """

    name = "surrogate"

    def __init__(self, errors: str | None = None, unlike: float = 1.0) -> None:
        if not (errors is None or isinstance(errors, str)):
            raise CarmError(f"perception.errors={errors!r} is no path; want a file of carm perception surrogate")
        if not (isinstance(unlike, (int, float)) and 1.0 <= unlike <= MOST_UNLIKE):
            raise CarmError(f"perception.unlike={unlike!r} is out of range; want a number from 1 to {MOST_UNLIKE:g}")
        self.unlike = float(unlike)
        self.table = ErrorTable.read(SHIPPED if errors is None else Path(errors))

    def estimate(self, frames: Frames, context: Context) -> Estimate:
        """One row a frame; draws 5 + 2 * 20 normals from each frame's generator, whatever it shows."""
        out = blank_estimate(frames)
        for i in range(len(frames.lane)):
            self._fill(out, i, frames, context, context.rng[i].standard_normal(len(CHANNELS) + 1 + 2 * K))
        return out

    def _fill(self, out: Estimate, i: int, frames: Frames, context: Context, draws: F64) -> None:
        view, plane = View.of(frames, i), int(frames.plane[i])
        across, along = view.beyond_mm(np.concatenate([context.target_mm[i : i + 1], context.landmarks_mm[i]]))
        if not (np.isfinite(across[0] + along[0]) and across[0] <= BODY_MM[plane]):
            return
        apart = outside_mm(across, along)
        region = bisect_left(EDGES_MM, float(apart[0]))
        cell, share = self.table.cells[plane][region], self.table.shares[plane][int(region >= FOUND)]
        if 0.5 * (1.0 + erf(draws[4] / sqrt(2.0))) > cell.valid:
            return
        quanta, field_mm = float(frames.quanta[i]), float(frames.field_mm[i])
        common = _common(int(context.episode_seed[i]), plane)
        deviates = common.mixed(share, place_mm(view.isocentre_mm, field_mm), quanta, draws[:4])
        true = np.array([view.u, view.v]) @ (context.target_mm[i] - view.isocentre_mm)
        tilt = float(tilt_deg(frames.angles_deg[i, 0], frames.angles_deg[i, 1], plane))
        state = regressors(quanta, field_mm, max(float(apart[0]), 0.0), sqrt(true @ true), tilt)
        sd, error = _errors_mm(cell, state, deviates)
        told, untold = common.growth(self.unlike, field_mm)
        _write(out, i, view, true + told * untold * error, told * sd)
        if np.isfinite(apart[1:]).any():
            distance = distances_mm(context.landmarks_mm[i], view.isocentre_mm)
            out.landmark_visible[i] = visible_probabilities(apart[1:], self.table.visible_sd_mm, draws[5 : 5 + K])
            out.landmark_nearest[i] = nearest_probabilities(distance, self.table.nearest_sd_mm, draws[5 + K :])


@dataclass(frozen=True)
class _Common:
    """What frames of one episode and plane share: standard normal deviates, one of each of ``CHANNELS``.

    Attributes:
        patient: the same everywhere, [4]; wave, phase: of random cosines, [4, WAVES, 4] (times the correlation length)
            and [4, WAVES].
        unlike: how far the patient is unlike those of the table, where above 0, told and untold, [2] in -1 to 1, even.
    """

    patient: F64
    wave: F64
    phase: F64
    unlike: F64

    def mixed(self, share: Share, at_mm: F64, quanta: float, own: F64) -> F64:
        """Deviates of a frame at the place ``at_mm`` [4], [4]; ``own`` [4] belong to it alone."""
        angle = (self.wave @ at_mm) / share.length_mm[:, None] + self.phase
        near = sqrt(2.0 / WAVES) * np.cos(angle).sum(axis=1)
        left = 1.0 - share.patient
        noise = np.minimum(left, NOISE_QUANTA / max(quanta, 1.0))
        return np.asarray(
            np.sqrt(share.patient) * self.patient + np.sqrt(left - noise) * near + np.sqrt(noise) * own
        )  # fmt: skip

    def growth(self, most: float, field_mm: float) -> tuple[float, float]:
        """Factors of errors that the reported deviation tells and does not tell; see ``SurrogateLocaliser``."""
        if most == 1.0:
            return 1.0, 1.0
        told, untold = np.maximum(0.0, self.unlike).tolist()
        return float((most * max(1.0, WIDE_MM / field_mm)) ** told), float(most**untold)


@lru_cache(4096)
def _common(episode_seed: int, plane: int) -> _Common:
    """Of stream ``perception`` at step 0, where no frame is taken.

    Waves are Cauchy-distributed, so that the correlation is exp(-distance) (Rahimi and Recht, NeurIPS 2007).
    """
    rng = stream(episode_seed, "perception", 0, plane)
    shape = (len(CHANNELS), WAVES)
    wave = rng.standard_normal((*shape, 4)) / np.abs(rng.standard_normal((*shape, 1)))
    patient, phase = rng.standard_normal(len(CHANNELS)), rng.uniform(0.0, 2.0 * np.pi, shape)
    return _Common(patient, wave, phase, rng.uniform(-1.0, 1.0, 2))


def _errors_mm(cell: Cell, told: F64, deviates: F64) -> tuple[F64, F64]:
    """Reported standard deviations and true errors along u and v, [2] each."""
    told = np.minimum(np.maximum(told, cell.low), cell.high)
    second = cell.together * deviates[0] + sqrt(1.0 - cell.together**2) * deviates[1]
    residual = _at(cell.spread, (deviates[0], second))
    sd = np.exp(cell.sd[:, 0] + cell.sd[:, 1:] @ told + residual)
    return sd, sd * np.exp(cell.scale @ told) * _at(cell.score, deviates[2:])


def _at(quantiles: F64, deviates: Sequence[float] | F64) -> F64:
    """Values [2] of two distributions at standard normal deviates [2]."""
    return np.array([np.interp(deviates[0], KNOTS, quantiles[0]), np.interp(deviates[1], KNOTS, quantiles[1])])


def _write(out: Estimate, i: int, view: View, mean_uv_mm: F64, sd_mm: F64) -> None:
    u2, v2 = np.square(sd_mm)
    unseen = max(UNSEEN_SD_MM**2, 0.5 * (u2 + v2))
    out.valid[i] = True
    out.displacement_mm[i] = mean_uv_mm[0] * view.u + mean_uv_mm[1] * view.v
    axes = np.array([view.u, view.v, view.beam])
    out.covariance_mm2[i] = (axes.T * [u2, v2, unseen]) @ axes
