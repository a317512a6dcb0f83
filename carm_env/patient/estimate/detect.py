"""The order in which landmarks are looked for: what was found first tells where to look next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.estimate.airway import find_carina
from carm_env.patient.estimate.arms import find_arm
from carm_env.patient.estimate.chest import SIDES, find_chest
from carm_env.patient.estimate.head import find_cavity
from carm_env.patient.estimate.hips import SMALL_WING_MM2, WING_MM2, find_crest, find_femoral_heads
from carm_env.patient.estimate.levels import find_levels
from carm_env.patient.estimate.prior import POSTURES, Belief, Sighting, prior
from carm_env.patient.estimate.shoulders import find_humeral_heads, find_scapula
from carm_env.patient.estimate.spine import find_column
from carm_env.patient.estimate.tissue import Tissue

F64 = NDArray[np.float64]

_SKULL_OFF_MM, _SELLA_OFF_MM = (0.0, -1.5, -4.0), (0.0, -17.0, -42.0)
"""From the centroid of what is found of the intracranial space, which lacks the lowest part (phantoms' mean)."""
_SKULL_SD_MM, _SELLA_SD_MM = (3.0, 3.0, 3.0), (5.0, 6.0, 5.0)
_CARINA_OFF_MM, _CARINA_SD_MM = (0.0, 0.0, 3.0), (4.0, 5.0, 6.0)
"""A septum thinner than the voxels is seen only some millimetres below the fork."""
_DOME_SD_MM = {"right": (12.0, 12.0, 5.0), "left": (12.0, 14.0, 5.0)}
_TOP_ABOVE_T1_MM, _TOP_SD_MM = -3.0, 10.0
_SHAFT_BONUS = 4.0
"""Log-likelihood that a long straight bone adds to the ball it starts from."""
_LEAST_BONE_MM3 = 5e4
_KNOWN_MM = 200.0
_UNLIKELY = 5.0
_SUSPICION = {"femoral_head": 1.5, "humeral_head": 1.3, "levels": 1.3, "scapula": 1.5, "arm": 1.5, "dome": 1.2}


def look(tissue: Tissue) -> tuple[str, list[Sighting]]:
    """The arms' posture and everything that is seen and fits together; nothing where there is no skeleton."""
    if np.count_nonzero(tissue.bone) * tissue.grid.step_mm**3 < _LEAST_BONE_MM3:
        return POSTURES[0], []
    seen = consistent([*_head(tissue), *_chest(tissue)], POSTURES[0])
    seen = consistent(seen + _pelvis(tissue, prior(POSTURES[0]).given(seen)), POSTURES[0])
    if not seen:
        return POSTURES[0], []
    seen = seen + _spine(tissue, prior(POSTURES[0]).given(seen))
    rest = [s for s in seen if s.source != "femoral_head"]
    seen = consistent(rest + find_femoral_heads(tissue.grid, prior(POSTURES[0]).given(rest)), POSTURES[0])
    seen = seen + _arms(tissue, seen)
    posture = max(POSTURES, key=lambda p: prior(p).log_likelihood(seen))
    seen = consistent(seen, posture)
    belief = prior(posture).given(seen)
    blades = [find_scapula(tissue, belief, side) for side in SIDES]
    seen = consistent(seen + [b for b in blades if b is not None], posture)
    return posture, seen if _enough(seen) else []


def _enough(seen: list[Sighting]) -> bool:
    """Whether the head was seen, of which there is no double, or at least two sources agree."""
    sources = {s.source for s in seen}
    return "head" in sources or len(sources) > 1


def consistent(seen: list[Sighting], posture: str) -> list[Sighting]:
    """Without the sources that all others contradict, the least likely one first."""
    kept = list(seen)
    while len({s.source for s in kept}) > 1:
        doubts = {source: _doubt(kept, source, posture) for source in {s.source for s in kept}}
        worst = max(sorted(doubts), key=lambda s: doubts[s])
        if doubts[worst] < _UNLIKELY:
            break
        kept = [s for s in kept if s.source != worst]
    return kept


def _doubt(seen: list[Sighting], source: str, posture: str) -> float:
    """How far a source's sightings lie from what all others tell."""
    own = [s for s in seen if s.source == source]
    rest: Belief = prior(posture).given([s for s in seen if s.source != source])
    factor = max([1.0, *(f for part, f in _SUSPICION.items() if part in source)])
    return rest.surprise(own) * factor


def _head(tissue: Tissue) -> list[Sighting]:
    cavity = find_cavity(tissue)
    if cavity is None or cavity.cut:
        return []
    return [
        Sighting("skull", cavity.centroid + _SKULL_OFF_MM, np.array(_SKULL_SD_MM), "head"),
        Sighting("sella", cavity.centroid + _SELLA_OFF_MM, np.array(_SELLA_SD_MM), "head"),
    ]


def _chest(tissue: Tissue) -> list[Sighting]:
    chest = find_chest(tissue)
    if chest is None:
        return []
    domes = chest.domes.items()
    seen = [Sighting(f"{side}_hemidiaphragm", at, np.array(_DOME_SD_MM[side]), "dome") for side, at in domes]
    carina = find_carina(tissue, chest)
    if carina is not None:
        seen.append(Sighting("carina", carina + _CARINA_OFF_MM, np.array(_CARINA_SD_MM), "carina"))
    if not chest.top_cut:
        at = np.array([chest.midline_x, 0.0, chest.top_z - _TOP_ABOVE_T1_MM])
        seen.append(Sighting("T1", at, np.array([12.0, np.inf, _TOP_SD_MM]), "lungs"))
    return seen


def _pelvis(tissue: Tissue, belief: Belief) -> list[Sighting]:
    """Hips, then crests from them, then hips from the crests: a crest is told apart even from hips misplaced.

    Where neither head nor chest says where hips may be, balls without a crest above them are no hips.
    """
    known = belief.sd("left_femoral_head").max() < _KNOWN_MM
    least = SMALL_WING_MM2 if known else WING_MM2
    hips = find_femoral_heads(tissue.grid, belief)
    crests = _crests(tissue, belief.given(hips), least)
    if known and len(crests) < 2:
        crests = max(crests, _crests(tissue, belief, least), key=len)
    if not crests:
        return hips if known else []
    hips = find_femoral_heads(tissue.grid, belief.given(crests))
    return hips + max(_crests(tissue, belief.given(hips + crests), least), crests, key=len)


def _crests(tissue: Tissue, belief: Belief, least_mm2: float) -> list[Sighting]:
    found = [find_crest(tissue, belief, side, least_mm2) for side in SIDES]
    return [c for c in found if c is not None]


def _spine(tissue: Tissue, belief: Belief) -> list[Sighting]:
    column = find_column(tissue.grid, belief)
    return [] if column is None else find_levels(tissue.grid, column, belief)


def _arms(tissue: Tissue, seen: list[Sighting]) -> list[Sighting]:
    beliefs = [prior(posture).given(seen) for posture in POSTURES]
    found: list[Sighting] = []
    for side in SIDES:
        heads = find_humeral_heads(tissue, beliefs, side)
        ends = [b.at(f"{side}_elbow") - b.at(f"{side}_humeral_head") for b in beliefs]
        length = float(np.mean(np.linalg.norm(ends, axis=1)))
        arms = [find_arm(tissue, head.at, side, length) for _, head in heads]
        if heads:
            scores = [score + _SHAFT_BONUS * bool(arm) for (score, _), arm in zip(heads, arms, strict=True)]
            best = int(np.argmax(scores))
            found += [heads[best][1], *arms[best]]
    return found
