"""Names of segmented structures: the classes of TotalSegmentator, their other spellings, and the phantom's labels.

TotalSegmentator: Wasserthal et al. 2023, Radiology: Artificial Intelligence 5(5), e230024; class maps as in its
``map_to_binary.py`` (Apache-2.0), versions 1 and 2.
"""

from __future__ import annotations

import re

from carm_env.patient.anatomy.labels import LABELS

_RIBS = tuple(f"rib_{side}_{i}" for side in ("left", "right") for i in range(1, 13))
_COLUMN = (
    *(f"vertebrae_L{i}" for i in range(5, 0, -1)),
    *(f"vertebrae_T{i}" for i in range(12, 0, -1)),
    *(f"vertebrae_C{i}" for i in range(7, 0, -1)),
)
_LIMBS = tuple(f"{bone}_{side}" for bone in ("humerus", "scapula", "clavicula", "femur", "hip")
               for side in ("left", "right"))  # fmt: skip
GLUTEI = tuple(f"gluteus_{part}_{side}" for part in ("maximus", "medius", "minimus") for side in ("left", "right"))
BACK = tuple(f"{muscle}_{side}" for muscle in ("autochthon", "iliopsoas") for side in ("left", "right"))
LOBES = (
    "lung_upper_lobe_left", "lung_lower_lobe_left", "lung_upper_lobe_right", "lung_middle_lobe_right",
    "lung_lower_lobe_right",
)  # fmt: skip

TOTAL: tuple[str, ...] = (
    "spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas", "adrenal_gland_right",
    "adrenal_gland_left", *LOBES, "esophagus", "trachea", "thyroid_gland", "small_bowel", "duodenum", "colon",
    "urinary_bladder", "prostate", "kidney_cyst_left", "kidney_cyst_right", "sacrum", "vertebrae_S1", *_COLUMN, "heart",
    "aorta", "pulmonary_vein", "brachiocephalic_trunk", "subclavian_artery_right", "subclavian_artery_left",
    "common_carotid_artery_right", "common_carotid_artery_left", "brachiocephalic_vein_left",
    "brachiocephalic_vein_right", "atrial_appendage_left", "superior_vena_cava", "inferior_vena_cava",
    "portal_vein_and_splenic_vein", "iliac_artery_left", "iliac_artery_right", "iliac_vena_left", "iliac_vena_right",
    *_LIMBS, "spinal_cord", *GLUTEI, *BACK, "brain", "skull", *_RIBS, "sternum", "costal_cartilages",
)  # fmt: skip
"""The 117 classes of version 2's task 'total'; a class's id in a label map is its place, counted from 1."""

TOTAL_V1: tuple[str, ...] = (
    "spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "aorta", "inferior_vena_cava",
    "portal_vein_and_splenic_vein", "pancreas", "adrenal_gland_right", "adrenal_gland_left", *LOBES, *_COLUMN,
    "esophagus", "trachea", "heart_myocardium", "heart_atrium_left", "heart_ventricle_left", "heart_atrium_right",
    "heart_ventricle_right", "pulmonary_artery", "brain", "iliac_artery_left", "iliac_artery_right", "iliac_vena_left",
    "iliac_vena_right", "small_bowel", "duodenum", "colon", *_RIBS, *_LIMBS, "sacrum", "face", *GLUTEI, *BACK,
    "urinary_bladder",
)  # fmt: skip
"""The 104 classes of version 1."""

APPENDICULAR: tuple[str, ...] = (
    "patella", "tibia", "fibula", "tarsal", "metatarsal", "phalanges_feet", "ulna", "radius", "carpal", "metacarpal",
    "phalanges_hand",
)  # fmt: skip
"""The task 'appendicular_bones'; both sides share a class."""

_OTHERS = (
    "lung_left", "lung_right", "lung_vessels", "eye_left", "eye_right", "eye_lens_left", "eye_lens_right", "mandible",
    "kidney_cyst", "body",
    *(f"{bone}_{side}" for bone in ("ulna", "radius", "carpal", "metacarpal") for side in ("left", "right")),
)  # fmt: skip
KNOWN = frozenset((*TOTAL, *TOTAL_V1, *APPENDICULAR, *_OTHERS))
"""All names that are understood, whether a rule uses them or not."""

_ALIASES = {
    "airway": "trachea",
    "lung_trachea_bronchia": "trachea",
    "spinal_canal": "spinal_cord",
    "clavicle_left": "clavicula_left",
    "clavicle_right": "clavicula_right",
    "innominate_left": "hip_left",
    "innominate_right": "hip_right",
    "cranium": "skull",
}
_SIDE_FIRST = re.compile(r"^(left|right)_(rib)_(\d+)$|^(left|right)_(\w+)$")


def class_name(raw: str) -> str | None:
    """The class that a file's or a table's name stands for, or None: ``left_hip`` is ``hip_left``, ``vertebra_T1``
    ``vertebrae_T1``; case, blanks and hyphens do not count."""
    text = re.sub(r"[\s\-]+", "_", raw.strip().lower())
    if found := _SIDE_FIRST.match(text):
        side, rib, number, other, rest = found.groups()
        text = f"{rib}_{side}_{number}" if rib else f"{rest}_{other}"
    text = re.sub(r"^vertebrae?_([clts])(\d+)$", lambda m: f"vertebrae_{m[1].upper()}{m[2]}", text)
    text = _ALIASES.get(text, text)
    return text if text in KNOWN else None


def _phantom() -> dict[str, tuple[str, ...]]:
    own_name = {"clavicula": "clavicle"}
    pairs = ("clavicula", "lung", "kidney", "eye", "eye_lens", "humerus", "scapula", "femur", "hip")
    table: dict[str, tuple[str, ...]] = {
        f"{name}_{side}": (f"{side}_{own_name.get(name, name)}",) for name in pairs for side in ("left", "right")
    }
    table |= {name: (name.replace("vertebrae", "vertebra"),) for name in _COLUMN}
    table |= {f"rib_{side}_{i}": (f"{side}_rib_{i}",) for side in ("left", "right") for i in range(1, 13)}
    table |= {name: (f"left_{name}", f"right_{name}") for name in ("ulna", "radius")}
    table |= {name: (name,) for name in ("spleen", "liver", "stomach", "pancreas", "heart", "aorta", "sternum")}
    return table | {
        "brain": ("brain", "ventricle", "pituitary"),
        "skull": ("skull", "mandible", "teeth"),
        "spinal_cord": ("spinal_canal",),
        "trachea": ("airway",),
        "sacrum": ("sacrum", "coccyx"),
        "urinary_bladder": ("bladder",),
        "thyroid_gland": ("thyroid",),
    }


PHANTOM: dict[str, tuple[str, ...]] = _phantom()
"""Class to the labels of the phantom that make it up. The phantom's airway runs on into the lobes, and its lungs are
whole and without their vessels; the others mean what TotalSegmentator means."""
assert all(own in LABELS for names in PHANTOM.values() for own in names)
