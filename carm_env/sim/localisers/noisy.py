"""Perception with plausible errors: a stand-in for a network, for experiments on what its quality is worth.

All default magnitudes are estimates: a few millimetres with the target in the field, tens of millimetres when it has
to be inferred from other anatomy (the seed paper's regressor has about 52 mm RMSE per axis over the whole torso).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from carm_env.sim.localisers.rows import View, blank_estimate, distances_mm, is_empty
from carm_env.sim.perception import UNSEEN_SD_MM, Context, Estimate, Frames

F64 = NDArray[np.float64]
K = len(LANDMARKS)


@dataclass(frozen=True)
class NoisyLocaliser:
    """The truth plus Gaussian errors whose size depends on dose, field and visible anatomy.

    In the image plane each axis errs by ``sd**2 = floor_mm**2 + quantum_mm**2 / quanta`` (quanta per mm2 of detector)
    if the target lies in the field; otherwise by a further ``(inferred_mm + inferred_share * distance)**2``, distance
    being the target's from the field's edge, times ``2 / (1 + visible landmarks)``. Along the beam a single view sees
    nothing: displacement 0 with a standard deviation of 100 mm. A frame is valid if it shows anatomy and either the
    target, or a landmark no further than ``reach_mm`` outside of the field; patients without any landmark are taken as
    showing one everywhere. Errors of different frames are independent, also at the same pose: averaging repeated
    frames helps more than it would with a network.

    Attributes:
        floor_mm: error per axis with unlimited dose and the target in the field, mm.
        quantum_mm: growth of the error at low dose, mm per sqrt(mm2 / quanta).
        inferred_mm, inferred_share: error of a target outside of the field: constant (mm) and share of the distance.
        reach_mm: how far outside of the field a landmark may lie to be of use, mm.
        overconfidence: true over reported standard deviation; 1 = calibrated.
    """

    floor_mm: float = 2.0
    quantum_mm: float = 40.0
    inferred_mm: float = 8.0
    inferred_share: float = 0.06
    reach_mm: float = 50.0
    overconfidence: float = 1.0
    name = "noisy"

    def __post_init__(self) -> None:
        for field in ("floor_mm", "quantum_mm", "inferred_mm", "inferred_share", "reach_mm", "overconfidence"):
            value = getattr(self, field)
            if not 0 <= value < 1e4 or (field == "overconfidence" and value == 0):
                raise CarmError(f"perception noisy: {field}={value} is out of range; want a number from 0 to 10000")

    def estimate(self, frames: Frames, context: Context) -> Estimate:
        """One noisy row a frame; draws 2 + 2 * 20 normals from each frame's generator, whatever it shows."""
        out = blank_estimate(frames)
        for i in range(len(frames.lane)):
            draws = context.rng[i].standard_normal(2 + 2 * K)
            if not is_empty(frames, i):
                self._fill(out, i, frames, context, draws)
        return out

    def _fill(self, out: Estimate, i: int, frames: Frames, context: Context, draws: F64) -> None:
        view = View.of(frames, i)
        landmarks_mm = context.landmarks_mm[i]
        outside = view.outside_mm(landmarks_mm)
        target_outside = float(view.outside_mm(context.target_mm[i][None])[0])
        known = np.isfinite(outside).any()
        if target_outside > 0 and known and not (outside <= self.reach_mm).any():
            return
        sd = self.sd_mm(float(frames.quanta[i]), target_outside, int((outside == 0).sum()) if known else 1)
        true = context.target_mm[i] - view.isocentre_mm
        across, along = (true * view.u).sum() + sd * draws[0], (true * view.v).sum() + sd * draws[1]
        out.valid[i] = True
        out.displacement_mm[i] = across * view.u + along * view.v
        out.covariance_mm2[i] = _covariance((sd / self.overconfidence) ** 2, view)
        if known:
            out.landmark_visible[i] = visible_probabilities(outside, sd, draws[2 : 2 + K])
            distance = distances_mm(landmarks_mm, view.isocentre_mm)
            out.landmark_nearest[i] = nearest_probabilities(distance, sd, draws[2 + K :])

    def sd_mm(self, quanta: float, target_outside_mm: float, visible: int) -> float:
        """True error per image axis, mm.

        Args:
            quanta: absorbed quanta per mm2 of detector.
            target_outside_mm: distance of the target from the field, 0 inside.
            visible: landmarks in the field.
        """
        variance = self.floor_mm**2 + self.quantum_mm**2 / max(quanta, 1.0)
        if target_outside_mm > 0:
            inferred = self.inferred_mm + self.inferred_share * target_outside_mm
            variance += inferred**2 * 2.0 / (1.0 + visible)
        return float(np.sqrt(variance))


def _covariance(variance_mm2: float, view: View) -> F64:
    seen = variance_mm2 * (np.outer(view.u, view.u) + np.outer(view.v, view.v))
    return seen + max(UNSEEN_SD_MM**2, variance_mm2) * np.outer(view.beam, view.beam)


def visible_probabilities(outside_mm: F64, sd_mm: float, draws: F64) -> F64:
    """Probabilities that landmarks are visible, [20], blurred by ``sd_mm``.

    Args:
        outside_mm: distance from the field, 0 inside, NaN where a landmark is missing, [20].
        draws: standard normal, [20].
    """
    margin = np.where(outside_mm > 0, -outside_mm, 10.0) / max(sd_mm, 1.0) + draws
    return np.where(np.isfinite(margin), 1.0 / (1.0 + np.exp(-np.clip(margin, -30.0, 30.0))), 0.0)


def nearest_probabilities(distance_mm: F64, sd_mm: float, draws: F64) -> F64:
    """Probabilities that landmarks are the nearest, [20], blurred by ``sd_mm``.

    Args:
        distance_mm: from the isocentre, infinite where a landmark is missing, but not everywhere, [20].
        draws: standard normal, [20].
    """
    logit = -(distance_mm - distance_mm.min()) / (5.0 + max(sd_mm, 1.0)) + draws
    weight = np.where(np.isfinite(logit), np.exp(np.clip(logit, -60.0, 60.0)), 0.0)
    return weight / weight.sum()
