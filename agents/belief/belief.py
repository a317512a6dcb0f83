"""The belief of one lane: prior and frames fused, errors shared by frames and surprises included."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from agents.belief.evidence import Evidence

F64 = NDArray[np.float64]

LOST = 10.0
"""Growth of the prior's standard deviations once frames contradicted it."""


@dataclass(frozen=True)
class Rules:
    """How evidence is weighed.

    Attributes:
        share: part of a frame's variance that it has in common with another frame of the same plane at the same place.
            One half lies between what was measured at arrival over 20 episodes, where the squared error in units of
            the covariance is 3 on average if it is right: 1.5 with independent errors (``noisy``; 2.3 with a share of
            0), 4.1 with the shipped network on unseen phantoms.
        alike_mm: distance of isocentres at which that part has fallen to 1/e.
        gate: squared Mahalanobis distance beyond which an estimate is a surprise and set aside; 16 happens by chance
            to one in 3,000 of two dimensions.
        reopen_after: surprises, agreeing with each other and with none of their plane in between that fits, after which
            they replace everything before.
    """

    share: float = 0.5
    alike_mm: float = 60.0
    gate: float = 16.0
    reopen_after: int = 3


@dataclass(frozen=True)
class Belief:
    """Gaussian of the target's position in the table frame: ``mm`` [3], ``covariance_mm2`` [3, 3].

    The table carries the patient, so motion moves the isocentre only and leaves the belief as it is. Every frame is
    kept, and the frames' information is summed, each divided by one plus what it shares with the others: for n equal
    frames at one place the variance falls to ``share + (1 - share) / n`` of a single one's, whatever their order. A
    frame that abstains changes nothing: what an empty field is worth is for strategies to say.

    Attributes:
        evidence: frames in use; surprises: those set aside since their plane last agreed with the belief.
    """

    prior_mm: F64
    prior_covariance_mm2: F64
    rules: Rules = field(default_factory=Rules)
    evidence: tuple[Evidence, ...] = ()
    surprises: tuple[Evidence, ...] = ()
    mm: F64 = field(init=False)
    covariance_mm2: F64 = field(init=False)

    def __post_init__(self) -> None:
        information, pull = _sum(self.evidence, self.rules)
        known = np.linalg.inv(self.prior_covariance_mm2)
        covariance = np.linalg.inv(known + information)
        object.__setattr__(self, "covariance_mm2", 0.5 * (covariance + covariance.T))
        object.__setattr__(self, "mm", self.covariance_mm2 @ (known @ self.prior_mm + pull))

    @property
    def sd_mm(self) -> F64:
        """Standard deviations along the table's axes, [3]."""
        return np.asarray(np.sqrt(np.diag(self.covariance_mm2)))

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Axes that some frame told anything of, [3]."""
        return np.asarray(np.diag(_sum(self.evidence, self.rules)[0]) > 1e-9)

    def chance(self, place_mm: F64, within_mm: float, axes: list[int]) -> float:
        """Probability that the target lies within a distance of a place [3], along some axes only.

        The squared distance, a sum of weighted noncentral chi-squares, is taken as a gamma variable of the same mean
        and variance (Satterthwaite, Biometrics Bulletin 2, 1946): within 0.06 of random draws where it is likely, too
        great by up to 0.2 where the place lies off a long and narrow spread.
        """
        off, spread = (self.mm - place_mm)[axes], self.covariance_mm2[np.ix_(axes, axes)]
        mean = np.trace(spread) + off @ off
        variance = 2.0 * np.trace(spread @ spread) + 4.0 * off @ spread @ off
        return float(gammainc(mean**2 / variance, within_mm**2 * mean / variance))

    def surprise(self, new: Evidence) -> float:
        """Squared Mahalanobis distance of an estimate from the belief, over the directions that it sees.

        With information J and the belief's covariance P, ``(P + J^-1)^-1 = J - J (P^-1 + J)^-1 J``, J being singular.
        """
        j, off = new.information, new.mm - self.mm
        weight = j - j @ np.linalg.solve(np.linalg.inv(self.covariance_mm2) + j, j)
        return float(off @ weight @ off)

    def updated(self, new: Evidence) -> Belief:
        """With one more frame: taken in, set aside, or the last of a run of surprises that replaces the belief."""
        if self.surprise(new) <= self.rules.gate:
            left = tuple(e for e in self.surprises if e.plane != new.plane)
            return replace(self, evidence=(*self.evidence, new), surprises=left)
        wide = LOST**2 * self.prior_covariance_mm2
        lost = replace(self, prior_covariance_mm2=wide, evidence=self.surprises, surprises=())
        agrees = lost.surprise(new) <= self.rules.gate
        run = (*self.surprises, new) if agrees else (new,)
        if len(run) < self.rules.reopen_after:
            return replace(self, surprises=run)
        return replace(lost, evidence=run)


def _sum(evidence: tuple[Evidence, ...], rules: Rules) -> tuple[F64, F64]:
    """Information [3, 3] of frames, and its product with where they put the target, [3]."""
    if not evidence:
        return np.zeros((3, 3)), np.zeros(3)
    information = np.array([e.information for e in evidence]) * _weights(evidence, rules)[:, None, None]
    return information.sum(axis=0), np.einsum("nij,nj->i", information, np.array([e.mm for e in evidence]))


def _weights(evidence: tuple[Evidence, ...], rules: Rules) -> F64:
    """What shared errors leave of each frame's information, [n] in (0, 1]; a worse frame takes little from a better."""
    plane = np.array([e.plane for e in evidence])
    where = np.array([e.isocentre_mm for e in evidence])
    strength = np.array([np.trace(e.information) for e in evidence])
    apart = np.linalg.norm(where[:, None] - where, axis=2)
    shared = rules.share * np.exp(-apart / rules.alike_mm) * (plane[:, None] == plane)
    shared *= np.minimum(1.0, strength / np.maximum(strength[:, None], 1e-12))
    np.fill_diagonal(shared, 0.0)
    return np.asarray(1.0 / (1.0 + shared.sum(axis=1)))
