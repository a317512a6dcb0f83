"""Humeral heads as balls where shoulders may be, and the lower tips of the shoulder blades behind the ribs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.balls import find_balls
from carm_env.patient.estimate.hips import LEAST_SHARE, search_box, sighting
from carm_env.patient.estimate.prior import Belief, Sighting
from carm_env.patient.estimate.tissue import Tissue

F64 = NDArray[np.float64]

_MOST = 25
_RUNNERS = 4
_LEAST_MERIT = 3.0
_HOLLOW = 0.4
_OFF_RIBS_MM = (14.0, 55.0)
_BESIDE_SPINE_MM = 50.0
_TIP_SEARCH_SD = 2.5
_LEAST_BLADE_MM3 = 4e3
_TIP_MM2 = 30.0
_TIP_SD_MM = (9.0, 10.0, 12.0)


def find_humeral_heads(tissue: Tissue, beliefs: Sequence[Belief], side: str) -> list[tuple[float, Sighting]]:
    """Balls that may be a humeral head with their log-likelihood, best first: round, and where one of the beliefs (one
    per posture of the arms) expects it."""
    name = f"{side}_humeral_head"
    boxes = np.array([search_box(tissue.grid, b, (name,)) for b in beliefs])
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    if (high <= low).any():
        return []
    found = []
    for ball in find_balls(tissue.grid, low, high, _MOST):
        if ball.share < LEAST_SHARE or ball.merit(_HOLLOW) < _LEAST_MERIT:
            continue
        seen = sighting(name, ball, tissue.grid, _HOLLOW)
        found.append((ball.merit(_HOLLOW) + max(b.log_likelihood([seen]) for b in beliefs), seen))
    return sorted(found, key=lambda f: -f[0])[:_RUNNERS]


def find_scapula(tissue: Tissue, belief: Belief, side: str) -> Sighting | None:
    """The lowest place of the bone outside the ribs, as far from the lung as a blade lies; None without lungs."""
    from scipy import ndimage

    grid, name = tissue.grid, f"{side}_scapula"
    tip, sd = belief.at(name), np.maximum(belief.sd(name), 10.0)
    low, high = tip - _TIP_SEARCH_SD * sd, tip + _TIP_SEARCH_SD * sd
    high[2] = belief.at(f"{side}_humeral_head")[2] - 20.0
    bounds = np.clip(np.rint(grid.to_index([low, high])), 0, grid.hu.shape).astype(int)
    if (bounds[1] - bounds[0] < 5).any() or not tissue.lungs.any():
        return None
    box = tuple(slice(a, b) for a, b in bounds.T)
    pad = grid.voxels(_OFF_RIBS_MM[1])
    wide = tuple(slice(max(0, s.start - pad), s.stop + pad) for s in box)
    off = ndimage.distance_transform_edt(~tissue.lungs[wide]) * grid.step_mm
    inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))
    x = grid.to_mm(np.stack([np.arange(box[0].start, box[0].stop)] * 3, axis=-1))[:, 0]
    beside = np.abs(x - belief.at("T6")[0]) > _BESIDE_SPINE_MM
    blade = tissue.bone[box] & (off[inner] > _OFF_RIBS_MM[0]) & (off[inner] < _OFF_RIBS_MM[1]) & beside[:, None, None]
    labels, count = ndimage.label(blade, structure=np.ones((3, 3, 3)))
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())[1:] * grid.step_mm**3
    piece = labels == 1 + int(np.argmax(sizes))
    slices = np.flatnonzero(piece.sum(axis=(0, 1)) * grid.step_mm**2 > _TIP_MM2)
    if sizes.max() < _LEAST_BLADE_MM3 or len(slices) == 0 or slices[0] <= 1:
        return None
    k = int(slices[0])
    where = np.argwhere(piece[:, :, k : k + 2].any(axis=2)).mean(axis=0)
    at = grid.to_mm(bounds[0] + [where[0], where[1], k])
    return Sighting(name, at, np.array(_TIP_SD_MM), name)
