"""Organ ids of the phantom's label volume (uint8)."""

from __future__ import annotations

_VERTEBRAE = (
    *(f"vertebra_C{i}" for i in range(1, 8)),
    *(f"vertebra_T{i}" for i in range(1, 13)),
    *(f"vertebra_L{i}" for i in range(1, 6)),
)
_SIDES = ("right", "left")
_NAMES = (
    "background",
    "skin",
    "fat",
    "muscle",
    "mediastinum",
    "peritoneum",
    "intervertebral_disc",
    "spinal_canal",
    "cartilage",
    *(f"{side}_lung" for side in _SIDES),
    "lung_vessel",
    "airway",
    "heart",
    "aorta",
    "vena_cava",
    "vessel",
    "diaphragm",
    "liver",
    "spleen",
    "stomach",
    "pancreas",
    *(f"{side}_kidney" for side in _SIDES),
    "bowel",
    "bowel_content",
    "bowel_gas",
    "bladder",
    "pelvic_organ",
    "breast",
    "thyroid",
    "tongue",
    "brain",
    "ventricle",
    "sinus",
    *(f"{side}_eye" for side in _SIDES),
    *(f"{side}_eye_lens" for side in _SIDES),
    "pituitary",
    "skull",
    "mandible",
    "teeth",
    "hyoid",
    *_VERTEBRAE,
    "sacrum",
    "coccyx",
    *(f"{side}_rib_{i}" for i in range(1, 13) for side in _SIDES),
    "sternum",
    *(f"{side}_clavicle" for side in _SIDES),
    *(f"{side}_scapula" for side in _SIDES),
    *(f"{side}_humerus" for side in _SIDES),
    *(f"{side}_radius" for side in _SIDES),
    *(f"{side}_ulna" for side in _SIDES),
    *(f"{side}_hand" for side in _SIDES),
    *(f"{side}_hip" for side in _SIDES),
    "pubic_symphysis",
    *(f"{side}_femur" for side in _SIDES),
    "device",
    "table",
)
LABELS: dict[str, int] = {name: i for i, name in enumerate(_NAMES)}
"""Organ name to id; 0 is the air around the patient."""

BONES = frozenset(name for name in _NAMES[LABELS["skull"] : LABELS["device"]])
"""Names of the skeleton's labels."""
