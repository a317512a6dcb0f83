"""Landmarks and targets from masks: which rule gives which point, and whether the masks can be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from carm_env.patient.segmented import (
    rules_airway,
    rules_chest,
    rules_head,
    rules_limbs,
    rules_pelvis,
    rules_spine,
    rules_wrist,
)
from carm_env.patient.segmented.found import Found, Masks, Rule, Unfit

_SIDES = ("right", "left")


def _both(suffix: str, rule: Callable[[Masks, str], Found]) -> dict[str, Rule]:
    return {f"{side}_{suffix}": lambda masks, side=side: rule(masks, side) for side in _SIDES}  # type: ignore[misc]


RULES: Mapping[str, Rule] = {
    "skull": rules_head.skull,
    **_both("humeral_head", rules_limbs.humeral_head),
    **_both("scapula", rules_limbs.scapula),
    **_both("elbow", rules_limbs.elbow),
    **_both("wrist", rules_wrist.wrist),
    **{level: partial(rules_spine.vertebra, level=level) for level in ("T1", "T12", "L5")},
    "carina": rules_airway.carina,
    **_both("hemidiaphragm", rules_chest.hemidiaphragm),
    **_both("iliac_crest", rules_pelvis.iliac_crest),
    "pubic_symphysis": rules_pelvis.pubic_symphysis,
    **_both("femoral_head", rules_pelvis.femoral_head),
    "sella": rules_head.sella,
    **_both("eye_lens", rules_head.eye_lens),
}
"""Name of a landmark or target to its rule."""

_PAIRS = ("humerus", "scapula", "hip", "femur", "clavicula", "kidney", "eye_lens")
_LOBES = ("lung_upper_lobe", "lung_lower_lobe", "lung_middle_lobe", "lung")
_ARM = ("radius", "ulna", "carpal", "metacarpal")
NEEDED: frozenset[str] = frozenset({
    "brain", "skull", "trachea", "spinal_cord", "liver", "stomach", "spleen", "vertebrae_T1", "vertebrae_T12",
    "vertebrae_L5", *_ARM, *(f"{name}_{side}" for name in (*_PAIRS, *_LOBES, *_ARM) for side in _SIDES),
})  # fmt: skip
"""Classes that rules and checks read; others need not be loaded."""

_FRONT_TO_BACK = [("trachea", "vertebrae_T1"), ("trachea", "spinal_cord"), ("liver", "spinal_cord")]
_HEAD_TO_FEET = [
    ("skull", "vertebrae_T1"), ("brain", "vertebrae_T1"), ("vertebrae_T1", "vertebrae_T12"),
    ("vertebrae_T12", "vertebrae_L5"), ("vertebrae_L5", "femur_left"), ("vertebrae_L5", "femur_right"),
    ("trachea", "liver"), ("liver", "hip_left"), ("liver", "hip_right"),
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Derived:
    """Points by name, and for the others the reason why masks do not give them."""

    landmarks: dict[str, Found] = field(default_factory=dict)
    targets: dict[str, Found] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)


def derive(masks: Masks) -> Derived:
    """All points that masks allow, class (see ``classes``) to mask; a class that is missing costs its points only."""
    derived = Derived()
    for name, rule in RULES.items():
        try:
            found = rule(masks)
        except Unfit as reason:
            derived.missed[name] = str(reason)
        else:
            (derived.landmarks if name in LANDMARKS else derived.targets)[name] = found
    return derived


def landmarks_of(masks: Masks) -> dict[str, Found]:
    """The landmarks of ``LANDMARKS`` that masks allow."""
    return derive(masks).landmarks


def check_masks(masks: Masks, where: object) -> None:
    """Checks names against places: left and right, front and back, head and feet.

    Raises:
        CarmError: most pairs lie the wrong way round.
    """
    places = {name: masks[name].centroid() for name in NEEDED if name in masks}
    lefts = [(f"{name}_left", f"{name}_right") for name in (*_PAIRS, *_LOBES)] + [("spleen", "liver")]
    checks = (
        (0, lefts, "left and right are swapped", "names and axes of the patient's own left and right, x to the left"),
        (1, _FRONT_TO_BACK, "front and back are swapped", "axes as in the patient, y to the back"),
        (2, _HEAD_TO_FEET, "structures are not in the order of a body", "TotalSegmentator's ids, z towards the head"),
    )
    for axis, pairs, problem, want in checks:
        known = [(a, b) for a, b in pairs if a in places and b in places]
        wrong = [(a, b) for a, b in known if (places[a][axis] - places[b][axis]) * (-1 if axis == 1 else 1) < 0]
        if wrong and 2 * len(wrong) > len(known):
            a, b = wrong[0]
            raise CarmError(
                f"{where}: {problem} in {len(wrong)} of {len(known)} pairs of masks (first: {a} and {b}); want {want}"
            )
